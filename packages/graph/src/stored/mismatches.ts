/** Number of names that an error lists per fault. */
const listed = 5;

/** Collects the faults of a model's parameters, to report them in one error. */
export class Mismatches {
  readonly missing: string[] = [];
  /** Sentences such as `a must have shape [2], not [3]`. */
  readonly different: string[] = [];
  readonly unknown: string[] = [];

  /** All faults in words; `undefined` if there are none. */
  get text(): string | undefined {
    const faults = [
      ...this.fault(this.missing, 'is missing', 'are missing'),
      ...this.fault(this.unknown, 'is not a tensor of this model', 'are not tensors of this model'),
      ...(this.different.length > 0 ? [list(this.different, '; ')] : []),
    ];
    return faults.length > 0 ? faults.join('; ') : undefined;
  }

  private fault(names: readonly string[], one: string, several: string): string[] {
    return names.length > 0 ? [`${list(names, ', ')} ${names.length === 1 ? one : several}`] : [];
  }
}

function list(faults: readonly string[], separator: string): string {
  // Several parameters may be parts of the same tensor.
  const items = [...new Set(faults)];
  const more = items.length > listed ? ` and ${items.length - listed} more` : '';
  return items.slice(0, listed).join(separator) + more;
}

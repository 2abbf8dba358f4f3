/** Longest text of a file that an error repeats. */
const quotedLength = 60;

/** Parses JSON of a file. The error names `place`, such as `captions.json` or `metadata.jsonl, line 3`. */
export function parseJson(text: string, place: string, action: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${place} must be valid JSON: ${(error as Error).message}. ${action}`, { cause: error });
  }
}

/** Describes a JSON value for an error, in few characters whatever the file holds. */
export function describeJson(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value !== 'string') return String(value);
  return value.length <= quotedLength ? JSON.stringify(value) : `${JSON.stringify(value.slice(0, quotedLength))}…`;
}

/** Reads the fields of a JSON object that a file holds. Each method throws an error that names the file and the field. */
export class JsonFields {
  /** All fields, unchecked. */
  readonly record: Readonly<Record<string, unknown>>;

  /**
   * @param place Names the object in errors, such as `index.json` or `metadata.jsonl, line 3`.
   * @param action Tells the user what to do about a wrong field.
   */
  constructor(
    value: unknown,
    private readonly place: string,
    private readonly action: string,
  ) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new Error(`${place} must be a JSON object, not ${describeJson(value)}. ${action}`);
    }
    this.record = value as Record<string, unknown>;
  }

  /** An integer from `least` to `most`. */
  integer(name: string, least: number, most: number): number {
    const value = this.record[name];
    if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
    throw this.error(name, least === most ? String(least) : `an integer from ${least} to ${most}`);
  }

  /** A string; one that matches `pattern`, which `expected` describes, if they are given. */
  string(name: string, pattern = /^/, expected = 'a string'): string {
    const value = this.record[name];
    if (typeof value === 'string' && pattern.test(value)) return value;
    throw this.error(name, expected);
  }

  /** One of a few strings. */
  oneOf<T extends string>(name: string, choices: readonly T[]): T {
    const choice = choices.find((candidate) => candidate === this.record[name]);
    if (choice !== undefined) return choice;
    throw this.error(name, choices.map((candidate) => JSON.stringify(candidate)).join(' or '));
  }

  array(name: string): readonly unknown[] {
    const value = this.record[name];
    if (Array.isArray(value)) return value;
    throw this.error(name, 'an array');
  }

  /** An array of at least one string. */
  strings(name: string): readonly string[] {
    const list = this.array(name);
    if (list.length > 0 && list.every((item): item is string => typeof item === 'string')) return list;
    throw this.error(name, 'an array of at least one string');
  }

  has(name: string): boolean {
    return this.record[name] !== undefined;
  }

  private error(name: string, expected: string): Error {
    return new Error(
      `${name} in ${this.place} must be ${expected}, not ${describeJson(this.record[name])}. ${this.action}`,
    );
  }
}

import { GraphError } from './graph-error.js';
import { describe, operation } from './operation.js';
import { sameShape } from './shape.js';
import type { Initializer, Shape, Tensor } from './tensor.js';

/**
 * How a statistic of a batch comes from those of its shares: as their sum, as their mean, weighted by samples, or as all rows along the
 * first axis, of which each sample has the same number.
 */
export type StatisticKind = 'mean' | 'sum' | 'rows';

/** Returns the statistic of a whole batch that belongs to that of a share. */
export type CombineStatistic = (name: string, own: Tensor, kind: StatisticKind) => Tensor;

/**
 * Declares parameters under a path: `scope.in('block').in(3).parameter('weight', …)` is `block.3.weight`. To tie weights, declare the
 * same name again: this returns the same tensor.
 */
export class ParameterScope {
  constructor(
    readonly path = '',
    private readonly declared: Map<string, Tensor> = new Map(),
    private readonly combine: CombineStatistic = (_, own) => own,
    private readonly assigned: Map<string, Tensor> = new Map(),
    private readonly buffers: Set<string> = new Set(),
  ) {}

  /** Returns the scope one level down. */
  in(name: string | number): ParameterScope {
    return new ParameterScope(this.name(String(name)), this.declared, this.combine, this.assigned, this.buffers);
  }

  /** Declares a float32 parameter, or returns its value if it is already declared with this shape. */
  parameter(name: string, shape: Shape, initializer: Initializer): Tensor {
    const full = this.name(name);
    const known = this.assigned.get(full) ?? this.declared.get(full);
    if (known) {
      if (sameShape(known.shape, shape)) return known;
      throw new GraphError(
        `Parameter ${full} must have the same shape each time it is declared: [${known.shape}], not [${shape}].`,
      );
    }
    const [tensor] = operation('parameter', [], { name: full, initializer }, [{ shape, dtype: 'float32' }]);
    this.declared.set(full, tensor!);
    return tensor!;
  }

  /** Declares a parameter that no optimizer changes, only {@link assign}: a running mean, for example. */
  buffer(name: string, shape: Shape, initializer: Initializer): Tensor {
    this.buffers.add(this.name(name));
    return this.parameter(name, shape, initializer);
  }

  /**
   * Gives a parameter of this scope a new value. `parameter` and `buffer` return it from now on, and a training graph passes it to the
   * next step.
   *
   * @throws GraphError if the parameter is not declared, or has another type or shape.
   */
  assign(name: string, value: Tensor): void {
    const full = this.name(name);
    const known = this.declared.get(full);
    if (!known || known.dtype !== value.dtype || !sameShape(known.shape, value.shape)) {
      const expected = known ? describe(known) : 'a declared parameter';
      throw new GraphError(`assign: ${full} must be ${expected}, not ${describe(value)}.`);
    }
    this.assigned.set(full, value);
  }

  /**
   * Returns a statistic of a whole batch: the mean over its samples, their sum, or the rows of all samples. Usually it is the given tensor
   * itself. If several hosts have shares of the batch, they combine theirs. The gradient is that of the own share: it is right if the loss
   * depends on the statistic in the same way on all hosts.
   *
   * @param name A name that no other statistic of this scope has.
   * @param own The statistic of the samples at hand.
   */
  statistic(name: string, own: Tensor, kind: StatisticKind): Tensor {
    return this.combine(this.name(name), own, kind);
  }

  /** All parameters declared so far in this scope, its parents and their other children. */
  get parameters(): ReadonlyMap<string, Tensor> {
    return this.declared;
  }

  /** The names of those of {@link parameters} that are buffers. */
  get bufferNames(): ReadonlySet<string> {
    return this.buffers;
  }

  /** The new values of parameters, by name. */
  get assignments(): ReadonlyMap<string, Tensor> {
    return this.assigned;
  }

  private name(name: string): string {
    return this.path ? `${this.path}.${name}` : name;
  }
}

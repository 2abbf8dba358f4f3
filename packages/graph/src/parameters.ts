import { GraphError } from './graph-error.js';
import { operation } from './operation.js';
import { sameShape } from './shape.js';
import type { Initializer, Shape, Tensor } from './tensor.js';

/**
 * Declares parameters under a path: `scope.in('block').in(3).parameter('weight', …)` is `block.3.weight`. To tie weights, declare the
 * same name again: this returns the same tensor.
 */
export class ParameterScope {
  constructor(
    readonly path = '',
    private readonly declared: Map<string, Tensor> = new Map(),
  ) {}

  /** Returns the scope one level down. */
  in(name: string | number): ParameterScope {
    return new ParameterScope(this.name(String(name)), this.declared);
  }

  /** Declares a float32 parameter, or returns it if it is already declared with this shape. */
  parameter(name: string, shape: Shape, initializer: Initializer): Tensor {
    const full = this.name(name);
    const known = this.declared.get(full);
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

  /** All parameters declared so far in this scope, its parents and their other children. */
  get parameters(): ReadonlyMap<string, Tensor> {
    return this.declared;
  }

  private name(name: string): string {
    return this.path ? `${this.path}.${name}` : name;
  }
}

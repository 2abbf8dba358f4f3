import { GraphError } from './graph-error.js';
import { operation } from './operation.js';
import { sameShape } from './shape.js';
import type { Initializer, Shape, Tensor } from './tensor.js';

/**
 * Declares parameters under a path: `scope.in('block').in(3).parameter('weight', …)` is `block.3.weight`. Declaring a name
 * again returns the same tensor, which is how weights are tied.
 */
export class ParameterScope {
  constructor(
    readonly path = '',
    private readonly declared: Map<string, Tensor> = new Map(),
  ) {}

  /** The scope one level down. */
  in(name: string | number): ParameterScope {
    return new ParameterScope(this.name(String(name)), this.declared);
  }

  /** Declares a float32 parameter, or returns it if it was declared with this shape before. */
  parameter(name: string, shape: Shape, initializer: Initializer): Tensor {
    const full = this.name(name);
    const known = this.declared.get(full);
    if (known) {
      if (sameShape(known.shape, shape)) return known;
      throw new GraphError(`parameter ${full} was declared with shape [${known.shape}] and again with [${shape}]`);
    }
    const [tensor] = operation('parameter', [], { name: full, initializer }, [{ shape, dtype: 'float32' }]);
    this.declared.set(full, tensor!);
    return tensor!;
  }

  /** Everything declared so far, under any path of this family of scopes. */
  get parameters(): ReadonlyMap<string, Tensor> {
    return this.declared;
  }

  private name(name: string): string {
    return this.path ? `${this.path}.${name}` : name;
  }
}

import { GraphError } from './graph-error.js';
import { describe, operation } from './operation.js';
import { sameShape, sizeOf } from './shape.js';
import { Mismatches } from './stored/mismatches.js';
import { isInMemory } from './stored/part.js';
import { partsOf, type StoredParameter } from './stored/stored-parameter.js';
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

/**
 * Checks that every parameter has a value of its type and shape; there may be more values than parameters.
 * @throws GraphError that lists all parameters whose values are missing or do not fit.
 */
export function checkParameters(
  parameters: ReadonlyMap<string, Tensor>,
  values: ReadonlyMap<string, StoredParameter>,
): void {
  const mismatches = new Mismatches();
  for (const [name, tensor] of parameters) {
    const value = values.get(name);
    if (!value) {
      mismatches.missing.push(name);
      continue;
    }
    const { dtype, shape } = value;
    if (dtype !== tensor.dtype || !sameShape(shape, tensor.shape)) {
      mismatches.different.push(`${name} must be ${describe(tensor)}, not ${dtype}[${shape.join(', ')}]`);
      continue;
    }
    for (const [field, layout, part] of partsOf(value)) {
      const size = sizeOf(layout.shape);
      if (isInMemory(part) && part.length !== size)
        mismatches.different.push(`${name} must have ${size} elements in ${field}, not ${part.length}`);
    }
  }
  const { text } = mismatches;
  if (text !== undefined)
    throw new GraphError(
      `The parameters must be those of the graph: ${text}. Give the weights that belong to this model.`,
    );
}

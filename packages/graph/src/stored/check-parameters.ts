import { GraphError } from '../graph-error.js';
import { describe } from '../operation.js';
import { sameShape, sizeOf } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { Mismatches } from './mismatches.js';
import { isInMemory } from './part.js';
import { partsOf, type StoredParameter } from './stored-parameter.js';

/**
 * Checks that every parameter has a value of its type and shape. Additional values are allowed.
 * @throws GraphError that lists all parameters whose values are missing or have another type or shape.
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
    throw new GraphError(`The parameters must be those of the graph: ${text}. Pass the weights of this model.`);
}

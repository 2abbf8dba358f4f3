/** How the widths of activations are divided over devices, when their weights are. */
import { isOperation } from '../operation.js';
import type { Operation, Tensor } from '../tensor.js';
import { collected, type Sharding } from './sharding.js';

/** The operators whose result is divided as their operands of the same width. */
const elementwise = new Set<string>(
  'add sub mul div neg select exp sqrt reciprocal erf tanh sigmoid relu gelu swish normalize'.split(' '),
);

/**
 * Returns a function that says how the last axis of activations, their width, is divided, if that follows from the weights that they are
 * multiplied by; XLA would divide it in other ways, with many more transfers. Call it for all tensors in the order of computation.
 *
 * @param divisionOf Returns how a tensor with the values of a parameter is divided.
 */
export function widthsOf(
  divisionOf: (tensor: Tensor) => Sharding | undefined,
): (tensor: Tensor) => readonly string[] | undefined {
  const known = new Map<Tensor, readonly string[]>();
  const widthOf = ({ operation, shape }: Tensor): readonly string[] | undefined => {
    const weight = weightOf(operation);
    const divided = weight && divisionOf(weight);
    if (divided) return collected(divided)[isOperation(operation, 'matmul') && operation.attributes.transposeB ? 0 : 1];
    if (!elementwise.has(operation.name)) return undefined;
    const operands = operation.inputs.filter((input) => input.shape.length > 1 && input.shape.at(-1) === shape.at(-1));
    const widths = operands.map((operand) => known.get(operand));
    return widths.every((width) => width?.join() === widths[0]?.join()) ? widths[0] : undefined;
  };
  return (tensor) => {
    const width = widthOf(tensor);
    if (width) known.set(tensor, width);
    return width;
  };
}

/** Returns the weight of a product or a lookup, `[rows, columns]`. */
function weightOf({ name, inputs }: Operation): Tensor | undefined {
  const weight = { matmul: inputs[1], gather: inputs[0] }[name as string];
  return weight?.shape.length === 2 ? weight : undefined;
}

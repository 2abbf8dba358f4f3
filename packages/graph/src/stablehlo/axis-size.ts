/** Sizes of dynamic axes in a run. Arrays of XLA have fixed shapes, so a module gets these sizes as arguments: see `emitStableHlo`. */
import { dynamicAxes } from '../dynamic-axes.js';
import { isOperation } from '../operation.js';
import type { Operation, Shape } from '../tensor.js';

/** The size of an axis in a run: the sum of the sizes of dynamic inputs, and a constant. */
export interface AxisSize {
  /** Names of dynamic inputs. */
  readonly inputs: readonly string[];
  readonly constant: number;
}

/** The dynamic axes of a tensor with their sizes. */
export type AxisSizes = ReadonlyMap<number, AxisSize>;

interface SizedOperand {
  readonly shape: Shape;
  readonly sizes: AxisSizes;
}

const fixed = (constant: number): AxisSize => ({ inputs: [], constant });

/** Returns text that is equal for equal sizes. */
export const keyOf = ({ inputs, constant }: AxisSize): string => [...inputs, constant].join('+');

export function addSizes(sizes: readonly AxisSize[]): AxisSize {
  const inputs = sizes.flatMap((size) => size.inputs).sort();
  return { inputs, constant: sizes.reduce((sum, { constant }) => sum + constant, 0) };
}

/** Computes a size from the sizes of the dynamic inputs of a run. */
export function evaluateSize({ inputs, constant }: AxisSize, sizeOfInput: (name: string) => number): number {
  return inputs.reduce((sum, name) => sum + sizeOfInput(name), constant);
}

/** Returns the size of an axis, whether it is dynamic or not. */
export const sizeOfAxis = ({ shape, sizes }: SizedOperand, axis: number): AxisSize =>
  sizes.get(axis) ?? fixed(shape[axis]!);

/**
 * Returns the sizes of the dynamic axes of an operation's outputs.
 *
 * @param equal Called with two sizes that must be equal in every run.
 */
export function outputSizes(
  operation: Operation,
  operands: readonly SizedOperand[],
  equal: (a: AxisSize, b: AxisSize) => void,
): AxisSizes[] {
  const found = operation.outputs.map(() => new Map<number, AxisSize>());
  if (operands.every(({ sizes }) => sizes.size === 0)) return found;
  if (isOperation(operation, 'matmul')) {
    const [a, b] = operands as readonly [SizedOperand, SizedOperand];
    const { transposeA, transposeB } = operation.attributes;
    equal(sizeOfAxis(a, a.shape.length - (transposeA ? 2 : 1)), sizeOfAxis(b, b.shape.length - (transposeB ? 1 : 2)));
  }
  const axes = operands.flatMap((operand, i) => operand.shape.map((size, axis) => ({ operand, i, axis, size })));
  const isDynamic = ({ operand, axis }: (typeof axes)[number]) => operand.sizes.has(axis);
  // Axes of size 1 are broadcast to any size.
  const others = axes.filter((one) => !isDynamic(one) && one.size !== 1);
  for (const one of [...axes.filter(isDynamic), ...others]) {
    const { operand, i, axis } = one;
    const size = sizeAfter(operation, operands, axis, sizeOfAxis(operand, axis));
    // Which axes of the outputs come from this one? The rules of the graph answer if all other axes are fixed.
    const inputs = operation.inputs.map((tensor, j) => ({ ...tensor, dynamic: i === j ? [axis] : undefined }));
    const reached = dynamicAxes({ ...operation, inputs }, operation.outputs);
    if (!Array.isArray(reached)) continue;
    for (const [output, to] of (reached as readonly (readonly number[])[]).entries()) {
      for (const outputAxis of to) {
        const known = found[output]!.get(outputAxis);
        if (known) equal(known, size);
        else if (isDynamic(one)) found[output]!.set(outputAxis, size);
      }
    }
  }
  return found;
}

/** Returns the size of the axis of an operation's output that comes from a dynamic axis of an operand. */
function sizeAfter(operation: Operation, operands: readonly SizedOperand[], axis: number, size: AxisSize): AxisSize {
  if (isOperation(operation, 'slice')) return addSizes([size, fixed(-operation.attributes.starts[axis]!)]);
  if (isOperation(operation, 'concat') && operation.attributes.axis === axis)
    return addSizes(operands.map((operand) => sizeOfAxis(operand, axis)));
  return size;
}

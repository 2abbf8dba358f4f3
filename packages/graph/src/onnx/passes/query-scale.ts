import { isOperation } from '../../operation.js';
import type { Operation } from '../../tensor.js';
import type { Pass, Rewrite } from './pass.js';

/**
 * Multiplies what is the one row of a matrix product by a vector, where a graph multiplies it by a number, as attention does with its
 * queries: ONNX Runtime makes a number the product's own factor, and computes such a product with one row twice as slowly.
 */
export const scaleQueriesByVector: Pass = (operations) => {
  const rewrites = new Map<Operation, Rewrite>();
  for (const operation of operations) {
    if (!isOperation(operation, 'matmul') || operation.attributes.transposeA) continue;
    const { shape, operation: scaling } = operation.inputs[0]!;
    if (!isOperation(scaling, 'mul') || shape.at(-2) !== 1) continue;
    const [x, factor] = scaling.inputs;
    if (!isOperation(factor!.operation, 'constant') || factor!.shape.length > 0) continue;
    const width = shape.at(-1)!;
    const vector = new Float32Array(width).fill(factor!.operation.attributes.value.data[0]!);
    rewrites.set(scaling, (emitter) =>
      emitter.node('Mul', [emitter.nameOf(x!), emitter.constant('float32', [width], vector)]),
    );
  }
  return rewrites;
};

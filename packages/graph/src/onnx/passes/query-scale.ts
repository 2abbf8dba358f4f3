import { isOperation } from '../../operation.js';
import type { Operation } from '../../tensor.js';
import type { Pass, Rewrite } from './pass.js';

/**
 * Replaces the scalar factor of the left operand of a matrix product by a vector if the operand has one row, as the queries of
 * attention have in generation. ONNX Runtime fuses a scalar factor into the product, and a fused product with one row is half as fast.
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

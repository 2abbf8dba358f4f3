/** Matrices in few bits an element: for decoding, whose time is that of reading the weights. */

import { GraphError } from './graph-error.js';
import { isOperation } from './operation.js';
import { loopBody } from './operators.js';
import type { Graph, Operation, Shape, Tensor } from './tensor.js';
import { topologicalOrder } from './traversal.js';

/** Bits an element. */
export type QuantizedBits = 4 | 8;

/**
 * A matrix `[rows, columns]` in few bits. Each row is cut into blocks of `blockSize` columns, the last filled up with zeros, and
 *
 *     value ≈ scale[row, block] · (stored − 2^(bits − 1))
 *
 * It is the layout of ONNX Runtime's `MatMulNBits`.
 */
export interface QuantizedMatrix<Blocks = Uint8Array, Scales = Float32Array> {
  readonly dtype: 'float32';
  readonly shape: Shape;
  readonly bits: QuantizedBits;
  readonly blockSize: number;
  /** `[rows, blocks a row, blockSize · bits / 8]` bytes; of 4 bits, the earlier element is the lower half of its byte. */
  readonly blocks: Blocks;
  /** `[rows, blocks a row]`. */
  readonly scales: Scales;
}

/**
 * A matrix `[rows, columns]` in 8 bits with one scale for each row, stored column after column:
 *
 *     value ≈ scale[row] · (stored[column, row] − 128)
 *
 * It is the layout of ONNX Runtime's `DynamicQuantizeMatMul`, which rounds the other operand to 8 bits with one scale for all of it,
 * where `MatMulNBits` has one for each block of a row. It takes three quarters of the time, and half with many rows, and loses more if a
 * few elements of the other operand are much larger than the rest. (Not the operator's signed bytes: sums of two of their products
 * overflow on processors without VNNI.)
 */
export interface QuantizedColumns<Columns = Uint8Array, Scales = Float32Array> {
  readonly dtype: 'float32';
  readonly shape: Shape;
  /** `[columns, rows]` bytes. */
  readonly columns: Columns;
  /** `[rows]`. */
  readonly scales: Scales;
}

/**
 * A tensor in 8 bits, as `quantize` of `@dalle-mini/weights` stores it. A row is everything under one index of the first axis, and
 *
 *     value = scale[row] · stored
 *
 * but for the outliers, which have values of their own. A runtime widens them before it computes.
 */
export interface QuantizedRows<Place> {
  readonly dtype: 'float32';
  readonly shape: Shape;
  /** int8, of the tensor's shape. */
  readonly rows: Place;
  /** float32, `[rows]`. */
  readonly scale: Place;
  readonly outliers?: {
    readonly count: number;
    /** float32, `[count]`. */
    readonly values: Place;
    /** int32, `[count]`: where they stand, counted in row-major order. */
    readonly positions: Place;
  };
}

export interface QuantizeOptions {
  /** Default 8. */
  readonly bits?: QuantizedBits;
  /** A power of two from 16 up. Default 32. */
  readonly blockSize?: number;
}

/**
 * Rounds a matrix to few bits. No element is off by more than half its block's scale, which is the block's largest magnitude over
 * 2^(bits − 1), but for elements near the opposite end, which may be off by a whole one.
 * @throws GraphError if it is no matrix, holds NaN or infinity, or an option is out of its range.
 */
export function quantizeMatrix(data: Float32Array, shape: Shape, options: QuantizeOptions = {}): QuantizedMatrix {
  const { bits = 8, blockSize = 32 } = options;
  const [rows, columns] = shape as [number, number];
  if (shape.length !== 2 || data.length !== rows * columns)
    throw new GraphError(`quantizeMatrix: ${data.length} elements of shape [${shape}] are no matrix`);
  if (bits !== 4 && bits !== 8) throw new GraphError(`quantizeMatrix: bits is ${bits}, and must be 4 or 8`);
  if (!Number.isInteger(Math.log2(blockSize)) || blockSize < 16)
    throw new GraphError(`quantizeMatrix: blockSize is ${blockSize}, and must be a power of two from 16 up`);
  const perRow = Math.ceil(columns / blockSize);
  const zero = 2 ** (bits - 1);
  const blocks = new Uint8Array((rows * perRow * blockSize * bits) / 8);
  const scales = new Float32Array(rows * perRow);
  for (let block = 0; block < scales.length; block++) {
    const start = Math.floor(block / perRow) * columns + (block % perRow) * blockSize;
    const length = Math.min(blockSize, columns - (block % perRow) * blockSize);
    // The element of the largest magnitude is stored as 0, the end of the range that reaches one further.
    let extreme = 0;
    for (let i = start; i < start + length; i++) {
      if (!Number.isFinite(data[i]!)) throw new GraphError(`quantizeMatrix: element ${i} is ${data[i]}`);
      if (Math.abs(data[i]!) > Math.abs(extreme)) extreme = data[i]!;
    }
    scales[block] = extreme / -zero;
    const scale = scales[block]!;
    for (let i = 0; i < blockSize; i++) {
      const value = i < length && scale !== 0 ? data[start + i]! / scale : 0;
      const stored = Math.min(2 * zero - 1, Math.max(0, Math.round(value) + zero));
      const position = block * blockSize + i;
      if (bits === 8) blocks[position] = stored;
      else blocks[position >> 1]! |= stored << (4 * (position & 1));
    }
  }
  return { dtype: 'float32', shape, bits, blockSize, blocks, scales };
}

/** The values that a quantized matrix stands for, row-major. */
export function dequantizeMatrix({ shape, bits, blockSize, blocks, scales }: QuantizedMatrix): Float32Array {
  const [rows, columns] = shape as [number, number];
  const perRow = Math.ceil(columns / blockSize);
  const values = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const block = row * perRow + Math.floor(column / blockSize);
      const position = block * blockSize + (column % blockSize);
      const stored = bits === 8 ? blocks[position]! : (blocks[position >> 1]! >> (4 * (position & 1))) & 15;
      values[row * columns + column] = scales[block]! * (stored - 2 ** (bits - 1));
    }
  }
  return values;
}

/**
 * Rounds a matrix to 8 bits with one scale for each row. No element is off by more than `quantizeMatrix` says, of rows in place of blocks.
 * @throws GraphError as `quantizeMatrix`.
 */
export function quantizeColumns(data: Float32Array, shape: Shape): QuantizedColumns {
  const [rows, columns = 1] = shape as [number, number];
  const blockSize = Math.max(16, 2 ** Math.ceil(Math.log2(columns)));
  const { dtype, blocks, scales } = quantizeMatrix(data, shape, { bits: 8, blockSize });
  const transposed = new Uint8Array(rows * columns);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      transposed[column * rows + row] = blocks[row * blockSize + column]!;
  return { dtype, shape, columns: transposed, scales };
}

/** The values that quantized columns stand for, row-major. */
export function dequantizeColumns({ shape, columns: stored, scales }: QuantizedColumns): Float32Array {
  const [rows, columns] = shape as [number, number];
  const values = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      values[row * columns + column] = scales[row]! * (stored[column * rows + row]! - 128);
  return values;
}

/**
 * The names of the parameters that may be quantized matrices: those that the graph only multiplies with, as `[out, in]`, the layout of
 * linear layers.
 */
export function quantizableParameters(graph: Graph): Set<string> {
  const names = new Set<string>();
  const others = new Set<string>();
  const refuse = (results: readonly Tensor[]) => {
    for (const { operation } of results) if (isOperation(operation, 'parameter')) others.add(operation.attributes.name);
  };
  const visit = (operations: readonly Operation[]) => {
    for (const operation of operations) {
      for (const [i, { operation: source, shape }] of operation.inputs.entries()) {
        if (!isOperation(source, 'parameter')) continue;
        // A loop's operands are what its body captures, which is looked at below.
        if (isOperation(operation, 'loop') && i >= operation.attributes.carried.length) continue;
        (multipliesWith(operation, i) && shape.length === 2 ? names : others).add(source.attributes.name);
      }
      if (isOperation(operation, 'loop')) {
        const { operations: body, results } = loopBody(operation);
        visit(body);
        refuse(results);
      }
    }
  };
  const outputs = Object.values(graph.outputs);
  visit(topologicalOrder(outputs));
  refuse(outputs);
  for (const name of others) names.delete(name);
  return names;
}

/** Whether an operation is a product whose second operand, `[out, in]`, is the operand `index`. */
function multipliesWith(operation: Operation, index: number): boolean {
  if (!isOperation(operation, 'matmul') || index !== 1) return false;
  return operation.attributes.transposeB && !operation.attributes.transposeA;
}

import { microsoft } from '../onnx/proto.js';
import type { Shape } from '../tensor.js';
import type { StoredKind } from './kind.js';
import type { InMemory, Part } from './part.js';
import { quantizeBlocks } from './quantized-blocks.js';

/**
 * A matrix `[rows, columns]` in 8 bits with one scale per row, in column-major order:
 *
 *     value ≈ scale[row] · (stored[column, row] − 128)
 *
 * It is the layout of ONNX Runtime's `DynamicQuantizeMatMul`, which rounds the other operand to 8 bits with a single scale.
 * `MatMulNBits` uses one scale per block of a row instead. Compared with it, `DynamicQuantizeMatMul` takes three quarters of the time,
 * and half with many rows, but loses more precision if a few elements of the other operand are much larger than the others. (The
 * bytes are unsigned: sums of two products of signed bytes overflow on processors without VNNI.)
 */
export interface QuantizedColumns {
  readonly kind: 'columns';
  readonly dtype: 'float32';
  readonly shape: Shape;
  /** `[columns, rows]` bytes. */
  readonly columns: Part<Uint8Array>;
  /** `[rows]`. */
  readonly scales: Part<Float32Array>;
}

const suffixes = { columns: '.columns', scales: '.scales' } as const;

/** The byte that represents 0. */
const zero = 128;

/**
 * Quantizes a matrix to 8 bits with one scale per row. The error is that of `quantizeBlocks`, with rows as blocks.
 * @throws GraphError as `quantizeBlocks` does.
 */
export function quantizeColumns(data: Float32Array, shape: Shape): InMemory<QuantizedColumns> {
  const [rows, columns = 1] = shape as [number, number];
  const blockSize = Math.max(16, 2 ** Math.ceil(Math.log2(columns)));
  const { dtype, blocks, scales } = quantizeBlocks(data, shape, { bits: 8, blockSize });
  const transposed = new Uint8Array(rows * columns);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      transposed[column * rows + row] = blocks[row * blockSize + column]!;
  return { kind: 'columns', dtype, shape, columns: transposed, scales };
}

export const quantizedColumns: StoredKind<QuantizedColumns> = {
  find: (name, shape, tensors) =>
    tensors.has(name + suffixes.columns) ? { kind: 'columns', dtype: 'float32', shape } : undefined,

  layout: ({ shape: [rows, columns] }) => ({
    columns: { suffix: suffixes.columns, dtype: 'U8', shape: [columns!, rows!] },
    scales: { suffix: suffixes.scales, dtype: 'F32', shape: [rows!] },
  }),

  decode({ shape, columns: stored, scales }) {
    const [rows, columns] = shape as [number, number];
    const values = new Float32Array(rows * columns);
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++)
        values[row * columns + column] = scales[row]! * (stored[column * rows + row]! - zero);
    return values;
  },

  emit(emitter, name, { shape, columns: stored, scales }) {
    const [rows, columns] = shape as [number, number];
    emitter.initializer(name, 'uint8', [columns, rows], stored);
    const scalesName = emitter.fresh('scales');
    emitter.initializer(scalesName, 'float32', [rows], scales);
    const zeroName = emitter.constant('uint8', [], Uint8Array.of(zero));
    return (emitter, left) => emitter.node('DynamicQuantizeMatMul', [left, name, scalesName, zeroName], {}, microsoft);
  },

  lower(emitter, { columns: stored, scales }) {
    const steps = emitter.binary('subtract', emitter.convert(stored, 'float32'), emitter.scalar(zero));
    return emitter.transpose(emitter.binary('multiply', steps, scales), [1, 0]);
  },
};

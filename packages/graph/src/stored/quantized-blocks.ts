import { GraphError } from '../graph-error.js';
import { microsoft } from '../onnx/proto.js';
import { sameShape } from '../shape.js';
import type { StableHloEmitter, Value } from '../stablehlo/emitter.js';
import type { Shape } from '../tensor.js';
import type { StoredKind } from './kind.js';
import type { InMemory, Part } from './part.js';

/** Bits per element. */
export type QuantizedBits = 4 | 8;

/**
 * A matrix `[rows, columns]` in 4 or 8 bits. Each row is divided into blocks of `blockSize` columns, the last padded with zeros, and
 *
 *     value ≈ scale[row, block] · (stored − 2^(bits − 1))
 *
 * It is the layout of ONNX Runtime's `MatMulNBits`.
 */
export interface QuantizedBlocks {
  readonly kind: 'blocks';
  readonly dtype: 'float32';
  readonly shape: Shape;
  readonly bits: QuantizedBits;
  readonly blockSize: number;
  /** `[rows, blocks per row, blockSize · bits / 8]` bytes. With 4 bits, the first element is in the lower half of its byte. */
  readonly blocks: Part<Uint8Array>;
  /** `[rows, blocks per row]`. */
  readonly scales: Part<Float32Array>;
}

const suffixes = { blocks: '.blocks', scales: '.scales' } as const;

/** The block size in all checkpoint files. */
const defaultBlockSize = 32;

export interface QuantizeOptions {
  /** Default 8. */
  readonly bits?: QuantizedBits | undefined;
  /** A power of two of at least 16. Default 32. */
  readonly blockSize?: number | undefined;
}

/**
 * Quantizes a matrix to 4 or 8 bits. The scale of a block is its largest magnitude divided by 2^(bits − 1). The error of an element is
 * at most half the scale of its block, except near the largest magnitude with the opposite sign, where it is at most the scale.
 * @throws GraphError if the shape is not that of a matrix, an element is not finite, or an option is invalid.
 */
export function quantizeBlocks(
  data: Float32Array,
  shape: Shape,
  options: QuantizeOptions = {},
): InMemory<QuantizedBlocks> {
  const { bits = 8, blockSize = defaultBlockSize } = options;
  const [rows, columns] = shape as [number, number];
  if (shape.length !== 2 || data.length !== rows * columns)
    throw new GraphError(`quantizeBlocks: the data must be a matrix, not ${data.length} elements of shape [${shape}].`);
  if (bits !== 4 && bits !== 8) throw new GraphError(`quantizeBlocks: bits must be 4 or 8, not ${bits}.`);
  if (!Number.isInteger(Math.log2(blockSize)) || blockSize < 16)
    throw new GraphError(`quantizeBlocks: blockSize must be a power of two of at least 16, not ${blockSize}.`);
  const perRow = Math.ceil(columns / blockSize);
  const zero = 2 ** (bits - 1);
  const blocks = new Uint8Array((rows * perRow * blockSize * bits) / 8);
  const scales = new Float32Array(rows * perRow);
  for (let block = 0; block < scales.length; block++) {
    const start = Math.floor(block / perRow) * columns + (block % perRow) * blockSize;
    const length = Math.min(blockSize, columns - (block % perRow) * blockSize);
    // The element of the largest magnitude is stored as 0: the range reaches one further below the middle than above.
    let extreme = 0;
    for (let i = start; i < start + length; i++) {
      if (!Number.isFinite(data[i]!))
        throw new GraphError(`quantizeBlocks: element ${i} must be finite, not ${data[i]}.`);
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
  return { kind: 'blocks', dtype: 'float32', shape, bits, blockSize, blocks, scales };
}

/** Returns the two halves of bytes along a new last axis, the lower one first. */
function halvesOf(emitter: StableHloEmitter, bytes: Value): Value {
  const shape = [...bytes.shape, 2];
  const each = emitter.broadcast(bytes, shape, [...bytes.shape.keys()]);
  const shifts = emitter.convert(
    emitter.binary('multiply', emitter.iota(shape, bytes.shape.length), emitter.scalar(4, 'int32')),
    'uint8',
  );
  const mask = emitter.convert(emitter.scalar(15, 'int32'), 'uint8');
  return emitter.binary('and', emitter.binary('shift_right_logical', each, shifts), mask);
}

export const quantizedBlocks: StoredKind<QuantizedBlocks> = {
  find(name, shape, tensors) {
    const blocks = tensors.get(name + suffixes.blocks);
    if (!blocks) return undefined;
    const bits = blocks.shape[2] === defaultBlockSize / 2 ? 4 : 8;
    return { kind: 'blocks', dtype: 'float32', shape, bits, blockSize: defaultBlockSize };
  },

  layout({ shape: [rows, columns], bits, blockSize }) {
    const perRow = Math.ceil(columns! / blockSize);
    return {
      blocks: { suffix: suffixes.blocks, dtype: 'U8', shape: [rows!, perRow, (blockSize * bits) / 8] },
      scales: { suffix: suffixes.scales, dtype: 'F32', shape: [rows!, perRow] },
    };
  },

  decode({ shape, bits, blockSize, blocks, scales }) {
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
  },

  emit(emitter, name, { shape, bits, blockSize, blocks, scales }) {
    const [N, K] = shape as [number, number];
    const perRow = Math.ceil(K / blockSize);
    emitter.initializer(name, 'uint8', [N, perRow, (blockSize * bits) / 8], blocks);
    const scalesName = emitter.fresh('scales');
    emitter.initializer(scalesName, 'float32', [N * perRow], scales);
    // Level 4 also rounds the first operand to 8 bits, for integer products. Without it, MatMulNBits was slower than float32.
    const attributes = { N, K, bits, block_size: blockSize, accuracy_level: 4 };
    return (emitter, left) => emitter.node('MatMulNBits', [left, name, scalesName], attributes, microsoft);
  },

  lower(emitter, { blocks, scales }, { shape, bits, blockSize }) {
    const [rows, perRow] = scales.shape as [number, number];
    const stored = bits === 8 ? blocks : emitter.reshape(halvesOf(emitter, blocks), [rows, perRow, blockSize]);
    const steps = emitter.binary('subtract', emitter.convert(stored, 'float32'), emitter.scalar(2 ** (bits - 1)));
    const values = emitter.binary('multiply', steps, emitter.reshape(scales, [rows, perRow, 1]));
    const padded = emitter.reshape(values, [rows, perRow * blockSize]);
    return sameShape(padded.shape, shape) ? padded : emitter.slice(padded, [0, 0], shape);
  },
};

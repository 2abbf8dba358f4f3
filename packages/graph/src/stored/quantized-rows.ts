import { GraphError } from '../graph-error.js';
import { dataTypes } from '../onnx/proto.js';
import { sizeOf } from '../shape.js';
import type { Shape } from '../tensor.js';
import type { StoredKind } from './kind.js';
import type { InMemory, Part } from './part.js';

/**
 * A tensor in 8 bits. A row consists of all elements with the same index on the first axis: one output of a linear layer, one output
 * channel of a convolution, or one token of an embedding. Each row has its own scale,
 *
 *     value = scale[row] · stored,   stored ∈ {−127, …, 127}
 *
 * except the outliers, which are stored in float32. A runtime converts the rows to float32 before it computes.
 */
export interface QuantizedRows {
  readonly kind: 'rows';
  readonly dtype: 'float32';
  readonly shape: Shape;
  /** `shape`; 0 at an outlier. */
  readonly rows: Part<Int8Array>;
  /** `[rows]`. */
  readonly scale: Part<Float32Array>;
  /** The number of outliers, which may be 0. */
  readonly outlierCount: number;
  /** `[outlierCount]`. */
  readonly outliers?: Part<Float32Array> | undefined;
  /** `[outlierCount]`: their indices in row-major order. */
  readonly outlierPositions?: Part<Int32Array> | undefined;
}

const suffixes = { scale: '.scale', outliers: '.outliers', outlierPositions: '.outlier_positions' } as const;

const largest = 127;

/** Magnitude of outliers in root mean squares of their row: 0.12 % of normally distributed weights exceed it. */
const outlierThreshold = 3.25;

/**
 * Quantizes each row of a tensor to 8 bits. The scale is the row's largest magnitude without outliers, divided by 127, so zeros stay
 * zero and the error of an element is at most half the scale. Transformers have single weights that are a hundred times larger than
 * their neighbors (Kovaleva et al. 2021, "BERT Busters"), which would make the scale of the whole row too coarse. So elements larger
 * than 3.25 times the root mean square of their row are outliers, stored in float32, as in SqueezeLLM (Kim et al. 2023).
 * @throws GraphError for a scalar, for data that does not fit the shape, and for values that are not finite.
 */
export function quantizeRows(data: Float32Array, shape: Shape): InMemory<QuantizedRows> {
  const [rows] = shape;
  if (rows === undefined)
    throw new GraphError('quantizeRows: the tensor must have at least one axis, not be a scalar. Store it as fp32.');
  if (sizeOf(shape) !== data.length)
    throw new GraphError(
      `quantizeRows: the data must have ${sizeOf(shape)} elements for shape [${shape}], not ${data.length}.`,
    );
  const values = new Int8Array(data.length);
  const scales = new Float32Array(rows);
  const positions: number[] = [];
  const width = rows === 0 ? 0 : data.length / rows;
  for (let row = 0; row < rows; row++) {
    const start = row * width;
    const end = start + width;
    let sumOfSquares = 0;
    for (let i = start; i < end; i++) sumOfSquares += data[i]! ** 2;
    if (!Number.isFinite(sumOfSquares)) {
      throw new GraphError(
        `quantizeRows: row ${row} must be finite, not contain NaN or infinity. Store the tensor as fp32, or fix the training run.`,
      );
    }
    const threshold = outlierThreshold * Math.sqrt(sumOfSquares / width);
    let peak = 0;
    for (let i = start; i < end; i++) {
      const magnitude = Math.abs(data[i]!);
      if (magnitude > threshold) positions.push(i);
      else peak = Math.max(peak, magnitude);
    }
    scales[row] = peak / largest;
    const scale = scales[row]!;
    // A row of zeros, or of values whose scale is too small for float32.
    if (scale === 0) continue;
    for (let i = start; i < end; i++) {
      if (Math.abs(data[i]!) > threshold) continue;
      // A scale near the smallest float32 may be rounded down, so that the peak would exceed 127.
      values[i] = Math.max(-largest, Math.min(largest, Math.round(data[i]! / scale)));
    }
  }
  const outliers = positions.length > 0 && {
    outliers: Float32Array.from(positions, (position) => data[position]!),
    outlierPositions: Int32Array.from(positions),
  };
  return {
    kind: 'rows',
    dtype: 'float32',
    shape,
    rows: values,
    scale: scales,
    outlierCount: positions.length,
    ...outliers,
  };
}

/** @throws GraphError if an outlier is not an element of the tensor. */
function checkPositions({ rows, outlierPositions }: InMemory<QuantizedRows>): void {
  const outside = outlierPositions?.find((position) => !(position in rows));
  if (outside !== undefined)
    throw new GraphError(
      `An outlier must be at a position below ${rows.length}, not ${outside}. The file is corrupt: download it again.`,
    );
}

export const quantizedRows: StoredKind<QuantizedRows> = {
  find(name, shape, tensors) {
    if (tensors.get(name)?.dtype !== 'I8') return undefined;
    const outliers = tensors.get(name + suffixes.outliers) ?? tensors.get(name + suffixes.outlierPositions);
    return { kind: 'rows', dtype: 'float32', shape, outlierCount: outliers?.shape[0] ?? 0 };
  },

  layout: ({ shape, outlierCount }) => ({
    rows: { suffix: '', dtype: 'I8', shape },
    scale: { suffix: suffixes.scale, dtype: 'F32', shape: shape.slice(0, 1) },
    ...(outlierCount > 0 && {
      outliers: { suffix: suffixes.outliers, dtype: 'F32', shape: [outlierCount] },
      outlierPositions: { suffix: suffixes.outlierPositions, dtype: 'I32', shape: [outlierCount] },
    }),
  }),

  check: checkPositions,

  decode(value) {
    checkPositions(value);
    const { shape, rows, scale, outliers, outlierPositions } = value;
    const values = Float32Array.from(rows);
    const width = sizeOf(shape.slice(1));
    for (let i = 0; i < values.length; i++) values[i]! *= scale[Math.floor(i / width)]!;
    for (const [i, position] of (outlierPositions ?? []).entries()) values[position] = outliers![i]!;
    return values;
  },

  emit(emitter, name, { shape, rows, scale, outlierCount, outliers, outlierPositions }) {
    const count = shape[0]!;
    const width = sizeOf(shape.slice(1));
    emitter.initializer(name, 'int8', [count, width], rows);
    const scaleName = emitter.fresh('scale');
    emitter.initializer(scaleName, 'float32', [count, 1], scale);
    // Not DequantizeLinear, which ONNX Runtime would compute in each run.
    let widened = emitter.node('Mul', [emitter.node('Cast', [name], { to: dataTypes.float32 }), scaleName]);
    if (outliers && outlierPositions) {
      const values = emitter.fresh('outliers');
      emitter.initializer(values, 'float32', [outlierCount], outliers);
      const positions = emitter.fresh('positions');
      // Unsigned, because a negative position in a damaged file would count from the end instead of being refused.
      emitter.initializer(positions, 'uint32', [outlierCount, 1], outlierPositions);
      const flat = emitter.node('Cast', [positions], { to: dataTypes.int64 });
      // Not ScatterElements, which needs the matrix as a vector: each copy of all values takes as long as converting them.
      const rowAndColumn = ['Div', 'Mod'].map((type) => emitter.node(type, [flat, emitter.integers([width])]));
      widened = emitter.node('ScatterND', [widened, emitter.node('Concat', rowAndColumn, { axis: 1 }), values]);
    }
    return shape.length === 2 ? widened : emitter.node('Reshape', [widened, emitter.integers(shape)]);
  },

  lower(emitter, { rows, scale, outliers, outlierPositions }, { shape, outlierCount }) {
    const perRow = shape.map((size, axis) => (axis === 0 ? size : 1));
    const values = emitter.binary('multiply', emitter.convert(rows, 'float32'), emitter.reshape(scale, perRow));
    if (outlierCount === 0) return values;
    // Their place in the rows is 0, so adding sets them.
    const places = emitter.reshape(outlierPositions, [outlierCount, 1]);
    const numbers = 'inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1';
    return emitter.reshape(
      emitter.scatterAdd(emitter.reshape(values, [sizeOf(shape)]), places, outliers, numbers),
      shape,
    );
  },
};

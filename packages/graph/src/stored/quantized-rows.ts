import { GraphError } from '../graph-error.js';
import { dataTypes } from '../onnx/proto.js';
import { sizeOf } from '../shape.js';
import type { Shape } from '../tensor.js';
import type { StoredKind } from './kind.js';
import type { Part } from './part.js';

/**
 * A tensor in 8 bits. A row is everything under one index of the first axis: one output of a linear layer, one output channel of a
 * convolution, one token of an embedding. Each row has a scale of its own,
 *
 *     value = scale[row] · stored,   stored ∈ {−127, …, 127}
 *
 * except the outliers, which have values of their own. A runtime widens them before it computes.
 */
export interface QuantizedRows {
  readonly kind: 'rows';
  readonly dtype: 'float32';
  readonly shape: Shape;
  /** Of the tensor's shape; 0 at an outlier. */
  readonly rows: Part<Int8Array>;
  /** `[rows]`. */
  readonly scale: Part<Float32Array>;
  /** The number of outliers, which may be 0. */
  readonly outlierCount: number;
  /** `[outlierCount]`. */
  readonly outliers?: Part<Float32Array>;
  /** `[outlierCount]`: their positions in row-major order. */
  readonly outlierPositions?: Part<Int32Array>;
}

export const quantizedRows: StoredKind<QuantizedRows> = {
  layout: ({ shape, outlierCount }) => ({
    rows: { suffix: '', dtype: 'I8', shape },
    scale: { suffix: '.scale', dtype: 'F32', shape: shape.slice(0, 1) },
    ...(outlierCount > 0 && {
      outliers: { suffix: '.outliers', dtype: 'F32', shape: [outlierCount] },
      outlierPositions: { suffix: '.outlier_positions', dtype: 'I32', shape: [outlierCount] },
    }),
  }),

  decode({ shape, rows, scale, outliers, outlierPositions }) {
    const values = Float32Array.from(rows);
    const width = sizeOf(shape.slice(1));
    for (let i = 0; i < values.length; i++) values[i]! *= scale[Math.floor(i / width)]!;
    for (const [i, position] of (outlierPositions ?? []).entries()) {
      if (!(position in values))
        throw new GraphError(
          `an outlier must be at a position below ${values.length}, not ${position}. The file is corrupt: fetch it again.`,
        );
      values[position] = outliers![i]!;
    }
    return values;
  },

  emit(emitter, name, { shape, rows, scale, outlierCount, outliers, outlierPositions }) {
    const count = shape[0]!;
    const width = sizeOf(shape.slice(1));
    emitter.initializer(name, 'int8', [count, width], rows);
    const scaleName = emitter.fresh('scale');
    emitter.initializer(scaleName, 'float32', [count, 1], scale);
    // Not by DequantizeLinear, which ONNX Runtime would leave for each run.
    let widened = emitter.node('Mul', [emitter.node('Cast', [name], { to: dataTypes.float32 }), scaleName]);
    if (outliers && outlierPositions) {
      const values = emitter.fresh('outliers');
      emitter.initializer(values, 'float32', [outlierCount], outliers);
      const positions = emitter.fresh('positions');
      // Unsigned, or a negative one of a damaged file would count from the end instead of being refused.
      emitter.initializer(positions, 'uint32', [outlierCount, 1], outlierPositions);
      const flat = emitter.node('Cast', [positions], { to: dataTypes.int64 });
      // Not by ScatterElements, which would take the matrix as a vector: each copy of all values takes as long as to widen them.
      const rowAndColumn = ['Div', 'Mod'].map((type) => emitter.node(type, [flat, emitter.integers([width])]));
      widened = emitter.node('ScatterND', [widened, emitter.node('Concat', rowAndColumn, { axis: 1 }), values]);
    }
    return shape.length === 2 ? widened : emitter.node('Reshape', [widened, emitter.integers(shape)]);
  },
};

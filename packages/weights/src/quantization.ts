import {
  type Checkpoint,
  CheckpointError,
  elementCount,
  listText,
  type StoredTensor,
  stored,
  toFloat32,
} from './checkpoint.js';

/**
 * 8-bit storage. A row is everything under one index of the first axis: one output of a PyTorch linear layer, one output
 * channel of a convolution, one token of an embedding. Each row has a scale of its own,
 *
 *     value ≈ scale[row] · stored,   stored ∈ {−127, …, 127},   scale[row] = max |row| / 127
 *
 * so zero stays zero and no element is off by more than half a scale. In the file a tensor `name` of shape `[rows, …]` becomes
 * `name` (I8, `[rows, …]`) and `name.scale` (F32, `[rows]`).
 */

/** A tensor in memory. */
export interface Float32Tensor {
  readonly dtype: 'float32';
  readonly shape: readonly number[];
  /** Row-major, `product(shape)` elements. */
  readonly data: Float32Array;
}

export interface QuantizedRows {
  /** I8, with the shape of the source. */
  readonly values: StoredTensor;
  /** F32, `[rows]`. */
  readonly scale: StoredTensor;
}

const LARGEST = 127;

/**
 * Rounds each row of `data` to 8 bits.
 * @throws CheckpointError for a scalar, for data that does not fit `shape`, and for values that are not finite.
 */
export function quantizeRows(data: Float32Array, shape: readonly number[]): QuantizedRows {
  const [rows] = shape;
  if (rows === undefined) throw new CheckpointError('A scalar has no rows to quantize; store it as F32.');
  if (elementCount(shape, 'The tensor') !== data.length) {
    throw new CheckpointError(
      `The tensor has ${data.length} elements, but shape ${listText(shape)} takes another number.`,
    );
  }
  const values = new Int8Array(data.length);
  const scales = new Float32Array(rows);
  const width = rows === 0 ? 0 : data.length / rows;
  for (let row = 0; row < rows; row++) {
    const start = row * width;
    let peak = 0;
    for (let i = start; i < start + width; i++) {
      const magnitude = Math.abs(data[i]!);
      if (!(magnitude < Number.POSITIVE_INFINITY)) {
        throw new CheckpointError(
          `Row ${row} holds ${data[i]}, which 8 bits cannot; store the tensor as F32, or mend the training run that made it.`,
        );
      }
      peak = Math.max(peak, magnitude);
    }
    scales[row] = peak / LARGEST;
    const scale = scales[row]!;
    // A row of zeros, or of values so small that their scale is no float32.
    if (scale === 0) continue;
    for (let i = start; i < start + width; i++) {
      // A scale this close to float32's smallest may have been rounded down, so that the peak would come out past 127.
      values[i] = Math.max(-LARGEST, Math.min(LARGEST, Math.round(data[i]! / scale)));
    }
  }
  return { values: stored('I8', shape, values), scale: stored('F32', [rows], scales) };
}

/**
 * Stores every floating-point tensor of two or more axes in 8 bits; the rest (biases, norms, integers) stays as it is.
 * @throws CheckpointError if a name `….scale` that is needed is taken, or a value is not finite.
 */
export function quantize(checkpoint: ReadonlyMap<string, StoredTensor>): Checkpoint {
  const result: Checkpoint = new Map();
  for (const [name, tensor] of checkpoint) {
    if (tensor.shape.length < 2 || !/^B?F\d/.test(tensor.dtype)) {
      result.set(name, tensor);
      continue;
    }
    if (checkpoint.has(`${name}.scale`)) {
      throw new CheckpointError(`The scales of ${JSON.stringify(name)} need the name "${name}.scale", which is taken.`);
    }
    const { values, scale } = quantizeRows(toFloat32(tensor), tensor.shape);
    result.set(name, values);
    result.set(`${name}.scale`, scale);
  }
  return result;
}

/**
 * Every tensor as float32, whatever it was stored as. An I8 tensor `name` is multiplied by `name.scale`, which does not appear
 * by itself.
 * @throws CheckpointError if an I8 tensor has no scale, or one that is not F32 `[rows]`.
 */
export function dequantize(checkpoint: ReadonlyMap<string, StoredTensor>): Map<string, Float32Tensor> {
  const result = new Map<string, Float32Tensor>();
  for (const [name, tensor] of checkpoint) {
    const owner = checkpoint.get(name.replace(/\.scale$/, ''));
    if (owner !== tensor && owner?.dtype === 'I8') continue;
    const data = tensor.dtype === 'I8' ? dequantizeRows(name, tensor, checkpoint) : toFloat32(tensor);
    result.set(name, { dtype: 'float32', shape: tensor.shape, data });
  }
  return result;
}

function dequantizeRows(
  name: string,
  tensor: StoredTensor,
  checkpoint: ReadonlyMap<string, StoredTensor>,
): Float32Array {
  const scale = checkpoint.get(`${name}.scale`);
  const [rows] = tensor.shape;
  if (rows === undefined || scale?.dtype !== 'F32' || scale.shape.length !== 1 || scale.shape[0] !== rows) {
    const found = scale === undefined ? 'there is none' : `it is ${scale.dtype} [${scale.shape}]`;
    throw new CheckpointError(
      `The 8-bit tensor ${JSON.stringify(name)} of shape [${tensor.shape}] needs "${name}.scale" as F32 [rows], but ${found}; ` +
        'store both as quantizeRows returns them.',
    );
  }
  const scales = toFloat32(scale);
  const data = toFloat32(tensor);
  const width = rows === 0 ? 0 : data.length / rows;
  for (let i = 0; i < data.length; i++) data[i] = data[i]! * scales[Math.floor(i / width)]!;
  return data;
}

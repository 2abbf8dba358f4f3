import { CheckpointError } from '../errors/checkpoint-error.js';
import { listText } from '../errors/quote.js';
import { type Checkpoint, elementCount, type StoredTensor, stored, toFloat32, toInt32 } from './stored-tensor.js';

/**
 * 8-bit storage. A row is everything under one index of the first axis: one output of a PyTorch linear layer, one output
 * channel of a convolution, one token of an embedding. Each row has a scale of its own,
 *
 *     value ≈ scale[row] · stored,   stored ∈ {−127, …, 127},   scale[row] = max |row without outliers| / 127
 *
 * so zero stays zero and no element is off by more than half a scale. Transformers have single weights that are a hundred times
 * larger than their neighbours (Kovaleva et al. 2021, "BERT Busters"), and one of them would spoil its whole row: elements past
 * 3.25 times the root mean square of their row are outliers, stored as they are, as in SqueezeLLM (Kim et al. 2023).
 *
 * In the file a tensor `name` of shape `[rows, …]` becomes `name` (I8, `[rows, …]`), `name.scale` (F32, `[rows]`) and, if there
 * are outliers, `name.outliers` (F32, `[count]`) and `name.outlier_positions` (I32, `[count]`, counted in row-major order).
 */

/** A tensor in memory. */
export interface Float32Tensor {
  readonly dtype: 'float32';
  readonly shape: readonly number[];
  /** Row-major, `product(shape)` elements. */
  readonly data: Float32Array;
}

export interface QuantizedRows {
  /** I8, with the shape of the source; 0 where an outlier stands. */
  readonly values: StoredTensor;
  /** F32, `[rows]`. */
  readonly scale: StoredTensor;
  /** F32, `[count]`; `count` may be 0. */
  readonly outliers: StoredTensor;
  /** I32, `[count]`: where the outliers stand in `values`, in row-major order. */
  readonly outlierPositions: StoredTensor;
}

const LARGEST = 127;

/** Outliers are past this many root mean squares of their row: 0.12 % of normally distributed weights. */
const OUTLIER_THRESHOLD = 3.25;

const SCALE = '.scale';
const OUTLIERS = '.outliers';
const OUTLIER_POSITIONS = '.outlier_positions';

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
  const positions: number[] = [];
  const width = rows === 0 ? 0 : data.length / rows;
  for (let row = 0; row < rows; row++) {
    const start = row * width;
    const end = start + width;
    let sumOfSquares = 0;
    for (let i = start; i < end; i++) sumOfSquares += data[i]! ** 2;
    if (!Number.isFinite(sumOfSquares)) {
      throw new CheckpointError(
        `Row ${row} holds NaN or infinity, which 8 bits cannot; store the tensor as F32, or mend the training run that made it.`,
      );
    }
    const threshold = OUTLIER_THRESHOLD * Math.sqrt(sumOfSquares / width);
    let peak = 0;
    for (let i = start; i < end; i++) {
      const magnitude = Math.abs(data[i]!);
      if (magnitude > threshold) positions.push(i);
      else peak = Math.max(peak, magnitude);
    }
    scales[row] = peak / LARGEST;
    const scale = scales[row]!;
    // A row of zeros, or of values so small that their scale is no float32.
    if (scale === 0) continue;
    for (let i = start; i < end; i++) {
      if (Math.abs(data[i]!) > threshold) continue;
      // A scale this close to float32's smallest may have been rounded down, so that the peak would come out past 127.
      values[i] = Math.max(-LARGEST, Math.min(LARGEST, Math.round(data[i]! / scale)));
    }
  }
  const count = positions.length;
  return {
    values: stored('I8', shape, values),
    scale: stored('F32', [rows], scales),
    outliers: stored(
      'F32',
      [count],
      Float32Array.from(positions, (position) => data[position]!),
    ),
    outlierPositions: stored('I32', [count], Int32Array.from(positions)),
  };
}

/**
 * Stores every floating-point tensor of two or more axes in 8 bits; the rest (biases, norms, integers) stays as it is.
 * @throws CheckpointError if a name that is needed, such as `….scale`, is taken, or a value is not finite.
 */
export function quantize(checkpoint: ReadonlyMap<string, StoredTensor>): Checkpoint {
  const result: Checkpoint = new Map();
  for (const [name, tensor] of checkpoint) {
    if (tensor.shape.length < 2 || !/^B?F\d/.test(tensor.dtype)) {
      result.set(name, tensor);
      continue;
    }
    const taken = [SCALE, OUTLIERS, OUTLIER_POSITIONS].find((suffix) => checkpoint.has(name + suffix));
    if (taken !== undefined) {
      throw new CheckpointError(
        `To store ${JSON.stringify(name)} in 8 bits takes the name "${name}${taken}", which is taken; rename one.`,
      );
    }
    const { values, scale, outliers, outlierPositions } = quantizeRows(toFloat32(tensor), tensor.shape);
    result.set(name, values).set(name + SCALE, scale);
    if (outliers.shape[0] !== 0) result.set(name + OUTLIERS, outliers).set(name + OUTLIER_POSITIONS, outlierPositions);
  }
  return result;
}

/**
 * Every tensor as float32, whatever it was stored as. The tensors that belong to an 8-bit one (`name.scale` and so on) are used
 * and do not appear by themselves.
 * @throws CheckpointError if an I8 tensor has no scale, or if what belongs to it is of another type or shape than it must be.
 */
export function dequantize(checkpoint: ReadonlyMap<string, StoredTensor>): Map<string, Float32Tensor> {
  const result = new Map<string, Float32Tensor>();
  for (const [name, tensor] of checkpoint) {
    const owner = name.replace(/\.(scale|outliers|outlier_positions)$/, '');
    if (owner !== name && checkpoint.get(owner)?.dtype === 'I8') continue;
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
  const part = (suffix: string, dtype: 'F32' | 'I32', count?: number): StoredTensor => {
    const found = checkpoint.get(name + suffix);
    if (found?.dtype === dtype && found.shape.length === 1 && found.shape[0] === (count ?? found.shape[0]))
      return found;
    throw new CheckpointError(
      `The 8-bit tensor ${JSON.stringify(name)} of shape ${listText(tensor.shape)} needs "${name}${suffix}" as ${dtype} ` +
        `[${count ?? 'count'}], but ${found ? `it is ${found.dtype} ${listText(found.shape)}` : 'there is none'}; ` +
        'store them as quantizeRows returns them.',
    );
  };
  const [rows = 1] = tensor.shape;
  const scales = toFloat32(part(SCALE, 'F32', rows));
  const data = toFloat32(tensor);
  const width = rows === 0 ? 0 : data.length / rows;
  for (let row = 0; row < rows; row++) {
    for (let i = row * width; i < (row + 1) * width; i++) data[i] = data[i]! * scales[row]!;
  }
  if (checkpoint.has(name + OUTLIERS) || checkpoint.has(name + OUTLIER_POSITIONS)) {
    const outliers = toFloat32(part(OUTLIERS, 'F32'));
    const positions = toInt32(part(OUTLIER_POSITIONS, 'I32', outliers.length));
    positions.forEach((position, i) => {
      if (position < 0 || position >= data.length) {
        throw new CheckpointError(
          `The 8-bit tensor ${JSON.stringify(name)} has ${data.length} elements, but an outlier at position ${position}; the file is corrupt.`,
        );
      }
      data[position] = outliers[i]!;
    });
  }
  return data;
}

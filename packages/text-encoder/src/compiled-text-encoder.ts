import type { Executable, ParameterValue, Tensor, TensorData } from '@dalle-mini/graph';
import {
  dequantize,
  type Float32Tensor,
  fromFloat32,
  type StoredTensor,
  toFloat32,
  transposeInPlace,
} from '@dalle-mini/weights';
import type { EncodeOptions, TextEncoder, TextEncoding } from './text-encoder.js';
import type { CaptionTokenizer } from './tokenizer.js';

/** A tokenizer, and a model compiled for batches of one size: `ids` and `attentionMask` to `hiddenStates`. */
export class CompiledTextEncoder implements TextEncoder {
  protected constructor(
    readonly hiddenSize: number,
    readonly maxLength: number,
    private readonly batchSize: number,
    private readonly tokenizer: CaptionTokenizer,
    private readonly executable: Executable,
  ) {}

  async encode(captions: readonly string[], options: EncodeOptions = {}): Promise<TextEncoding> {
    const { hiddenSize, maxLength, batchSize } = this;
    const batch = captions.length;
    const { ids, attentionMask } = this.tokenizer.encode(captions, maxLength);
    const hiddenStates = new Float32Array(batch * maxLength * hiddenSize);
    for (let start = 0; start < batch; start += batchSize) {
      options.signal?.throwIfAborted();
      const end = Math.min(start + batchSize, batch);
      const outputs = await this.executable.run({
        ids: this.rows(ids, start, end),
        attentionMask: this.rows(attentionMask, start, end),
      });
      const computed = outputs.hiddenStates!.data.subarray(0, (end - start) * maxLength * hiddenSize);
      hiddenStates.set(computed, start * maxLength * hiddenSize);
    }
    options.signal?.throwIfAborted();
    return { hiddenStates, attentionMask, batch, length: maxLength, hiddenSize };
  }

  async dispose(): Promise<void> {
    await this.executable.dispose();
  }

  /** Captions `start` to `end` as one full batch; the rows that are left over are all padding. */
  private rows(values: Int32Array, start: number, end: number): TensorData {
    const { batchSize, maxLength } = this;
    const data = new Int32Array(batchSize * maxLength);
    data.set(values.subarray(start * maxLength, end * maxLength));
    return { dtype: 'int32', shape: [batchSize, maxLength], data };
  }
}

/** @throws RangeError if `maxLength` is past the model's positions, or `batchSize` is not a whole number of 1 or more. */
export function checkBatches(maxLength: number, batchSize: number, positions: number): void {
  if (!Number.isInteger(maxLength) || maxLength < 1 || maxLength > positions)
    throw new RangeError(`maxLength is ${maxLength}; this model has positions for 1 to ${positions} tokens.`);
  if (!Number.isInteger(batchSize) || batchSize < 1)
    throw new RangeError(`batchSize is ${batchSize}; it must be a whole number of 1 or more.`);
}

/**
 * The values of the parameters that a model declared, found by name among a checkpoint's tensors or values that are ready.
 * @param namesOf The names that a checkpoint may have for a parameter. One that ends in `/kernel` is Flax's, of a matrix `[in, out]`.
 * @throws Error that names the first that is missing or has another shape.
 */
export function pickParameters<Value extends ParameterValue>(
  declared: ReadonlyMap<string, Tensor>,
  weights: ReadonlyMap<string, StoredTensor | Value>,
  namesOf = (name: string): readonly string[] => [name],
): Map<string, Value | TensorData> {
  const parameters = new Map<string, Value | TensorData>();
  for (const [name, { shape }] of declared) {
    const stored = namesOf(name).find((candidate) => weights.has(candidate));
    if (stored === undefined) {
      throw new Error(`The weights have no tensor ${name}; give the weights that belong to this config.json.`);
    }
    const isKernel = stored.endsWith('/kernel');
    const expected = isKernel ? [...shape].reverse() : shape;
    const value = weights.get(stored)!;
    if (value.shape.join() !== expected.join()) {
      throw new Error(
        `The weights' tensor ${stored} has shape [${value.shape}], but config.json asks for [${expected}]; the two files do not belong together.`,
      );
    }
    if ('bytes' in value) {
      const tensor = readTensor(weights as ReadonlyMap<string, StoredTensor>, stored);
      parameters.set(name, isKernel ? transposed(tensor) : tensor);
    } else {
      parameters.set(name, value);
    }
  }
  return parameters;
}

/** One tensor alone: a checkpoint may hold much that is not needed, such as BART's decoder. */
function readTensor(weights: ReadonlyMap<string, StoredTensor>, name: string): Float32Tensor {
  const parts = [name, `${name}.scale`, `${name}.outliers`, `${name}.outlier_positions`];
  const found = parts.flatMap((part) => (weights.has(part) ? [[part, weights.get(part)!] as const] : []));
  return dequantize(new Map(found)).get(name)!;
}

/** A matrix `[rows, columns]` as `[columns, rows]`, in memory of its own. */
function transposed({ shape, data }: Float32Tensor): Float32Tensor {
  const result = transposeInPlace(fromFloat32(data.slice(), shape), [1, 0]);
  return { dtype: 'float32', shape: result.shape, data: toFloat32(result) };
}

import {
  abortSignal,
  OptionError,
  object,
  oneOf,
  optional,
  readOptions,
  type TextEncodeOptions,
  type TextEncoder,
  type TextEncoding,
} from '@dalle-mini/core';
import {
  dequantize,
  type Executable,
  type Float32Tensor,
  type StoredParameter,
  type Tensor,
  type TensorData,
} from '@dalle-mini/graph';
import { fromFloat32, type StoredTensor, toFloat32, transposeInPlace } from '@dalle-mini/weights';
import type { CaptionTokenizer } from './tokenizer.js';

const encodeOptions = object<TextEncodeOptions>({
  signal: optional(abortSignal()),
  padding: optional(oneOf(['max_length', 'longest'])),
});

/** A tokenizer, and a model compiled for batches of one size: `ids` and `attentionMask` to `hiddenStates`. */
export class CompiledTextEncoder implements TextEncoder {
  protected constructor(
    readonly width: number,
    readonly maxLength: number,
    private readonly batchSize: number,
    /** Whether the model takes captions that are shorter than `maxLength` too. */
    private readonly lengthVaries: boolean,
    private readonly tokenizer: CaptionTokenizer,
    private readonly executable: Executable,
  ) {}

  async encode(captions: readonly string[], options: TextEncodeOptions = {}): Promise<TextEncoding> {
    const { width, maxLength, batchSize } = this;
    const { signal, padding = 'max_length' } = readOptions(encodeOptions, options, 'encode');
    const batch = captions.length;
    const tokens = this.tokenizer.encode(captions, maxLength);
    const length = padding === 'longest' && this.lengthVaries ? longest(tokens.attentionMask, maxLength) : maxLength;
    const ids = cut(tokens.ids, maxLength, length);
    const attentionMask = cut(tokens.attentionMask, maxLength, length);
    const hiddenStates = new Float32Array(batch * length * width);
    for (let start = 0; start < batch; start += batchSize) {
      signal?.throwIfAborted();
      const end = Math.min(start + batchSize, batch);
      const outputs = await this.executable.run({
        ids: this.rows(ids, length, start, end),
        attentionMask: this.rows(attentionMask, length, start, end),
      });
      const computed = outputs.hiddenStates!.data.subarray(0, (end - start) * length * width);
      hiddenStates.set(computed, start * length * width);
    }
    signal?.throwIfAborted();
    return { hiddenStates, attentionMask, batch, length, width };
  }

  async dispose(): Promise<void> {
    await this.executable.dispose();
  }

  /** Captions `start` to `end` as one full batch; the rows that are left over are all padding. */
  private rows(values: Int32Array, length: number, start: number, end: number): TensorData {
    const { batchSize } = this;
    const data = new Int32Array(batchSize * length);
    data.set(values.subarray(start * length, end * length));
    return { dtype: 'int32', shape: [batchSize, length], data };
  }
}

/** How many tokens the longest of some captions has, 1 at least, by their attention mask `[batch, maxLength]`. */
function longest(attentionMask: Int32Array, maxLength: number): number {
  let column = 0;
  for (const [place, isToken] of attentionMask.entries()) if (isToken) column = Math.max(column, place % maxLength);
  return column + 1;
}

/** The first columns of a matrix of rows of `from`. */
function cut(values: Int32Array, from: number, to: number): Int32Array {
  if (to === from) return values;
  return Int32Array.from(
    { length: (values.length / from) * to },
    (_, i) => values[Math.floor(i / to) * from + (i % to)]!,
  );
}

/** @throws OptionError if `maxLength` is more than the positions of the model, or `batchSize` is not a whole number of at least 1. */
export function checkBatches(maxLength: number, batchSize: number, positions: number): void {
  if (!Number.isInteger(maxLength) || maxLength < 1 || maxLength > positions)
    throw new OptionError('maxLength', `a whole number from 1 to ${positions}, the positions of this model`, maxLength);
  if (!Number.isInteger(batchSize) || batchSize < 1)
    throw new OptionError('batchSize', 'a whole number of at least 1', batchSize);
}

/**
 * The values of the parameters that a model declared, found by name among a checkpoint's tensors or values that are ready.
 * @param namesOf The names that a checkpoint may have for a parameter. One that ends in `/kernel` is Flax's, of a matrix `[in, out]`.
 * @throws Error that names the first that is missing or has another shape.
 */
export function pickParameters<Value extends StoredParameter>(
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

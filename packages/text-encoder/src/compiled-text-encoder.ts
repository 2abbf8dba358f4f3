import type { Executable, Tensor, TensorData } from '@dalle-mini/graph';
import { dequantize, type StoredTensor } from '@dalle-mini/weights';
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
 * The values of the parameters that a model declared, found by name among a checkpoint's tensors.
 * @throws Error that names the first that is missing or has another shape.
 */
export function pickParameters(
  declared: ReadonlyMap<string, Tensor>,
  weights: ReadonlyMap<string, StoredTensor>,
  currentName = (name: string): string => name,
): Map<string, TensorData> {
  const stored = new Map([...dequantize(weights)].map(([name, tensor]) => [currentName(name), tensor]));
  const parameters = new Map<string, TensorData>();
  for (const [name, { shape }] of declared) {
    const tensor = stored.get(name);
    if (tensor === undefined) {
      throw new Error(
        `The weights have no tensor ${name}; give the model.safetensors that belongs to this config.json.`,
      );
    }
    if (tensor.shape.join() !== shape.join()) {
      throw new Error(
        `The weights' tensor ${name} has shape [${tensor.shape}], but config.json asks for [${shape}]; the two files do not belong together.`,
      );
    }
    parameters.set(name, tensor);
  }
  return parameters;
}

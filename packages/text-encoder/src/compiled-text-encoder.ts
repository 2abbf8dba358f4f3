import {
  abortSignal,
  boolean,
  type Complete,
  integer,
  object,
  oneOf,
  optional,
  quote,
  readOptions,
  type TextEncodeOptions,
  type TextEncoder,
  type TextEncoding,
  type TextWarning,
} from '@dalle-mini/core';
import {
  type Executable,
  type Runtime,
  type RuntimeOwnership,
  runtimeOwnershipFields,
  type TensorData,
} from '@dalle-mini/graph';
import type { TextTokenizer, Unread } from './tokenizers/text-tokenizer.js';

export interface CompiledTextEncoderOptions extends RuntimeOwnership {
  /** Length in tokens to which captions are truncated or padded. Default: the positions of the model. */
  readonly maxLength?: number | undefined;
  /** Number of captions computed at once. Default 4. */
  readonly batchSize?: number | undefined;
  /**
   * Reads emoji that the vocabulary lacks by their names, "🍎" as "red apple". Default false, as in the published
   * tokenizer, which reads every such emoji as the same unknown token.
   */
  readonly emojiNames?: boolean | undefined;
}

/**
 * Reads the options of a text encoder.
 *
 * @param positions The longest caption of the model in tokens.
 * @throws OptionError if an option is unknown or out of its range.
 */
export function readMakeOptions(options: CompiledTextEncoderOptions, positions: number, call: string) {
  const fields = object<Complete<CompiledTextEncoderOptions>>({
    ...runtimeOwnershipFields,
    maxLength: optional(integer({ min: 1, max: positions }), positions),
    batchSize: optional(integer({ min: 1 }), 4),
    emojiNames: optional(boolean(), false),
  });
  return readOptions(fields, options, call);
}

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
    /** Whether the model also reads captions shorter than `maxLength`. */
    private readonly lengthVaries: boolean,
    private readonly tokenizer: TextTokenizer,
    private readonly executable: Executable,
    private readonly ownRuntime: Runtime | undefined,
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
    return { hiddenStates, attentionMask, batch, length, width, warnings: warningsOf(tokens.unread, maxLength) };
  }

  /** Frees the model, and its runtime if it owns it. */
  async dispose(): Promise<void> {
    await this.executable.dispose();
    await this.ownRuntime?.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  /** Encodes captions `start` to `end` as one full batch, whose remaining rows are padding. */
  private rows(values: Int32Array, length: number, start: number, end: number): TensorData {
    const { batchSize } = this;
    const data = new Int32Array(batchSize * length);
    data.set(values.subarray(start * length, end * length));
    return { dtype: 'int32', shape: [batchSize, length], data };
  }
}

/** Returns warnings about truncated captions and unknown words, or `undefined` if there are none. */
function warningsOf(unread: readonly Unread[] = [], maxLength: number): TextWarning[][] | undefined {
  const warnings = unread.map(({ isTruncated, unknownWords }) => {
    const ofCaption: TextWarning[] = [];
    if (isTruncated)
      ofCaption.push({
        kind: 'truncated',
        message: `The text is longer than the ${maxLength} tokens that the model reads. The rest is ignored.`,
      });
    if (unknownWords.length > 0)
      ofCaption.push({
        kind: 'unknown-words',
        message: `The model does not know ${unknownWords.map(quote).join(', ')}. Use other words.`,
      });
    return ofCaption;
  });
  return warnings.some(({ length }) => length > 0) ? warnings : undefined;
}

/** Returns the length in tokens of the longest caption, at least 1, from the attention mask `[batch, maxLength]`. */
function longest(attentionMask: Int32Array, maxLength: number): number {
  let column = 0;
  for (const [place, isToken] of attentionMask.entries()) if (isToken) column = Math.max(column, place % maxLength);
  return column + 1;
}

/** Returns the first columns of a matrix with rows of length `from`. */
function cut(values: Int32Array, from: number, to: number): Int32Array {
  if (to === from) return values;
  return Int32Array.from(
    { length: (values.length / from) * to },
    (_, i) => values[Math.floor(i / to) * from + (i % to)]!,
  );
}

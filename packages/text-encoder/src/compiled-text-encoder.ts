import {
  abortSignal,
  boolean,
  type Complete,
  implementation,
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
import type { Executable, Runtime, TensorData } from '@dalle-mini/graph';
import type { TextTokenizer, Unread } from './tokenizers/text-tokenizer.js';

export interface CompiledTextEncoderOptions {
  /** What computes. Several models may share it. */
  readonly runtime: Runtime;
  /** Whether `dispose` disposes of the runtime too. Default false. */
  readonly ownsRuntime?: boolean | undefined;
  /** Number of tokens that captions are truncated or padded to. Default: the positions of the model. */
  readonly maxLength?: number | undefined;
  /** Number of captions computed at once. Default 4. */
  readonly batchSize?: number | undefined;
  /**
   * Whether emoji that the vocabulary lacks are read by their names, "🍎" as "red apple". Default false: the token ids are those of the
   * published tokenizer, which reads every such emoji as the same unknown token.
   */
  readonly emojiNames?: boolean | undefined;
}

/**
 * Reads the options of making a text encoder.
 *
 * @param positions The longest caption that the model reads, in tokens.
 * @throws OptionError if an option is unknown or out of its range.
 */
export function readMakeOptions(options: CompiledTextEncoderOptions, positions: number, call: string) {
  const fields = object<Complete<CompiledTextEncoderOptions>>({
    runtime: implementation('a runtime', ['compile']),
    ownsRuntime: optional(boolean(), false),
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
    /** Whether the model takes captions that are shorter than `maxLength` too. */
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

  /** Captions `start` to `end` as one full batch; the rows that are left over are all padding. */
  private rows(values: Int32Array, length: number, start: number, end: number): TensorData {
    const { batchSize } = this;
    const data = new Int32Array(batchSize * length);
    data.set(values.subarray(start * length, end * length));
    return { dtype: 'int32', shape: [batchSize, length], data };
  }
}

/** Puts what the tokenizer lost of each caption into words; `undefined` if it lost nothing. */
function warningsOf(unread: readonly Unread[] = [], maxLength: number): TextWarning[][] | undefined {
  const warnings = unread.map(({ isTruncated, unknownWords }) => {
    const ofCaption: TextWarning[] = [];
    if (isTruncated)
      ofCaption.push({
        kind: 'truncated',
        message: `The text is longer than the ${maxLength} tokens that the model reads. What is beyond them is ignored.`,
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

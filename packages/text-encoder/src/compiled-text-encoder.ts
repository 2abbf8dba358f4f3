import {
  abortSignal,
  boolean,
  type Complete,
  ConfigError,
  DisposedError,
  implementation,
  integer,
  nextTurn,
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
  type Graph,
  type RuntimeOwnership,
  runtimeOwnershipFields,
  type TensorData,
} from '@dalle-mini/graph';
import type { StoredParameter } from '@dalle-mini/graph/stored';
import { fingerprintOf } from './fingerprint.js';
import { emojiNamingTokenizer } from './tokenizers/emoji-naming-tokenizer.js';
import type { TextTokenizer, Unread } from './tokenizers/text-tokenizer.js';

export interface CompiledTextEncoderOptions extends RuntimeOwnership {
  /** The tokenizer with which the model was trained, including its normalization of text. */
  readonly tokenizer: TextTokenizer;
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

const encodeOptions = object<TextEncodeOptions>({
  signal: optional(abortSignal()),
  padding: optional(oneOf(['max_length', 'longest'])),
});

/** What the text encoders differ in. */
export interface TextEncoderModel {
  readonly width: number;
  /** Width of `pooled`, of models that compute it. */
  readonly pooledWidth?: number | undefined;
  /** The longest caption in tokens. */
  readonly positions: number;
  readonly vocabularySize: number;
  /** Whether the model also reads captions shorter than `maxLength`. */
  readonly lengthVaries: boolean;
  /** What the graph follows from. */
  readonly config: object;
  /** Builds the graph for a batch of captions of a length: `ids` and `attentionMask` to `hiddenStates`, and `pooled` of some models. */
  graph(batch: number, length: number): Graph;
}

/** A tokenizer, and a model for batches of one size. The model is compiled on first use. */
export abstract class CompiledTextEncoder implements TextEncoder {
  readonly width: number;
  readonly maxLength: number;
  private readonly options: Complete<CompiledTextEncoderOptions>;
  private readonly tokenizer: TextTokenizer;
  private executable: Promise<Executable> | undefined;
  private computedFingerprint: Promise<string> | undefined;
  private disposed = false;

  protected constructor(
    private readonly model: TextEncoderModel,
    private readonly parameters: ReadonlyMap<string, StoredParameter>,
    options: CompiledTextEncoderOptions,
    call: string,
  ) {
    const { positions } = model;
    const fields = object<Complete<CompiledTextEncoderOptions>>({
      ...runtimeOwnershipFields,
      tokenizer: implementation('a tokenizer', ['encode']),
      maxLength: optional(integer({ min: 1, max: positions }), positions),
      batchSize: optional(integer({ min: 1 }), 4),
      emojiNames: optional(boolean(), false),
    });
    this.options = readOptions(fields, options, call);
    const { tokenizer, maxLength, emojiNames } = this.options;
    this.width = model.width;
    this.maxLength = maxLength;
    this.tokenizer = emojiNames ? emojiNamingTokenizer(tokenizer) : tokenizer;
  }

  async encode(captions: readonly string[], options: TextEncodeOptions = {}): Promise<TextEncoding> {
    const { width, maxLength } = this;
    const { batchSize } = this.options;
    const { signal, padding = 'max_length' } = readOptions(encodeOptions, options, 'encode');
    const batch = captions.length;
    const tokens = this.tokenizer.encode(captions, maxLength);
    this.checkIds(tokens.ids);
    const length =
      padding === 'longest' && this.model.lengthVaries ? longest(tokens.attentionMask, maxLength) : maxLength;
    const ids = cut(tokens.ids, maxLength, length);
    const attentionMask = cut(tokens.attentionMask, maxLength, length);
    const { pooledWidth } = this.model;
    const hiddenStates = new Float32Array(batch * length * width);
    const pooled = pooledWidth === undefined ? undefined : new Float32Array(batch * pooledWidth);
    const executable = await this.compiled();
    for (let start = 0; start < batch; start += batchSize) {
      signal?.throwIfAborted();
      const end = Math.min(start + batchSize, batch);
      const outputs = await executable.run({
        ids: this.rows(ids, length, start, end),
        attentionMask: this.rows(attentionMask, length, start, end),
      });
      const computed = outputs.hiddenStates!.data.subarray(0, (end - start) * length * width);
      hiddenStates.set(computed, start * length * width);
      pooled?.set(outputs.pooled!.data.subarray(0, (end - start) * pooledWidth!), start * pooledWidth!);
    }
    signal?.throwIfAborted();
    const warnings = warningsOf(tokens.unread, maxLength);
    return { hiddenStates, attentionMask, batch, length, width, ...(pooled && { pooled }), warnings };
  }

  /**
   * Compiles the model now and not on first use.
   *
   * @throws RuntimeUnavailableError if the runtime cannot be loaded; GraphError if a parameter is missing or has another
   *   shape; DisposedError after `dispose`.
   */
  async compile(): Promise<void> {
    await this.compiled();
  }

  fingerprint(): Promise<string> {
    const { model, parameters, tokenizer } = this;
    this.computedFingerprint ??= fingerprintOf(model.config, parameters, tokenizer);
    return this.computedFingerprint;
  }

  /** Frees the model, and its runtime if it owns it. */
  async dispose(): Promise<void> {
    this.disposed = true;
    const [executable] = await Promise.allSettled([this.executable]);
    this.executable = undefined;
    if (executable.status === 'fulfilled') await executable.value?.dispose();
    if (this.options.ownsRuntime) await this.options.runtime.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  private checkIds(ids: Int32Array): void {
    const { vocabularySize } = this.model;
    const unknown = ids.find((id) => id < 0 || id >= vocabularySize);
    if (unknown !== undefined)
      throw new ConfigError(
        'text encoder config',
        'vocabularySize',
        `must be more than ${unknown}, an id of the tokenizer, not ${vocabularySize}. Use the tokenizer of the model.`,
      );
  }

  private compiled(): Promise<Executable> {
    if (this.disposed) throw new DisposedError('This text encoder was disposed of. Create another one to encode.');
    if (!this.executable) {
      this.executable = this.compileGraph();
      this.executable.catch(() => {
        this.executable = undefined;
      });
    }
    return this.executable;
  }

  private async compileGraph(): Promise<Executable> {
    const { batchSize, maxLength, runtime } = this.options;
    // Tokenizing and building a graph take milliseconds each: let the event loop run in between.
    await nextTurn();
    const graph = this.model.graph(batchSize, maxLength);
    return runtime.compile(graph, { parameters: this.parameters });
  }

  /** Encodes captions `start` to `end` as one full batch, whose remaining rows are padding. */
  private rows(values: Int32Array, length: number, start: number, end: number): TensorData {
    const { batchSize } = this.options;
    const data = new Int32Array(batchSize * length);
    data.set(values.subarray(start * length, end * length));
    return { dtype: 'int32', shape: [batchSize, length], data };
  }
}

/** Returns warnings about truncated captions and unknown words, or `undefined` if there are none. */
export function warningsOf(unread: readonly Unread[] = [], maxLength: number): TextWarning[][] | undefined {
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

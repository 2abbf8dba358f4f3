import {
  abortSignal,
  boolean,
  integer,
  object,
  oneOf,
  optional,
  readOptions,
  type TextEncodeOptions,
  type TextEncoder,
  type TextEncoding,
} from '@dalle-mini/core';
import { warningsOf } from '../compiled-text-encoder.js';
import { emojiNamingTokenizer } from '../tokenizers/emoji-naming-tokenizer.js';
import type { TextTokenizer } from '../tokenizers/text-tokenizer.js';

export interface TokenTextEncoderOptions {
  /** Length in tokens to which captions are truncated and padded. */
  readonly maxLength: number;
  /** Reads emoji that the vocabulary lacks by their names, "🍎" as "red apple". Default false. */
  readonly emojiNames?: boolean | undefined;
}

const optionsField = object<TokenTextEncoderOptions>({
  maxLength: integer({ min: 1 }),
  emojiNames: optional(boolean()),
});

const encodeOptions = object<TextEncodeOptions>({
  signal: optional(abortSignal()),
  padding: optional(oneOf(['max_length', 'longest'])),
});

/** Tokenizes captions for decoders that have embeddings of words: `TextEncoding.tokens`. There are no hidden states. */
export class TokenTextEncoder implements TextEncoder {
  readonly width = 0;
  readonly maxLength: number;
  private readonly tokenizer: TextTokenizer;

  /** @throws OptionError if an option is wrong. */
  constructor(tokenizer: TextTokenizer, options: TokenTextEncoderOptions) {
    const { maxLength, emojiNames = false } = readOptions(optionsField, options, 'new TokenTextEncoder');
    this.maxLength = maxLength;
    this.tokenizer = emojiNames ? emojiNamingTokenizer(tokenizer) : tokenizer;
  }

  /** Tokenizes captions. They are always padded to `maxLength`, because such decoders may read the padding. */
  async encode(captions: readonly string[], options: TextEncodeOptions = {}): Promise<TextEncoding> {
    readOptions(encodeOptions, options, 'encode').signal?.throwIfAborted();
    const { maxLength } = this;
    const { ids, attentionMask, unread } = this.tokenizer.encode(captions, maxLength);
    return {
      tokens: ids,
      attentionMask,
      hiddenStates: new Float32Array(),
      batch: captions.length,
      length: maxLength,
      width: 0,
      warnings: warningsOf(unread, maxLength),
    };
  }

  /** Does nothing: there is no model to free. */
  async dispose(): Promise<void> {}
}

import { ConfigError, describeValue, OptionError } from '@dalle-mini/core';
import { loadTextTokenizer } from '@dalle-mini/text-encoder/tokenizers';

/** Converts captions to the token ids that CLIP was trained on. */
export interface ClipTokenizer {
  /** The id of `<|endoftext|>`, the largest of the vocabulary. */
  readonly endToken: number;
  /**
   * Tokenizes captions of any length and content: int32 `[captions, maxLength]`, row-major. Each row is `<|startoftext|>`, the
   * caption's first tokens, and `<|endoftext|>` up to the end of the row: that is CLIP's padding too.
   * @param maxLength Tokens for each caption, 2 at least.
   * @throws OptionError if `maxLength` is smaller than that, or not a whole number.
   */
  encode(captions: readonly string[], maxLength: number): Int32Array;
}

const startText = '<|startoftext|>';
const endText = '<|endoftext|>';

/**
 * Loads CLIP's tokenizer, byte-level byte-pair encoding of lower-case words, from the parsed `tokenizer.json` of a Hugging Face
 * model, or what `clipTokenizerJson` of `@dalle-mini/text-encoder/clip` makes. The ids are those of Hugging Face's CLIPTokenizer.
 *
 * @throws ConfigError if the file is damaged, or not a tokenizer of CLIP.
 */
export async function loadClipTokenizer(tokenizerJson: object): Promise<ClipTokenizer> {
  const file = tokenizerJson as TokenizerFile;
  const { type, vocab } = file.model ?? {};
  if ((type !== undefined && type !== 'BPE') || typeof vocab !== 'object' || vocab === null) {
    throw new ConfigError(
      'tokenizer.json',
      'model',
      `must be a BPE with a vocabulary, as CLIP's is, not of type ${describeValue(type)}. Use CLIP's tokenizer.`,
    );
  }
  const [startToken, endToken] = [startText, endText].map((token) => {
    const id = Object.hasOwn(vocab, token) ? vocab[token] : undefined;
    if (id !== undefined) return id;
    throw new ConfigError('tokenizer.json', 'model.vocab', `must have the token ${token}. Use CLIP's tokenizer.`);
  }) as [number, number];
  const tokenizer = await loadTextTokenizer({
    ...file,
    truncation: null,
    padding: { pad_id: endToken, pad_token: endText },
    post_processor: { type: 'BertProcessing', cls: [startText, startToken], sep: [endText, endToken] },
  });
  const added = file.added_tokens?.map(({ id }) => id) ?? [];
  const largest = Object.values(vocab).reduce((a, b) => Math.max(a, b), Math.max(0, ...added));
  if (largest !== endToken) {
    // The model finds a caption's end by its largest id.
    throw new ConfigError(
      'tokenizer.json',
      'model.vocab',
      `must have ${endText} as its largest id, not ${endToken} of ${largest}. Use CLIP's tokenizer.`,
    );
  }
  return {
    endToken,
    encode(captions, maxLength) {
      if (!Number.isInteger(maxLength) || maxLength < 2) {
        throw new OptionError('maxLength', 'a whole number of at least 2', maxLength);
      }
      return tokenizer.encode(captions, maxLength).ids;
    },
  };
}

/** The parts of `tokenizer.json` that are read here. */
interface TokenizerFile {
  readonly added_tokens?: readonly { readonly id: number }[] | undefined;
  readonly model?: { readonly type?: string; readonly vocab?: Readonly<Record<string, number>> } | undefined;
}

import { ConfigError, describeValue, OptionError, quote } from '@dalle-mini/core';
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
 * model, or what {@link clipTokenizerJson} makes. The ids are those of Hugging Face's CLIPTokenizer.
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

/**
 * Makes CLIP's `tokenizer.json` from the parsed `vocab.json` and the text of `merges.txt`, for models that come without one.
 * @throws ConfigError if a line of `merges.txt` is not a pair of tokens.
 */
export function clipTokenizerJson(vocabulary: Readonly<Record<string, number>>, merges: string): object {
  const lines = merges.split(/\r?\n/).filter((line) => line !== '' && !line.startsWith('#version'));
  const wrong = lines.find((line) => line.split(' ').length !== 2);
  if (wrong !== undefined) {
    throw new ConfigError(
      'merges.txt',
      'each line',
      `must be two tokens with a space between them, not ${quote(wrong)}.`,
    );
  }
  return {
    added_tokens: [startText, endText].map((content) => ({ id: vocabulary[content], content, special: true })),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'NFC' },
        { type: 'Replace', pattern: { Regex: '\\s+' }, content: ' ' },
        { type: 'Lowercase' },
      ],
    },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: clipWords }, behavior: 'Removed', invert: true },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
      ],
    },
    post_processor: null,
    decoder: { type: 'ByteLevel' },
    model: {
      type: 'BPE',
      unk_token: endText,
      continuing_subword_prefix: '',
      end_of_word_suffix: '</w>',
      vocab: vocabulary,
      merges: lines,
    },
  };
}

/** The parts of `tokenizer.json` that are read here. */
interface TokenizerFile {
  readonly added_tokens?: readonly { readonly id: number }[] | undefined;
  readonly model?: { readonly type?: string; readonly vocab?: Readonly<Record<string, number>> } | undefined;
}

/** The words of a caption for CLIP's tokenizer. The names of the special tokens are words too. */
const clipWords =
  "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+";

import { ConfigError, describeValue, OptionError, quote } from '@dalle-mini/core';
import { Tokenizer } from '@huggingface/tokenizers';

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

/** The part of `@huggingface/tokenizers` in use. Its types do not resolve under NodeNext, because they import without extensions. */
interface HuggingFaceTokenizer {
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] };
  token_to_id(token: string): number | undefined;
}

const startText = '<|startoftext|>';
const endText = '<|endoftext|>';

/**
 * Loads CLIP's tokenizer, byte-level byte-pair encoding of lower-case words, from the parsed `tokenizer.json` of a Hugging Face
 * model, or what {@link clipTokenizerJson} makes. The ids are those of Hugging Face's CLIPTokenizer, except for letters that Unicode
 * added after the tables of either were made.
 * @throws ConfigError if the file is not a tokenizer of CLIP.
 */
export function loadClipTokenizer(tokenizerJson: object): ClipTokenizer {
  const file = tokenizerJson as TokenizerFile;
  if (file.model?.type !== 'BPE' || file.model.vocab === undefined) {
    throw new ConfigError(
      'tokenizer.json',
      'model',
      `must be a BPE with a vocabulary, as CLIP's is, not of type ${describeValue(file.model?.type)}.`,
    );
  }
  const tokenizer: HuggingFaceTokenizer = new Tokenizer(
    { ...file, pre_tokenizer: withReferenceSpaces(file.pre_tokenizer) },
    {},
  );
  const [startToken, endToken] = [startText, endText].map((token) => tokenizer.token_to_id(token));
  if (startToken === undefined || endToken === undefined) {
    const missing = startToken === undefined ? startText : endText;
    throw new ConfigError('tokenizer.json', 'model.vocab', `must have the token ${missing}. Use CLIP's tokenizer.`);
  }
  const added = file.added_tokens?.map(({ id }) => id) ?? [];
  const largest = Object.values(file.model.vocab).reduce((a, b) => Math.max(a, b), Math.max(0, ...added));
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
      const ids = new Int32Array(captions.length * maxLength).fill(endToken);
      captions.forEach((caption, row) => {
        // The reference turns letters into lower case one by one, so that a sigma at the end of a word is like any other.
        const text = caption.replaceAll('Σ', 'σ');
        const tokens = tokenizer.encode(text, { add_special_tokens: false }).ids.slice(0, maxLength - 2);
        ids.set([startToken, ...tokens], row * maxLength);
      });
      return ids;
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

/** The parts of `tokenizer.json` that are read here; the rest is read by `@huggingface/tokenizers`. */
interface TokenizerFile {
  readonly added_tokens?: readonly { readonly id: number }[] | undefined;
  readonly pre_tokenizer?: PreTokenizer | null | undefined;
  readonly model?: { readonly type: string; readonly vocab?: Readonly<Record<string, number>> } | undefined;
}

interface PreTokenizer {
  readonly type: string;
  readonly pretokenizers?: readonly PreTokenizer[] | undefined;
  readonly use_regex?: boolean | undefined;
}

/** The words of a caption for CLIP's tokenizer. The names of the special tokens are words too. */
const clipWords =
  "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+";

/** The words of a text for byte-level BPE (Radford et al. 2019). */
const byteLevelWords = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/**
 * Returns the same pre-tokenizer with the byte level's split as a separate step before it. In the byte level, `@huggingface/tokenizers` uses
 * JavaScript's `\s`, which includes U+FEFF but not U+0085. In a separate step it uses the definition of the reference.
 */
function withReferenceSpaces(preTokenizer: PreTokenizer | null | undefined): PreTokenizer | null {
  if (!preTokenizer) return null;
  const { type, pretokenizers, use_regex = true } = preTokenizer;
  if (pretokenizers) {
    return { ...preTokenizer, pretokenizers: pretokenizers.map((part) => withReferenceSpaces(part)!) };
  }
  if (type !== 'ByteLevel' || !use_regex) return preTokenizer;
  const cut = { type: 'Split', pattern: { Regex: byteLevelWords }, behavior: 'Removed', invert: true };
  return { type: 'Sequence', pretokenizers: [cut, { ...preTokenizer, use_regex: false }] };
}

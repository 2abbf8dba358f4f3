import { OptionError } from '@dalle-mini/core';
import { createTokenizer, type HuggingFaceTokenizer } from './create-tokenizer.js';

/** Token ids of a batch of captions, all of one length. */
export interface TokenBatch {
  /** `[batch, maxLength]`, row-major; padded at the end. */
  readonly ids: Int32Array;
  /** `[batch, maxLength]`: 1 for a token, 0 for padding. */
  readonly attentionMask: Int32Array;
  /** What is lost of each caption; absent where the tokenizer does not know. */
  readonly unread?: readonly Unread[] | undefined;
}

/** What a tokenizer loses of a caption. */
export interface Unread {
  /** Whether the caption has more tokens than fit. */
  readonly isTruncated: boolean;
  /** Words in which there is a character that the vocabulary lacks; at most eight. */
  readonly unknownWords: readonly string[];
}

/** Turns captions into the token ids that a pretrained text encoder was trained on. */
export interface TextTokenizer {
  /**
   * Tokenizes captions of any length and content. A caption that is too long loses its last tokens, never the special tokens
   * around it; a lone surrogate counts as U+FFFD.
   * @param maxLength Tokens for each caption, at least as many as the special tokens that surround it (2 for BERT).
   * @throws OptionError if `maxLength` is smaller than that, or not a whole number.
   */
  encode(captions: readonly string[], maxLength: number): TokenBatch;
}

/** The part of `tokenizer.json` that is read here; the rest is read by `@huggingface/tokenizers`. */
interface TokenizerFile {
  readonly added_tokens?: readonly { readonly id: number; readonly content: string }[] | undefined;
  readonly normalizer?: {
    readonly type: string;
    readonly lowercase?: boolean | undefined;
    readonly handle_chinese_chars?: boolean | undefined;
  };
  readonly pre_tokenizer?: { readonly type: string } | undefined;
  readonly padding?: { readonly pad_id: number } | undefined;
}

/**
 * Loads a tokenizer, without blocking the event loop, from the parsed `tokenizer.json` of a Hugging Face model and, where there is one, its `tokenizer_config.json`.
 * For BERT's tokenizer the ids are those of the reference implementation in Rust. (Tried for each code point of Unicode: they
 * differ for 658, rare marks and punctuation that Unicode added or changed after the reference's tables were made.)
 * @throws Error if the files are not a tokenizer, or name no padding token.
 */
export async function loadTextTokenizer(tokenizerJson: object, tokenizerConfig: object = {}): Promise<TextTokenizer> {
  const file = tokenizerJson as TokenizerFile;
  const tokenizer = await createTokenizer(tokenizerJson, tokenizerConfig);
  const padId = findPadId(file, tokenizerConfig);
  const { before, after } = specialTokens(tokenizer);
  const specials = before.length + after.length;
  const normalize = referenceNormalization(file.normalizer);
  const wordsAreSeparate =
    SEPARATE_WORDS.has(file.pre_tokenizer?.type ?? '') && !file.added_tokens?.some(({ content }) => /\s/.test(content));

  const unknownId = tokenizer.model.unk_token_id;
  const firstTokens = (caption: string, count: number): number[] => {
    const text = normalize(caption.replace(LONE_SURROGATE, '\ufffd'));
    // Most captions fit in the first piece. Pieces grow by factors, so that all the work on a text without end stays linear.
    for (let length = 16 * count; ; length *= 4) {
      const piece = wordsAreSeparate ? wholeWords(text, length) : text;
      const { ids } = tokenizer.encode(piece, { add_special_tokens: false });
      if (ids.length >= count || piece.length === text.length) return ids.slice(0, count);
    }
  };

  const unknownWordsOf = (caption: string, count: number): string[] => {
    // Each word has a token at least, unless it is removed.
    const words = new Set(caption.slice(0, longestRead).split(/\s+/, 2 * count));
    return [...words].filter((word) => word !== '' && firstTokens(word, count).includes(unknownId!)).slice(0, 8);
  };

  return {
    encode(captions, maxLength) {
      if (!Number.isInteger(maxLength) || maxLength < specials)
        throw new OptionError('maxLength', `a whole number of at least ${specials}, the special tokens`, maxLength);
      const ids = new Int32Array(captions.length * maxLength).fill(padId);
      const attentionMask = new Int32Array(captions.length * maxLength);
      const count = maxLength - specials;
      const unread = captions.map((caption, index): Unread => {
        // One more than fit, which shows whether the caption is truncated.
        const found = firstTokens(caption, count + 1);
        const own = found.slice(0, count);
        const tokens = [...before, ...own, ...after];
        const start = index * maxLength;
        ids.set(tokens, start);
        attentionMask.fill(1, start, start + tokens.length);
        const hasUnknown = unknownId !== undefined && own.includes(unknownId);
        return { isTruncated: found.length > count, unknownWords: hasUnknown ? unknownWordsOf(caption, count) : [] };
      });
      return { ids, attentionMask, unread };
    },
  };
}

/** Characters among which unknown words are searched. */
const longestRead = 10_000;

const LONE_SURROGATE = /\p{Surrogate}/gu;

/** Pre-tokenizers that split at whitespace, or before it, and never join what stands on its two sides. */
const SEPARATE_WORDS = new Set(['BertPreTokenizer', 'ByteLevel', 'Whitespace', 'WhitespaceSplit']);

/**
 * The text up to the end of the word in which character `length` lies.
 *
 * Its tokens are the first tokens of the whole text. Only a space, tab or line end after something that is no whitespace is a
 * place to cut: the pre-tokenizers above start a new piece there, every piece is tokenized by itself, and the normalizers
 * change characters by what surrounds them only within a word (composition of accents, the Greek final sigma). Other
 * whitespace does not qualify, since BERT's normalizer removes some of it and so joins words. Nor can characters be counted
 * instead: removed characters give no tokens, and a word of a million letters gives one ([UNK]).
 */
function wholeWords(text: string, length: number): string {
  if (text.length <= length) return text;
  const wordEnd = /\S[ \t\n\r]/g;
  wordEnd.lastIndex = length;
  const end = wordEnd.exec(text);
  return end === null ? text : text.slice(0, end.index + 1);
}

/** CJK ideographs past U+FFFF that the reference separates, gap and all. */
const IDEOGRAPH_PAST_FFFF = /[\u{20000}-\u{2a6df}\u{2a700}-\u{2b81f}\u{2b920}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/gu;

/**
 * What the reference's BertNormalizer does and that of `@huggingface/tokenizers` does not: it separates ideographs past U+FFFF,
 * and it turns letters into lower case one by one, so that a sigma at the end of a word is like any other.
 */
function referenceNormalization(normalizer: TokenizerFile['normalizer']): (text: string) => string {
  if (normalizer?.type !== 'BertNormalizer') return (text) => text;
  return (text) => {
    const separated = normalizer.handle_chinese_chars ? text.replace(IDEOGRAPH_PAST_FFFF, ' $& ') : text;
    return normalizer.lowercase ? separated.replaceAll('Σ', 'σ') : separated;
  };
}

/** Ids of the special tokens that stand before and after a caption: [CLS] and [SEP] for BERT. */
function specialTokens(tokenizer: HuggingFaceTokenizer): { before: number[]; after: number[] } {
  const caption = 'caption';
  const tokens = tokenizer.post_processor?.post_process([caption], null, true).tokens ?? [caption];
  const ids = tokens.map((token) => tokenizer.token_to_id(token) ?? -1);
  const place = tokens.indexOf(caption);
  return { before: ids.slice(0, place), after: ids.slice(place + 1) };
}

function findPadId(file: TokenizerFile, tokenizerConfig: object): number {
  if (file.padding) return file.padding.pad_id;
  const { pad_token: configured } = tokenizerConfig as { pad_token?: string | { content: string } };
  const name = typeof configured === 'object' ? configured?.content : configured;
  const token = file.added_tokens?.find(({ content }) =>
    name === undefined ? content === '[PAD]' || content === '<pad>' : content === name,
  );
  if (token === undefined) {
    throw new Error(
      `The tokenizer has no padding token${name === undefined ? '' : ` ${JSON.stringify(name)}`}; ` +
        'give its tokenizer_config.json with a pad_token that tokenizer.json lists among its added_tokens.',
    );
  }
  return token.id;
}

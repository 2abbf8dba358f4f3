import { OptionError } from '@dalle-mini/core';
import { createTokenizer, type HuggingFaceTokenizer } from './create-tokenizer.js';

/** Token ids of a batch of captions, all of the same length. */
export interface TokenBatch {
  /** `[batch, maxLength]`, row-major; padded at the end. */
  readonly ids: Int32Array;
  /** `[batch, maxLength]`: 1 for a token, 0 for padding. */
  readonly attentionMask: Int32Array;
  /** The unread parts of each caption; missing if the tokenizer does not report them. */
  readonly unread?: readonly Unread[] | undefined;
}

/** The parts of a caption that a tokenizer could not read. */
export interface Unread {
  /** Whether the caption was truncated. */
  readonly isTruncated: boolean;
  /** At most eight words with a character that the vocabulary lacks. */
  readonly unknownWords: readonly string[];
}

/** Converts captions to the token ids of a pretrained text encoder. */
export interface TextTokenizer {
  /**
   * Tokenizes captions of any length and content. Long captions are truncated, without losing the special tokens at
   * both ends. A lone surrogate counts as U+FFFD.
   *
   * @param maxLength Length of each caption in tokens, at least the number of special tokens (2 for BERT).
   * @throws OptionError if `maxLength` is smaller than that, or not a whole number.
   */
  encode(captions: readonly string[], maxLength: number): TokenBatch;
}

/** The part of `tokenizer.json` that this module reads. `@huggingface/tokenizers` reads the rest. */
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
 * Loads a tokenizer from the parsed `tokenizer.json` of a Hugging Face model and its `tokenizer_config.json`, if it has
 * one, without blocking the event loop. For BERT the ids are those of the reference implementation in Rust, except for
 * 658 code points: rare marks and punctuation that Unicode added or changed later.
 *
 * @throws Error if the files are not those of a tokenizer, or do not name a padding token.
 */
export async function loadTextTokenizer(tokenizerJson: object, tokenizerConfig: object = {}): Promise<TextTokenizer> {
  const file = tokenizerJson as TokenizerFile;
  const tokenizer = await createTokenizer(tokenizerJson, tokenizerConfig);
  const padId = findPadId(file, tokenizerConfig);
  const { before, after } = specialTokens(tokenizer);
  const specials = before.length + after.length;
  const normalize = referenceNormalization(file.normalizer);
  const wordsAreSeparate =
    whitespacePreTokenizers.has(file.pre_tokenizer?.type ?? '') &&
    !file.added_tokens?.some(({ content }) => /\s/.test(content));

  const unknownId = tokenizer.model.unk_token_id;
  const firstTokens = (caption: string, count: number): number[] => {
    const text = normalize(caption.replace(loneSurrogate, '\ufffd'));
    // Most captions fit in the first piece. Pieces grow by factors, so that the total work is linear in the length of
    // the text.
    for (let length = 16 * count; ; length *= 4) {
      const piece = wordsAreSeparate ? wholeWords(text, length) : text;
      const { ids } = tokenizer.encode(piece, { add_special_tokens: false });
      if (ids.length >= count || piece.length === text.length) return ids.slice(0, count);
    }
  };

  const unknownWordsOf = (caption: string, count: number): string[] => {
    // Each word has at least one token, unless it is removed.
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
        // One token more than the limit, which shows whether the caption is truncated.
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

const loneSurrogate = /\p{Surrogate}/gu;

/** Pre-tokenizers that split at whitespace, or before it, and never join the text on both sides. */
const whitespacePreTokenizers = new Set(['BertPreTokenizer', 'ByteLevel', 'Whitespace', 'WhitespaceSplit']);

/**
 * Returns the text up to the end of the word with character `length`.
 *
 * Its tokens are the first tokens of the whole text. The text is split only at a space, tab or line end after another
 * character: the pre-tokenizers above start a new piece there, every piece is tokenized separately, and normalizers use
 * the context of characters only within a word (composition of accents, the Greek final sigma). Other whitespace is not
 * used, because BERT's normalizer removes some of it and so joins words. Counting characters is not enough, because
 * removed characters give no tokens, and a word of a million letters gives one ([UNK]).
 */
function wholeWords(text: string, length: number): string {
  if (text.length <= length) return text;
  const wordEnd = /\S[ \t\n\r]/g;
  wordEnd.lastIndex = length;
  const end = wordEnd.exec(text);
  return end === null ? text : text.slice(0, end.index + 1);
}

/** CJK ideographs above U+FFFF that the reference separates. The gap in the ranges is that of the reference. */
const supplementaryIdeograph = /[\u{20000}-\u{2a6df}\u{2a700}-\u{2b81f}\u{2b920}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/gu;

/**
 * Does the steps of the reference's BertNormalizer that `@huggingface/tokenizers` lacks: it separates ideographs above
 * U+FFFF, and changes letters to lower case one by one, so that a sigma at the end of a word is an ordinary sigma.
 */
function referenceNormalization(normalizer: TokenizerFile['normalizer']): (text: string) => string {
  if (normalizer?.type !== 'BertNormalizer') return (text) => text;
  return (text) => {
    const separated = normalizer.handle_chinese_chars ? text.replace(supplementaryIdeograph, ' $& ') : text;
    return normalizer.lowercase ? separated.replaceAll('Σ', 'σ') : separated;
  };
}

/** Returns the ids of the special tokens before and after a caption: [CLS] and [SEP] for BERT. */
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
      `The tokenizer has no padding token${name === undefined ? '' : ` ${JSON.stringify(name)}`}. ` +
        'Give its tokenizer_config.json with a pad_token that is in the added_tokens of tokenizer.json.',
    );
  }
  return token.id;
}

import {
  boolean,
  ConfigError,
  field,
  number,
  OptionError,
  object,
  oneOf,
  optional,
  quote,
  readConfig,
  type ValueOf,
} from '@dalle-mini/core';
import { type HuggingFaceTokenizer, readHuggingFaceTokenizer } from './hugging-face/read-tokenizer.js';

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

/**
 * Loads a tokenizer from the parsed `tokenizer.json` of a Hugging Face model and its `tokenizer_config.json`, if it has
 * one, without blocking the event loop. The ids are those of Hugging Face's tokenizers. What would give other ids is
 * refused.
 *
 * @param folder The folder of the files, for error messages.
 * @throws ConfigError that names the file and the field which is damaged, not supported, or contradicts the other file,
 *   or if the files do not name a padding token.
 */
export async function loadTextTokenizer(
  tokenizerJson: object,
  tokenizerConfig: object = {},
  folder?: string,
): Promise<TextTokenizer> {
  const at = (name: string) => (folder === undefined ? name : `${folder}/${name}`);
  const sources = { file: at('tokenizer.json'), config: at('tokenizer_config.json') };
  const tokenizer = await readHuggingFaceTokenizer(tokenizerJson, sources.file);
  const config = readConfig(configFile, tokenizerConfig, sources.config, configAction);
  checkConfig(config, tokenizer, sources.config);
  const padId = findPadId(tokenizer, config, sources);
  const { truncation_side: side = tokenizer.truncatedSide === 'Left' ? 'left' : 'right' } = config;
  return textTokenizer(tokenizer, padId, side);
}

/**
 * Returns the number of rows that embeddings need for the ids of a parsed `tokenizer.json`: the largest id plus 1.
 *
 * @throws ConfigError if it has no vocabulary.
 */
export function vocabularySizeOf(tokenizerJson: object, source = 'tokenizer.json'): number {
  const { model, added_tokens: added = [] } = tokenizerJson as {
    readonly model?: { readonly vocab?: Readonly<Record<string, number>> | readonly unknown[] };
    readonly added_tokens?: readonly { readonly id: number }[];
  };
  const { vocab } = model ?? {};
  if (typeof vocab !== 'object')
    throw new ConfigError(source, 'model.vocab', 'must be a vocabulary. Give the tokenizer.json of a model.');
  const ofVocabulary = Array.isArray(vocab)
    ? vocab.length - 1
    : largest(Object.values(vocab as Readonly<Record<string, number>>));
  return Math.max(ofVocabulary, largest(added.map(({ id }) => id))) + 1;
}

const largest = (ids: readonly number[]) => ids.reduce((most, id) => Math.max(most, id), 0);

/** @param truncatedSide Which end of a long caption is cut off. */
export function textTokenizer(
  tokenizer: HuggingFaceTokenizer,
  padId: number,
  truncatedSide: 'left' | 'right' = 'right',
): TextTokenizer {
  const { before, after } = tokenizer;
  const specials = before.length + after.length;
  const { unknownId } = tokenizer.model;
  const keepsEnd = truncatedSide === 'left';

  const wordsAreSeparate = !keepsEnd && hasSeparateWords(tokenizer);

  /** Returns the tokens of a caption that remain if it is truncated to `count`. */
  const read = (caption: string, count: number): { ids: number[]; isTruncated: boolean } => {
    const text = caption.replace(loneSurrogate, '\ufffd');
    // One token more than the limit shows that the caption is truncated.
    const needed = keepsEnd ? Number.POSITIVE_INFINITY : count + 1;
    // Most captions fit in the first piece. Pieces grow by factors, so that the total work is linear in the length of
    // the text.
    for (let length = 16 * (count + 1); ; length *= 4) {
      const piece = wordsAreSeparate ? wholeWords(text, length) : text;
      const ids: number[] = [];
      for (const id of tokenizer.tokens(piece)) if (ids.push(id) >= needed) break;
      if (ids.length < needed && piece.length < text.length) continue;
      const isTruncated = ids.length > count;
      return { ids: keepsEnd ? ids.slice(Math.max(0, ids.length - count)) : ids.slice(0, count), isTruncated };
    }
  };

  const unknownWordsOf = (caption: string, count: number): string[] => {
    // Each word has at least one token, unless it is removed.
    const words = new Set(caption.slice(0, longestRead).split(/\s+/, 2 * count));
    return [...words].filter((word) => word !== '' && read(word, count).ids.includes(unknownId!)).slice(0, 8);
  };

  return {
    encode(captions, maxLength) {
      if (!Number.isInteger(maxLength) || maxLength < specials)
        throw new OptionError('maxLength', `a whole number of at least ${specials}, the special tokens`, maxLength);
      const ids = new Int32Array(captions.length * maxLength).fill(padId);
      const attentionMask = new Int32Array(captions.length * maxLength);
      const count = maxLength - specials;
      const unread = captions.map((caption, index): Unread => {
        const { ids: own, isTruncated } = read(caption, count);
        const tokens = [...before, ...own, ...after];
        const start = index * maxLength;
        ids.set(tokens, start);
        attentionMask.fill(1, start, start + tokens.length);
        const hasUnknown = unknownId !== undefined && own.includes(unknownId);
        return { isTruncated, unknownWords: hasUnknown ? unknownWordsOf(caption, count) : [] };
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

/** Whether the tokens of a word do not depend on the words after it. */
function hasSeparateWords({ preTokenizer, normalizer, addedTokens }: HuggingFaceTokenizer): boolean {
  return (
    whitespacePreTokenizers.has(preTokenizer?.type ?? '') &&
    (normalizer === undefined || normalizer.type === 'BertNormalizer') &&
    !addedTokens.some(({ content }) => /\s/.test(content))
  );
}

/**
 * Returns the text up to the end of the word with character `length`.
 *
 * Its tokens are the first tokens of the whole text. The text is split only at a space, tab or line end after another
 * character: the pre-tokenizers above start a new piece there, every piece is tokenized separately, and BERT's normalizer
 * uses the context of characters only within a word. Other whitespace is not used, because BERT's normalizer removes some
 * of it and so joins words. Counting characters is not enough, because removed characters give no tokens, and a word of a
 * million letters gives one ([UNK]).
 */
function wholeWords(text: string, length: number): string {
  if (text.length <= length) return text;
  const wordEnd = /\S[ \t\n\r]/g;
  wordEnd.lastIndex = length;
  const end = wordEnd.exec(text);
  return end === null ? text : text.slice(0, end.index + 1);
}

const configAction = 'Use the tokenizer_config.json of the model, or leave it out.';

/** A token, by its content or as an added token. */
const tokenName = field<string | { readonly content: string }>(
  'a token, or an object with its content',
  (value) => typeof value === 'string' || typeof (value as { content?: unknown } | null)?.content === 'string',
);

/** The fields of `tokenizer_config.json` that may change the ids. */
const configFields = {
  pad_token: optional(tokenName),
  padding_side: optional(oneOf(['right'])),
  truncation_side: optional(oneOf(['left', 'right'])),
  model_max_length: optional(number({ min: 1 })),
  do_lower_case: optional(boolean()),
  strip_accents: optional(boolean()),
  tokenize_chinese_chars: optional(boolean()),
  add_prefix_space: optional(boolean()),
  split_special_tokens: optional(oneOf([false])),
  added_tokens_decoder: optional(
    field<Readonly<Record<string, unknown>>>(
      'an object, added tokens by id',
      (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    ),
  ),
};

const configFile = object(configFields, { unknown: 'ignore', nullIsAbsent: true });
type TokenizerConfig = ValueOf<typeof configFile>;

/**
 * Refuses a `tokenizer_config.json` that contradicts `tokenizer.json`. The versions of transformers follow one file or the
 * other.
 */
function checkConfig(config: TokenizerConfig, tokenizer: HuggingFaceTokenizer, source: string): void {
  const { normalizer, preTokenizer } = tokenizer;
  const agree = (name: keyof TokenizerConfig, configured: unknown, actual: boolean, part: string) => {
    if (configured === undefined || configured === actual) return;
    throw new ConfigError(
      source,
      name,
      `must be ${actual}, as in the ${part} of tokenizer.json, not ${configured}. Use both files of one model.`,
    );
  };
  if (normalizer?.type === 'BertNormalizer') {
    const { lowercase, handle_chinese_chars, strip_accents = lowercase } = normalizer;
    agree('do_lower_case', config.do_lower_case, lowercase, 'normalizer');
    agree('strip_accents', config.strip_accents, strip_accents, 'normalizer');
    agree('tokenize_chinese_chars', config.tokenize_chinese_chars, handle_chinese_chars, 'normalizer');
  }
  if (preTokenizer?.type === 'ByteLevel')
    agree('add_prefix_space', config.add_prefix_space, preTokenizer.add_prefix_space, 'pre_tokenizer');
  if (preTokenizer?.type === 'Metaspace')
    agree('add_prefix_space', config.add_prefix_space, preTokenizer.prepend_scheme !== 'never', 'pre_tokenizer');
  for (const [id, token] of Object.entries(config.added_tokens_decoder ?? {})) {
    const content = (token as { content?: unknown } | null)?.content;
    if (typeof content === 'string' && String(tokenizer.idOf(content)) === id) continue;
    const name = typeof content === 'string' ? quote(content) : 'its content';
    throw new ConfigError(
      source,
      `added_tokens_decoder[${quote(id)}]`,
      `must be a token that tokenizer.json has with this id, which ${name} is not. Use both files of one model.`,
    );
  }
}

function findPadId(
  tokenizer: HuggingFaceTokenizer,
  { pad_token: configured }: TokenizerConfig,
  sources: { file: string; config: string },
): number {
  const { padding } = tokenizer;
  const name = typeof configured === 'object' ? configured.content : configured;
  const inFile = name === undefined;
  const token = name ?? padding?.pad_token ?? ['[PAD]', '<pad>'].find((token) => tokenizer.idOf(token) !== undefined);
  const id = token === undefined ? undefined : tokenizer.idOf(token);
  if (padding === undefined) {
    if (id !== undefined) return id;
    throw new ConfigError(
      inFile ? sources.file : sources.config,
      inFile ? 'padding' : 'pad_token',
      `must name a padding token${token === undefined ? '' : `, and tokenizer.json has no token ${quote(token)}`}. ` +
        'Give its tokenizer_config.json with a pad_token that is in the added_tokens of tokenizer.json.',
    );
  }
  const { pad_id, pad_token } = padding;
  const isNamed = name !== undefined || pad_token !== undefined;
  if (isNamed ? pad_id === id : tokenizer.ids.has(pad_id)) return pad_id;
  const expected = !isNamed
    ? 'the id of a token'
    : id === undefined
      ? `the id of ${quote(token!)}, which model.vocab lacks`
      : `${id}, the id of ${quote(token!)}`;
  throw new ConfigError(
    sources.file,
    'padding.pad_id',
    `must be ${expected}, not ${pad_id}. Use the tokenizer.json of the model.`,
  );
}

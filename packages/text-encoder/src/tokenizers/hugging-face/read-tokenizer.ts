/** Reads `tokenizer.json`, the file of Hugging Face's tokenizers. */
import {
  boolean,
  ConfigError,
  describeValue,
  type Field,
  field,
  forEachInTurns,
  integer,
  object,
  oneOf,
  optional,
  quote,
  readConfig,
  string,
  variant,
} from '@dalle-mini/core';
import { type AddedToken, type AddedTokenSplitter, addedTokenSplitter, addedTokensField } from './added-tokens.js';
import { bpe, Merges } from './models/bpe.js';
import type { TokenModel } from './models/model.js';
import { unigram } from './models/unigram.js';
import { wordLevel } from './models/word-level.js';
import { wordPiece } from './models/word-piece.js';
import { type NormalizerConfig, normalize, normalizerField } from './normalizers.js';
import { type PostProcessor, postProcessorField, type SpecialToken } from './post-processors.js';
import { type PreTokenizerConfig, preTokenize, preTokenizerField } from './pre-tokenizers.js';
import { checkGaps, checkText, readVocabulary } from './vocabulary.js';

/** What an error advises: the file of a tokenizer is never edited by hand. */
const action = "Use the tokenizer.json of the model, or save it again with Hugging Face's tokenizers.";

type ModelConfig =
  | {
      readonly type: 'WordPiece';
      readonly unk_token: string;
      readonly continuing_subword_prefix: string;
      readonly max_input_chars_per_word: number;
      readonly vocab: Readonly<Record<string, unknown>>;
    }
  | { readonly type: 'WordLevel'; readonly unk_token: string; readonly vocab: Readonly<Record<string, unknown>> }
  | {
      readonly type: 'BPE';
      readonly unk_token?: string | undefined;
      readonly continuing_subword_prefix?: string | undefined;
      readonly end_of_word_suffix?: string | undefined;
      readonly fuse_unk?: boolean | undefined;
      readonly byte_fallback?: boolean | undefined;
      readonly ignore_merges?: boolean | undefined;
      readonly dropout?: number | undefined;
      readonly vocab: Readonly<Record<string, unknown>>;
      readonly merges: readonly unknown[];
    }
  | {
      readonly type: 'Unigram';
      readonly unk_id: number;
      readonly byte_fallback?: boolean | undefined;
      readonly vocab: readonly unknown[];
    };

const nullable = { nullIsAbsent: true } as const;

// The contents of vocabularies and lists of merges are checked later, in turns of the event loop.
const vocab = field<Readonly<Record<string, unknown>>>(
  'an object, ids by token',
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
);
const longList = (expected: string) => field<readonly unknown[]>(expected, Array.isArray);

const typedModel = variant<ModelConfig, 'type'>('type', {
  WordPiece: object(
    {
      type: oneOf(['WordPiece']),
      unk_token: optional(string(), '[UNK]'),
      continuing_subword_prefix: optional(string({ minLength: 0 }), '##'),
      max_input_chars_per_word: optional(integer(), 100),
      vocab,
    },
    nullable,
  ),
  WordLevel: object({ type: oneOf(['WordLevel']), unk_token: string(), vocab }),
  BPE: object(
    {
      type: oneOf(['BPE']),
      unk_token: optional(string()),
      continuing_subword_prefix: optional(string({ minLength: 0 })),
      end_of_word_suffix: optional(string({ minLength: 0 })),
      fuse_unk: optional(boolean()),
      byte_fallback: optional(boolean()),
      ignore_merges: optional(boolean()),
      // With dropout, ids are random: that is for training.
      dropout: optional(oneOf([0])),
      vocab,
      merges: longList('a list of pairs of tokens'),
    },
    nullable,
  ),
  Unigram: object(
    {
      type: oneOf(['Unigram']),
      unk_id: integer(),
      byte_fallback: optional(boolean()),
      vocab: longList('a list of tokens, each with its score'),
    },
    nullable,
  ),
});

const modelField: Field<ModelConfig> = {
  ...typedModel,
  read(value, path) {
    const isTyped = typeof value !== 'object' || value === null || Object.hasOwn(value, 'type');
    const type = isTyped ? undefined : oldModelType(value);
    return typedModel.read(type === undefined ? value : { ...(value as object), type }, path);
  },
};

/** Returns the type of a model in a file of before 2021, which does not name it: that of the fields that it has. */
function oldModelType(model: object): ModelConfig['type'] | undefined {
  const has = (...names: string[]) => names.every((name) => Object.hasOwn(model, name));
  if (has('vocab', 'merges')) return 'BPE';
  if (has('vocab', 'unk_token', 'continuing_subword_prefix', 'max_input_chars_per_word')) return 'WordPiece';
  if (has('vocab', 'unk_token')) return 'WordLevel';
  return has('vocab', 'unk_id') ? 'Unigram' : undefined;
}

interface TokenizerFile {
  readonly version?: '1.0' | undefined;
  readonly truncation?: { readonly direction?: 'Left' | 'Right' | undefined } | undefined;
  readonly padding?: Padding | undefined;
  readonly added_tokens: readonly AddedToken[];
  readonly normalizer?: NormalizerConfig | undefined;
  readonly pre_tokenizer?: PreTokenizerConfig | undefined;
  readonly post_processor?: PostProcessor | undefined;
  readonly model: ModelConfig;
}

/** The `padding` of `tokenizer.json`. Its lengths are not read: `encode` has a `maxLength`. */
export interface Padding {
  readonly pad_id: number;
  readonly pad_token?: string | undefined;
  /** Text encoders have positions from the start, and sentences of type 0. */
  readonly pad_type_id?: 0 | undefined;
  readonly direction?: 'Right' | undefined;
}

const tokenizerFile: Field<TokenizerFile> = object<TokenizerFile>(
  {
    version: optional(oneOf(['1.0'])),
    truncation: optional(
      object(
        { direction: optional(oneOf(['Left', 'Right'])), strategy: optional(oneOf(['LongestFirst', 'OnlyFirst'])) },
        { ...nullable, unknown: 'ignore' },
      ),
    ),
    padding: optional(
      object<Padding>(
        {
          pad_id: integer(),
          pad_token: optional(string()),
          pad_type_id: optional(oneOf([0])),
          direction: optional(oneOf(['Right'])),
        },
        { ...nullable, unknown: 'ignore' },
      ),
    ),
    added_tokens: optional(addedTokensField, []),
    normalizer: optional(normalizerField),
    pre_tokenizer: optional(preTokenizerField),
    post_processor: optional(postProcessorField),
    model: modelField,
  },
  { ...nullable, unknown: 'ignore' },
);

/** The parts of a tokenizer. */
export interface TokenizerParts {
  readonly addedTokens: readonly AddedToken[];
  readonly normalizer?: NormalizerConfig | undefined;
  readonly preTokenizer?: PreTokenizerConfig | undefined;
  readonly model: TokenModel;
  /** The special tokens before and after a caption. */
  readonly before: readonly SpecialToken[];
  readonly after: readonly SpecialToken[];
  readonly padding?: Padding | undefined;
  /** Which end of a long caption is cut off. Default `Right`. */
  readonly truncatedSide?: 'Left' | 'Right' | undefined;
}

/** A tokenizer of Hugging Face. */
export interface HuggingFaceTokenizer extends Omit<TokenizerParts, 'before' | 'after'> {
  readonly before: readonly number[];
  readonly after: readonly number[];
  /** The ids of all tokens. */
  readonly ids: ReadonlySet<number>;
  /** Returns the id of a token of the vocabulary or an added one. */
  idOf(token: string): number | undefined;
  /** Yields the ids of a caption, without special tokens, as they are computed. */
  tokens(caption: string): Generator<number, void, undefined>;
}

/**
 * Reads a parsed `tokenizer.json` without blocking the event loop. The ids are those of Hugging Face's tokenizers 0.23.
 *
 * @param source The path of the file, for error messages.
 * @throws ConfigError that names a field which is damaged, or whose ids are not computed exactly.
 */
export async function readHuggingFaceTokenizer(json: object, source: string): Promise<HuggingFaceTokenizer> {
  const file = readConfig(tokenizerFile, json, source, action);
  const { added_tokens: addedTokens, normalizer, pre_tokenizer: preTokenizer, post_processor, padding } = file;
  checkFirst(normalizer, preTokenizer, source);
  const model = await readModel(file.model, source);
  const { before, after } = post_processor ?? { before: [], after: [] };
  const truncatedSide = file.truncation?.direction;
  const parts = { addedTokens, normalizer, preTokenizer, model, before, after, padding, truncatedSide };
  const tokenizer = makeTokenizer(parts, source);
  checkGaps(tokenizer.ids, source, 'model.vocab', action);
  return tokenizer;
}

/** How many words are remembered with their tokens, and how long they may be. */
const mostKnown = 10_000;
const longestKnown = 40;

/**
 * Makes a tokenizer from its parts.
 *
 * @param source The file of the added tokens, for error messages.
 * @throws ConfigError if the added tokens or the special tokens do not match the vocabulary.
 */
export function makeTokenizer(parts: TokenizerParts, source: string): HuggingFaceTokenizer {
  const { addedTokens, model, normalizer, preTokenizer } = parts;
  const added = byContent(addedTokens, model, source);
  const idOf = (token: string) => added.get(token)?.id ?? model.vocabulary.get(token);
  const idsOf = (tokens: readonly SpecialToken[]) =>
    tokens.map(({ token, id, path }) => {
      if (idOf(token) === id) return id;
      const expected = idOf(token) === undefined ? 'that of a token of the vocabulary' : `${idOf(token)}`;
      throw new ConfigError(source, path, `must be ${expected}, the id of ${quote(token)}, not ${id}. ${action}`);
    });
  const ids = new Set(model.ids());
  const known = new Map<string, readonly number[]>();
  const tokenize = (word: string) => {
    let tokens = known.get(word);
    if (tokens === undefined) {
      tokens = model.tokenize(word);
      if (known.size >= mostKnown) known.clear();
      if (word.length <= longestKnown) known.set(word, tokens);
    }
    return tokens;
  };
  for (const { id } of addedTokens) ids.add(id);
  const split = splitter(added, normalizer, source);
  return {
    ...parts,
    before: idsOf(parts.before),
    after: idsOf(parts.after),
    ids,
    idOf,
    *tokens(caption) {
      for (const piece of split(caption)) {
        if (typeof piece === 'number') yield piece;
        else for (const { text } of preTokenizer ? preTokenize(preTokenizer, [piece]) : [piece]) yield* tokenize(text);
      }
    },
  };
}

/** Normalizers that keep the first character of a caption in its place. */
const inPlace = new Set([
  'NFC',
  'NFD',
  'NFKC',
  'NFKD',
  'Lowercase',
  'Strip',
  'Replace',
  'Prepend',
  'Nmt',
  'Precompiled',
]);

/**
 * Refuses `prepend_scheme: "first"` where it is not known which piece is the first. The reference counts every piece that comes
 * from the first character of the caption, which normalizers may turn into several.
 */
function checkFirst(
  normalizer: NormalizerConfig | undefined,
  preTokenizer: PreTokenizerConfig | undefined,
  source: string,
): void {
  const sequence = preTokenizer?.type === 'Sequence' ? preTokenizer.pretokenizers.flatMap(flatten) : [preTokenizer];
  const place = sequence.findIndex((one) => one?.type === 'Metaspace' && one.prepend_scheme === 'first');
  if (place < 0 || normalizer === undefined) return;
  const normalizers = normalizer.type === 'Sequence' ? normalizer.normalizers : [normalizer];
  if (place === 0 && normalizers.every(({ type }) => inPlace.has(type))) return;
  const problem =
    'must be "always" or "never" after other pre-tokenizers, and with normalizers other than those of SentencePiece: ' +
    'which piece is the first is not computed exactly.';
  throw new ConfigError(source, 'pre_tokenizer: the prepend_scheme of Metaspace', `${problem} ${action}`);
}

function flatten(config: PreTokenizerConfig): PreTokenizerConfig[] {
  return config.type === 'Sequence' ? config.pretokenizers.flatMap(flatten) : [config];
}

async function readModel(config: ModelConfig, source: string): Promise<TokenModel> {
  if (config.type === 'Unigram') return readUnigram(config, source);
  const vocabulary = await readVocabulary(config.vocab, { source, field: 'model.vocab', action });
  const { unk_token } = config;
  const unknownId = unk_token === undefined ? undefined : vocabulary.get(unk_token);
  if (unk_token !== undefined && unknownId === undefined)
    throw new ConfigError(
      source,
      'model.unk_token',
      `must be a token of model.vocab, which ${quote(unk_token)} is not. ${action}`,
    );
  switch (config.type) {
    case 'WordLevel':
      return wordLevel(vocabulary, unknownId!);
    case 'WordPiece': {
      const { continuing_subword_prefix: prefix, max_input_chars_per_word: longestWord } = config;
      return wordPiece({ vocabulary, unknownId: unknownId!, prefix, longestWord });
    }
    case 'BPE': {
      const merges = await readMerges(config.merges, config.continuing_subword_prefix ?? '', vocabulary, source);
      return bpe({
        vocabulary,
        merges,
        unknownId,
        prefix: config.continuing_subword_prefix,
        suffix: config.end_of_word_suffix,
        fuseUnknown: config.fuse_unk,
        byteFallback: config.byte_fallback,
        ignoreMerges: config.ignore_merges,
      });
    }
  }
}

async function readMerges(
  list: readonly unknown[],
  prefix: string,
  vocabulary: ReadonlyMap<string, number>,
  source: string,
): Promise<Merges> {
  const merges = new Merges();
  await forEachInTurns(list, (merge, index) => {
    const at = `model.merges[${index}]`;
    const pair = typeof merge === 'string' ? merge.split(' ') : merge;
    if (!Array.isArray(pair) || pair.length !== 2 || !pair.every((token) => typeof token === 'string'))
      throw new ConfigError(source, at, `must be two tokens, not ${describeValue(merge)}. ${action}`);
    const [left, right] = pair as [string, string];
    const tokens = [left, right, left + right.slice(prefix.length)];
    const ids = tokens.map((token) => vocabulary.get(token));
    const unknown = ids.indexOf(undefined);
    if (unknown >= 0)
      throw new ConfigError(source, at, `has the token ${quote(tokens[unknown]!)}, which model.vocab lacks. ${action}`);
    merges.add(ids[0]!, ids[1]!, ids[2]!);
  });
  return merges;
}

async function readUnigram(config: ModelConfig & { type: 'Unigram' }, source: string): Promise<TokenModel> {
  const { vocab, unk_id: unknownId, byte_fallback: byteFallback = false } = config;
  if (unknownId >= vocab.length)
    throw new ConfigError(
      source,
      'model.unk_id',
      `must be the place of a token in model.vocab, below ${vocab.length}, not ${unknownId}. ${action}`,
    );
  const tokens: string[] = [];
  const scores = new Float64Array(vocab.length);
  const vocabulary = new Map<string, number>();
  await forEachInTurns(vocab, (item, id) => {
    const at = () => `model.vocab[${id}]`;
    const [token, score] = Array.isArray(item) && item.length === 2 ? item : [];
    if (typeof token !== 'string' || token === '' || typeof score !== 'number' || !Number.isFinite(score))
      throw new ConfigError(source, at(), `must be a token and its score, not ${describeValue(item)}. ${action}`);
    checkText(token, source, at, action);
    tokens.push(token);
    scores[id] = score;
    vocabulary.set(token, id);
  });
  return unigram({ tokens, scores, vocabulary, unknownId, byteFallback });
}

/** Returns added tokens by their content, each with the id that the reference gives it. */
function byContent(list: readonly AddedToken[], model: TokenModel, source: string): Map<string, AddedToken> {
  const added = new Map<string, AddedToken>();
  let next = model.size;
  for (const [index, token] of list.entries()) {
    const { content, id } = token;
    const at = `added_tokens[${index}]`;
    checkText(content, source, () => `${at}.content`, action);
    if (added.has(content))
      throw new ConfigError(
        source,
        `${at}.content`,
        `must be a token of its own; ${quote(content)} is listed twice. ${action}`,
      );
    const known = model.vocabulary.get(content);
    const expected = known ?? next;
    // The reference ignores ids in the file that are others, and gives its own.
    if (id !== expected) {
      const why = known === undefined ? 'the first id after the vocabulary' : 'its id in model.vocab';
      throw new ConfigError(
        source,
        `${at}.id`,
        `must be ${expected}, ${why}, for ${quote(content)}, not ${id}. ${action}`,
      );
    }
    if (known === undefined) next++;
    added.set(content, token);
  }
  return added;
}

/** Returns a function that finds added tokens in a caption and normalizes the rest. */
function splitter(
  added: ReadonlyMap<string, AddedToken>,
  normalizer: NormalizerConfig | undefined,
  source: string,
): (caption: string) => ReturnType<AddedTokenSplitter> {
  const normalized = (text: string, isFirst: boolean) =>
    normalizer ? normalize(normalizer, { text, isFirst }) : { text, isFirst };
  const asTheyAre = new Map<string, AddedToken>();
  const byNormalForm = new Map<string, AddedToken>();
  for (const [content, token] of added) {
    if (!token.normalized) {
      asTheyAre.set(content, token);
      continue;
    }
    const form = normalized(content, true).text;
    const same = byNormalForm.get(form);
    if (form === '' || same !== undefined) {
      const problem = form === '' ? 'has no characters' : `is that of ${quote(same!.content)} too`;
      throw new ConfigError(
        source,
        'added_tokens',
        `must differ when they are normalized; the normal form of ${quote(content)} ${problem}. ${action}`,
      );
    }
    byNormalForm.set(form, token);
  }
  const splitRaw = addedTokenSplitter(asTheyAre);
  const splitNormalized = addedTokenSplitter(byNormalForm);
  return (caption) =>
    splitNormalized(
      splitRaw([{ text: caption, isFirst: true }]).map((part) =>
        typeof part === 'number' ? part : normalized(part.text, part.isFirst),
      ),
    ).filter((part) => typeof part === 'number' || part.text !== '');
}

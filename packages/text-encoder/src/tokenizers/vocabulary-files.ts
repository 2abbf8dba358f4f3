import {
  boolean,
  ConfigError,
  describeValue,
  forEachInTurns,
  object,
  optional,
  quote,
  readConfig,
} from '@dalle-mini/core';
import type { AddedToken } from './hugging-face/added-tokens.js';
import { bpe, Merges } from './hugging-face/models/bpe.js';
import { wordPiece } from './hugging-face/models/word-piece.js';
import type { SpecialToken } from './hugging-face/post-processors.js';
import { makeTokenizer } from './hugging-face/read-tokenizer.js';
import { readVocabulary } from './hugging-face/vocabulary.js';
import { loadTextTokenizer, type TextTokenizer, textTokenizer } from './text-tokenizer.js';

/** The files of a byte-level BPE tokenizer, as in GPT-2, RoBERTa, BART and DALL·E Mini. */
export interface BpeFiles {
  /** The parsed `vocab.json`: ids of tokens. */
  readonly vocab: Readonly<Record<string, number>>;
  /** The text of `merges.txt`: two tokens per line, which merge into one, in the order of merging. */
  readonly merges: string;
  /** Reads a caption as after a space: `add_prefix_space` in `tokenizer_config.json`. Default false. */
  readonly addPrefixSpace?: boolean | undefined;
}

/** The special tokens of BART, which captions may contain too. */
const bartSpecialTokens = ['<s>', '<pad>', '</s>', '<unk>', '<mask>'];

/**
 * Creates the tokenizer of the published DALL·E Mini models, Hugging Face's `BartTokenizerFast` (equal to its
 * `RobertaTokenizerFast`): byte-level BPE between `<s>` and `</s>`, padded with `<pad>`. With a `maxLength` of 64, ids
 * and mask are those of the published `DalleBartProcessor`, which normalizes captions first (see `TextNormalizer`).
 *
 * @param folder The folder of the files, for error messages.
 * @throws ConfigError if the files are not those of such a tokenizer, do not match, or lack `<s>`, `</s>` or `<pad>`.
 */
export async function tokenizerFromBpeFiles(
  { vocab, merges, addPrefixSpace = false }: BpeFiles,
  folder?: string,
): Promise<TextTokenizer> {
  const vocabulary = await parseVocab(vocab, ['<s>', '</s>', '<pad>'], folder);
  const added = bartSpecialTokens.flatMap((token) => addedTokens(vocabulary, token, token === '<mask>'));
  const tokenizer = makeTokenizer(
    {
      addedTokens: added,
      preTokenizer: { type: 'ByteLevel', add_prefix_space: addPrefixSpace, use_regex: true },
      model: bpe({ vocabulary, merges: await parseMerges(merges, vocabulary, folder) }),
      before: [special(vocabulary, '<s>')],
      after: [special(vocabulary, '</s>')],
    },
    fileName('vocab.json', folder),
  );
  return textTokenizer(tokenizer, vocabulary.get('<pad>')!);
}

/** The file of a WordPiece tokenizer, as in BERT. */
export interface WordPieceFiles {
  /** The text of `vocab.txt`: one token per line. The id of a token is the number of its line, from 0. */
  readonly vocab: string;
  /** Changes text to lower case without accents: `do_lower_case` in `tokenizer_config.json`. */
  readonly lowercase: boolean;
  /** Removes accents (`strip_accents`). Default: the value of `lowercase`. */
  readonly stripAccents?: boolean | null | undefined;
  /** Makes each ideograph a separate word (`tokenize_chinese_chars`). Default true. */
  readonly separateIdeographs?: boolean | undefined;
}

/**
 * Creates the tokenizer of a BERT with a `vocab.txt` instead of a `tokenizer.json`, Hugging Face's `BertTokenizerFast`
 * (equal to its `DistilBertTokenizerFast`): WordPiece between `[CLS]` and `[SEP]`, padded with `[PAD]`.
 *
 * @param folder The folder of the file, for error messages.
 * @throws ConfigError if the file is not such a vocabulary, or lacks one of these tokens or `[UNK]`.
 */
export async function tokenizerFromWordPieceFiles(files: WordPieceFiles, folder?: string): Promise<TextTokenizer> {
  const { vocab: text, lowercase, stripAccents, separateIdeographs = true } = files;
  const source = fileName('vocab.txt', folder);
  const lines = typeof text === 'string' ? text.split(/\r?\n/) : [];
  if (lines.at(-1) === '') lines.pop();
  if (lines.length < 2)
    throw new ConfigError(
      source,
      'the vocabulary',
      'must have lines, but has none. Give the text of vocab.txt, one token per line.',
    );
  // As in Python, the last of equal lines counts.
  const vocabulary = new Map<string, number>();
  await forEachInTurns(lines, (token, id) => vocabulary.set(token, id));
  checkTokens(vocabulary, ['[PAD]', '[UNK]', '[CLS]', '[SEP]'], source);
  const tokenizer = makeTokenizer(
    {
      addedTokens: ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'].flatMap((token) => addedTokens(vocabulary, token)),
      normalizer: {
        type: 'BertNormalizer',
        clean_text: true,
        handle_chinese_chars: separateIdeographs,
        strip_accents: stripAccents ?? undefined,
        lowercase,
      },
      preTokenizer: { type: 'BertPreTokenizer' },
      model: wordPiece({ vocabulary, unknownId: vocabulary.get('[UNK]')!, prefix: '##', longestWord: 100 }),
      before: [special(vocabulary, '[CLS]')],
      after: [special(vocabulary, '[SEP]')],
    },
    source,
  );
  return textTokenizer(tokenizer, vocabulary.get('[PAD]')!);
}

/** The fields of `tokenizer_config.json` that matter without a `tokenizer.json`. */
const configFile = object(
  {
    add_prefix_space: optional(boolean()),
    do_lower_case: optional(boolean(), true),
    strip_accents: optional(boolean()),
    tokenize_chinese_chars: optional(boolean()),
  },
  { unknown: 'ignore', nullIsAbsent: true },
);

/**
 * Creates the tokenizer of a Hugging Face model from its parsed `tokenizer.json` or, if it has none, from `{ vocab,
 * merges }` (the parsed `vocab.json`, the text of `merges.txt`) or `{ vocab }` (the text of `vocab.txt`), and from its
 * parsed `tokenizer_config.json`.
 *
 * @param folder The folder of the files, for error messages.
 * @throws ConfigError that names the file and the field which is damaged or not supported, or if the files do not name a
 *   padding token.
 */
export async function tokenizerFromFiles(
  files: object,
  tokenizerConfig: object = {},
  folder?: string,
): Promise<TextTokenizer> {
  if (!('vocab' in files)) return loadTextTokenizer(files, tokenizerConfig, folder);
  const config = readConfig(
    configFile,
    tokenizerConfig,
    fileName('tokenizer_config.json', folder),
    'Use the tokenizer_config.json of the model, or leave it out.',
  );
  if ('merges' in files || typeof files.vocab !== 'string')
    return tokenizerFromBpeFiles({ ...(files as BpeFiles), addPrefixSpace: config.add_prefix_space }, folder);
  return tokenizerFromWordPieceFiles(
    {
      vocab: files.vocab,
      lowercase: config.do_lower_case,
      stripAccents: config.strip_accents,
      separateIdeographs: config.tokenize_chinese_chars,
    },
    folder,
  );
}

const fileName = (name: string, folder: string | undefined) => (folder === undefined ? name : `${folder}/${name}`);

/** Returns a special token as one that captions may contain, if the vocabulary has it. */
function addedTokens(vocabulary: ReadonlyMap<string, number>, content: string, lstrip = false): AddedToken[] {
  const id = vocabulary.get(content);
  if (id === undefined) return [];
  return [{ id, content, single_word: false, lstrip, rstrip: false, normalized: false }];
}

const special = (vocabulary: ReadonlyMap<string, number>, token: string): SpecialToken => ({
  token,
  id: vocabulary.get(token)!,
  path: token,
});

/**
 * Reads a parsed `vocab.json`.
 *
 * @throws ConfigError unless it is a vocabulary with the tokens that a tokenizer needs.
 */
export async function parseVocab(
  vocab: Readonly<Record<string, number>>,
  needed: readonly string[],
  folder?: string,
): Promise<Map<string, number>> {
  const source = fileName('vocab.json', folder);
  const action = 'Give the parsed vocab.json: ids by token.';
  if (typeof vocab !== 'object' || vocab === null || Array.isArray(vocab))
    throw new ConfigError(source, 'the vocabulary', `must be an object, not ${describeValue(vocab)}. ${action}`);
  const vocabulary = await readVocabulary(vocab, { source, field: 'the vocabulary', action });
  checkTokens(vocabulary, needed, source);
  return vocabulary;
}

function checkTokens(vocabulary: ReadonlyMap<string, number>, needed: readonly string[], source: string): void {
  const missing = needed.filter((token) => !vocabulary.has(token));
  if (missing.length > 0)
    throw new ConfigError(
      source,
      'the vocabulary',
      `must have the tokens ${missing.join(', ')}. Give the file of the model of the tokenizer.`,
    );
}

/**
 * Parses `merges.txt`.
 *
 * @throws ConfigError if a line is not a pair of tokens, or if the vocabulary lacks the tokens or the merged token.
 */
export async function parseMerges(
  text: string,
  vocabulary: ReadonlyMap<string, number>,
  folder?: string,
): Promise<Merges> {
  const source = fileName('merges.txt', folder);
  const lines = typeof text === 'string' ? text.split(/\r?\n/) : [];
  if (lines.at(-1) === '') lines.pop();
  const first = lines[0]?.startsWith('#version') ? 1 : 0;
  // A header alone is a tokenizer of single characters; no text at all is another file.
  if (lines.length === 0)
    throw new ConfigError(
      source,
      'the text',
      'must have lines, but has none. Give the text of merges.txt, which is next to vocab.json.',
    );
  const merges = new Merges();
  await forEachInTurns(lines.slice(first), (line, index) => {
    const pair = line.split(' ');
    const at = `line ${index + first + 1}`;
    if (pair.length !== 2 || pair.includes(''))
      throw new ConfigError(
        source,
        at,
        `must be two tokens with a space between them, not ${quote(line)}. Give the text of merges.txt.`,
      );
    const tokens = [...pair, pair.join('')];
    const ids = tokens.map((token) => vocabulary.get(token));
    const unknown = ids.indexOf(undefined);
    if (unknown >= 0)
      throw new ConfigError(
        source,
        at,
        `has the token ${quote(tokens[unknown]!)}, which the vocabulary lacks. ` +
          'Give the vocab.json and merges.txt of one model.',
      );
    merges.add(ids[0]!, ids[1]!, ids[2]!);
  });
  return merges;
}

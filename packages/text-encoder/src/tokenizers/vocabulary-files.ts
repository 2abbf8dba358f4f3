import { forEachInTurns } from '@dalle-mini/core';
import { loadTextTokenizer, type TextTokenizer } from './text-tokenizer.js';

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
 * @throws Error if the files are not those of such a tokenizer, do not match, or lack `<s>`, `</s>` or `<pad>`.
 */
export async function tokenizerFromBpeFiles({
  vocab,
  merges,
  addPrefixSpace = false,
}: BpeFiles): Promise<TextTokenizer> {
  await checkVocab(vocab, ['<s>', '</s>', '<pad>']);
  const special = bartSpecialTokens.filter((token) => token in vocab);
  return loadTextTokenizer({
    added_tokens: special.map((content) => addedToken(content, vocab[content]!, content === '<mask>')),
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: addPrefixSpace, trim_offsets: true, use_regex: true },
    post_processor: {
      type: 'RobertaProcessing',
      cls: ['<s>', vocab['<s>']],
      sep: ['</s>', vocab['</s>']],
      trim_offsets: true,
      add_prefix_space: addPrefixSpace,
    },
    decoder: { type: 'ByteLevel' },
    padding: { pad_id: vocab['<pad>'] },
    model: { type: 'BPE', vocab, merges: await parseMerges(merges, vocab) },
  });
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
 * @throws Error if the file is not such a vocabulary, or lacks one of these tokens or `[UNK]`.
 */
export async function tokenizerFromWordPieceFiles(files: WordPieceFiles): Promise<TextTokenizer> {
  const { vocab: text, lowercase, stripAccents = null, separateIdeographs = true } = files;
  const lines = typeof text === 'string' ? text.split(/\r?\n/) : [];
  if (lines.at(-1) === '') lines.pop();
  const vocab = Object.fromEntries(lines.map((token, id) => [token, id]));
  if (lines.length < 2)
    throw new Error('The vocabulary must have lines, but has none. Give the text of vocab.txt, one token per line.');
  checkTokens(vocab, ['[PAD]', '[UNK]', '[CLS]', '[SEP]'], 'vocab.txt');
  const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'].filter((token) => token in vocab);
  return loadTextTokenizer({
    added_tokens: special.map((content) => addedToken(content, vocab[content]!)),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: separateIdeographs,
      strip_accents: stripAccents,
      lowercase,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: { type: 'BertProcessing', cls: ['[CLS]', vocab['[CLS]']], sep: ['[SEP]', vocab['[SEP]']] },
    decoder: null,
    padding: { pad_id: vocab['[PAD]'] },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab,
    },
  });
}

/**
 * The fields of a `tokenizer_config.json` that matter without a `tokenizer.json`, with the names and defaults of
 * Hugging Face.
 */
interface TokenizerConfig {
  readonly add_prefix_space?: boolean | undefined;
  readonly do_lower_case?: boolean | undefined;
  readonly strip_accents?: boolean | null | undefined;
  readonly tokenize_chinese_chars?: boolean | undefined;
}

/**
 * Creates the tokenizer of a Hugging Face model from its parsed `tokenizer.json` or, if it has none, from `{ vocab,
 * merges }` (the parsed `vocab.json`, the text of `merges.txt`) or `{ vocab }` (the text of `vocab.txt`), and from its
 * parsed `tokenizer_config.json`.
 *
 * @throws Error if the files are not those of a tokenizer, or do not name a padding token.
 */
export async function tokenizerFromFiles(files: object, tokenizerConfig: object = {}): Promise<TextTokenizer> {
  if (!('vocab' in files)) return loadTextTokenizer(files, tokenizerConfig);
  const config: TokenizerConfig = tokenizerConfig;
  if ('merges' in files || typeof files.vocab !== 'string')
    return tokenizerFromBpeFiles({ ...(files as BpeFiles), addPrefixSpace: config.add_prefix_space });
  return tokenizerFromWordPieceFiles({
    vocab: files.vocab,
    lowercase: config.do_lower_case ?? true,
    stripAccents: config.strip_accents,
    separateIdeographs: config.tokenize_chinese_chars,
  });
}

/** @param lstrip Whether spaces before the token belong to it. */
function addedToken(content: string, id: number, lstrip = false): object {
  return { id, content, special: true, single_word: false, lstrip, rstrip: false, normalized: false };
}

/** Throws unless this is a parsed `vocab.json` with the tokens that a tokenizer needs. */
export async function checkVocab(vocab: Readonly<Record<string, number>>, needed: readonly string[]): Promise<void> {
  const isVocab = typeof vocab === 'object' && vocab !== null && !Array.isArray(vocab);
  const wrongVocabulary = (found: string) =>
    new Error(`The vocabulary is not that of a BPE tokenizer: ${found}. Give the parsed vocab.json: ids of tokens.`);
  const tokens = isVocab ? Object.keys(vocab) : [];
  if (tokens.length === 0) throw wrongVocabulary('it has no tokens');
  await forEachInTurns(tokens, (token) => {
    const id = vocab[token]!;
    if (!Number.isInteger(id) || id < 0)
      throw wrongVocabulary(`${JSON.stringify(token)} has the id ${JSON.stringify(id)}`);
  });
  checkTokens(vocab, needed, 'vocab.json');
}

function checkTokens(vocab: Readonly<Record<string, number>>, needed: readonly string[], file: string): void {
  const missing = needed.filter((token) => !Object.hasOwn(vocab, token));
  if (missing.length > 0) {
    throw new Error(
      `The vocabulary must have the tokens ${missing.join(', ')}. Give the ${file} of the model of the tokenizer.`,
    );
  }
}

/**
 * Parses `merges.txt`. Throws if a line is not a pair of tokens, or if the vocabulary lacks the tokens or the merged
 * token.
 */
export async function parseMerges(text: string, vocab: Readonly<Record<string, number>>): Promise<[string, string][]> {
  const lines = typeof text === 'string' ? text.split(/\r?\n/) : [];
  if (lines.at(-1) === '') lines.pop();
  const first = lines[0]?.startsWith('#version') ? 1 : 0;
  // A header alone is a tokenizer of single characters; no text at all is another file.
  if (lines.length === 0) {
    throw new Error(
      'The merges must have lines, but have none. Give the text of merges.txt, which is next to vocab.json.',
    );
  }
  const pairs: [string, string][] = [];
  await forEachInTurns(lines.slice(first), (line, index) => {
    const pair = line.split(' ');
    const where = `Line ${index + first + 1} of the merges`;
    if (pair.length !== 2 || pair.includes('')) {
      const shown = JSON.stringify(line.length > 40 ? `${line.slice(0, 40)}…` : line);
      throw new Error(
        `${where} must be two tokens with a space between them, not ${shown}. Give the text of merges.txt.`,
      );
    }
    const unknown = [...pair, pair.join('')].find((token) => !Object.hasOwn(vocab, token));
    if (unknown !== undefined) {
      throw new Error(
        `${where} has the token ${JSON.stringify(unknown)}, which the vocabulary lacks. ` +
          'Give the vocab.json and merges.txt of one model.',
      );
    }
    pairs.push(pair as [string, string]);
  });
  return pairs;
}

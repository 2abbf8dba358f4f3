import { forEachInTurns } from '@dalle-mini/core';
import { loadTextTokenizer, type TextTokenizer } from './text-tokenizer.js';

/** The files of a byte-level BPE tokenizer, as GPT-2, RoBERTa, BART and DALL·E Mini have it. */
export interface BpeFiles {
  /** `vocab.json`, parsed: ids of tokens. */
  readonly vocab: Readonly<Record<string, number>>;
  /** The text of `merges.txt`: two tokens a line, which become one, in the order of merging. */
  readonly merges: string;
  /** Whether a caption is read as after a space, as its `tokenizer_config.json` says (`add_prefix_space`). Default false. */
  readonly addPrefixSpace?: boolean | undefined;
}

/** The special tokens of BART, which captions may name too. */
const BART_SPECIAL_TOKENS = ['<s>', '<pad>', '</s>', '<unk>', '<mask>'];

/**
 * The tokenizer of the released DALL·E Mini models, Hugging Face's `BartTokenizerFast`, which is its `RobertaTokenizerFast` too:
 * byte-level BPE between `<s>` and `</s>`, padded with `<pad>`. With a `maxLength` of 64, ids and mask are those of the published `DalleBartProcessor`, which normalizes captions
 * first (see `TextNormalizer`).
 * @throws Error if the files are none of such a tokenizer, do not belong together, or lack `<s>`, `</s>` or `<pad>`.
 */
export async function tokenizerFromBpeFiles({
  vocab,
  merges,
  addPrefixSpace = false,
}: BpeFiles): Promise<TextTokenizer> {
  await checkVocab(vocab, ['<s>', '</s>', '<pad>']);
  const special = BART_SPECIAL_TOKENS.filter((token) => token in vocab);
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

/** The file of a WordPiece tokenizer, as BERT has it. */
export interface WordPieceFiles {
  /** The text of `vocab.txt`: a token a line, whose id is the number of the line, from 0. */
  readonly vocab: string;
  /** Whether the model reads lower case without accents, as its `tokenizer_config.json` says (`do_lower_case`). */
  readonly lowercase: boolean;
  /** Whether accents are removed (`strip_accents`). Default: as letters are turned to lower case. */
  readonly stripAccents?: boolean | null | undefined;
  /** Whether each ideograph is a word of its own (`tokenize_chinese_chars`). Default true. */
  readonly separateIdeographs?: boolean | undefined;
}

/**
 * The tokenizer of a BERT that comes with a `vocab.txt` and no `tokenizer.json`, Hugging Face's `BertTokenizerFast`, which is its
 * `DistilBertTokenizerFast` too: WordPiece between `[CLS]` and `[SEP]`, padded with `[PAD]`.
 * @throws Error if the file is no such vocabulary, or lacks one of these or `[UNK]`.
 */
export async function tokenizerFromWordPieceFiles(files: WordPieceFiles): Promise<TextTokenizer> {
  const { vocab: text, lowercase, stripAccents = null, separateIdeographs = true } = files;
  const lines = typeof text === 'string' ? text.split(/\r?\n/) : [];
  if (lines.at(-1) === '') lines.pop();
  const vocab = Object.fromEntries(lines.map((token, id) => [token, id]));
  if (lines.length < 2) throw new Error('The vocabulary has no lines; give the text of vocab.txt, a token a line.');
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

/** What is read of a `tokenizer_config.json` where there is no `tokenizer.json`, with the names and defaults of Hugging Face. */
interface TokenizerConfig {
  readonly add_prefix_space?: boolean | undefined;
  readonly do_lower_case?: boolean | undefined;
  readonly strip_accents?: boolean | null | undefined;
  readonly tokenize_chinese_chars?: boolean | undefined;
}

/**
 * The tokenizer of a Hugging Face model, from its parsed `tokenizer.json` or, if it has none, from `{ vocab, merges }` (the parsed
 * `vocab.json`, the text of `merges.txt`) or `{ vocab }` (the text of `vocab.txt`), and its parsed `tokenizer_config.json`.
 * @throws Error if the files are none of a tokenizer, or name no padding token.
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

/** `lstrip`: whether spaces before the token belong to it. */
function addedToken(content: string, id: number, lstrip = false): object {
  return { id, content, special: true, single_word: false, lstrip, rstrip: false, normalized: false };
}

/** @throws Error if this is no parsed `vocab.json` with the tokens that a tokenizer needs. */
export async function checkVocab(vocab: Readonly<Record<string, number>>, needed: readonly string[]): Promise<void> {
  const isVocab = typeof vocab === 'object' && vocab !== null && !Array.isArray(vocab);
  const notThat = (found: string) =>
    new Error(`The vocabulary is not that of a BPE tokenizer: ${found}; give vocab.json, parsed: ids of tokens.`);
  const tokens = isVocab ? Object.keys(vocab) : [];
  if (tokens.length === 0) throw notThat('it holds no tokens');
  await forEachInTurns(tokens, (token) => {
    const id = vocab[token]!;
    if (!Number.isInteger(id) || id < 0) throw notThat(`${JSON.stringify(token)} has the id ${JSON.stringify(id)}`);
  });
  checkTokens(vocab, needed, 'vocab.json');
}

function checkTokens(vocab: Readonly<Record<string, number>>, needed: readonly string[], file: string): void {
  const missing = needed.filter((token) => !Object.hasOwn(vocab, token));
  if (missing.length > 0) {
    throw new Error(
      `The vocabulary has no ${missing.join(', ')}; give the ${file} of the model that the tokenizer is for.`,
    );
  }
}

/** @throws Error if a line is no pair of tokens, or it or what it merges to is not in the vocabulary. */
export async function parseMerges(text: string, vocab: Readonly<Record<string, number>>): Promise<[string, string][]> {
  const lines = typeof text === 'string' ? text.split(/\r?\n/) : [];
  if (lines.at(-1) === '') lines.pop();
  const first = lines[0]?.startsWith('#version') ? 1 : 0;
  if (lines.length === first) {
    throw new Error('There are no merges; give the text of merges.txt, which lies beside vocab.json.');
  }
  const pairs: [string, string][] = [];
  await forEachInTurns(lines.slice(first), (line, index) => {
    const pair = line.split(' ');
    const where = `Line ${index + first + 1} of the merges`;
    if (pair.length !== 2 || pair.includes('')) {
      const shown = JSON.stringify(line.length > 40 ? `${line.slice(0, 40)}…` : line);
      throw new Error(`${where} is ${shown}, not two tokens with a space between; give the text of merges.txt.`);
    }
    const unknown = [...pair, pair.join('')].find((token) => !Object.hasOwn(vocab, token));
    if (unknown !== undefined) {
      throw new Error(
        `${where} has the token ${JSON.stringify(unknown)}, which the vocabulary lacks; ` +
          'give the vocab.json and merges.txt of one model.',
      );
    }
    pairs.push(pair as [string, string]);
  });
  return pairs;
}

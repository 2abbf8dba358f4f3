/** The published files of a DALL·E Mini's tokenizer. */
import { parseJsonObject } from '@dalle-mini/core';
import { TextNormalizer } from '../captions/text-normalizer.js';
import { minDalleTokenizer } from './min-dalle-tokenizer.js';
import { normalizingTokenizer } from './normalizing-tokenizer.js';
import { loadTextTokenizer, type TextTokenizer } from './text-tokenizer.js';
import { tokenizerFromBpeFiles } from './vocabulary-files.js';

const tokenizerFile = 'tokenizer.json';
const tokenizerConfigFile = 'tokenizer_config.json';
const vocabFile = 'vocab.json';
const mergesFile = 'merges.txt';
/** The word frequencies for splitting hashtags. If the file exists, captions are normalized. */
export const wordsFile = 'enwiki-words-frequency.txt';

/** The files that a tokenizer of DALL·E Mini may have. */
export const dalleMiniTokenizerFiles = [tokenizerFile, tokenizerConfigFile, vocabFile, mergesFile, wordsFile] as const;

/** Selects the files of a folder that a tokenizer of DALL·E Mini needs. */
export function neededTokenizerFiles(names: readonly string[]): (typeof dalleMiniTokenizerFiles)[number][] {
  const isNeeded = names.includes(tokenizerFile)
    ? [tokenizerFile, tokenizerConfigFile, wordsFile]
    : [vocabFile, mergesFile, wordsFile];
  return dalleMiniTokenizerFiles.filter((name) => isNeeded.includes(name) && names.includes(name));
}

/** Options of reading the files of a tokenizer. */
export interface DalleMiniTokenizerOptions {
  /** The tokenizer of the published code (`bart`) or of kuprel/min-dalle. Default `bart`. */
  readonly kind?: 'bart' | 'min-dalle' | undefined;
  /** Normalizes captions if there is an `enwiki-words-frequency.txt`. Default true. */
  readonly normalize?: boolean | undefined;
}

/**
 * Makes DALL·E Mini's tokenizer from the contents of its files: from `tokenizer.json`, or `vocab.json` and `merges.txt`.
 *
 * @param read Returns the text of a file, or none if it is missing and not `needed`.
 * @param folder The folder of the files, for error messages.
 * @throws ConfigError if a file is damaged; the errors of `read`.
 */
export async function dalleMiniTokenizer(
  read: (name: string, needed?: 'needed') => Promise<string | undefined>,
  { kind = 'bart', normalize = true }: DalleMiniTokenizerOptions,
  folder: string,
): Promise<TextTokenizer> {
  const tokenizer = await readTokenizer(read, kind, folder);
  const words = normalize ? await read(wordsFile) : undefined;
  return words === undefined ? tokenizer : normalizingTokenizer(tokenizer, new TextNormalizer(words));
}

async function readTokenizer(
  read: Parameters<typeof dalleMiniTokenizer>[0],
  kind: 'bart' | 'min-dalle',
  folder: string,
): Promise<TextTokenizer> {
  const parse = (name: string, text: string) => parseJsonObject(text, `${folder}/${name}`);
  const tokenizer = kind === 'bart' ? await read(tokenizerFile) : undefined;
  if (tokenizer !== undefined) {
    const config = parse(tokenizerConfigFile, (await read(tokenizerConfigFile)) ?? '{}');
    return loadTextTokenizer(parse(tokenizerFile, tokenizer), config, folder);
  }
  // One after the other: if both are missing, the error always names the same one.
  const vocab = await read(vocabFile, 'needed');
  const merges = await read(mergesFile, 'needed');
  const files = { vocab: parse(vocabFile, vocab!) as Record<string, number>, merges: merges! };
  return kind === 'bart' ? tokenizerFromBpeFiles(files, folder) : minDalleTokenizer(files, folder);
}

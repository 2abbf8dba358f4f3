/** The published files of a DALL·E Mini's tokenizer. */
import { join } from 'node:path';
import { exists, readJsonFile, readTextFile } from '@dalle-mini/core/node';
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
 * Reads DALL·E Mini's tokenizer from a folder: from `tokenizer.json`, or `vocab.json` and `merges.txt`.
 *
 * @throws FileError if a file is missing; ConfigError if it is damaged.
 */
export async function readDalleMiniTokenizer(
  folder: string,
  { kind = 'bart', normalize = true }: DalleMiniTokenizerOptions = {},
): Promise<TextTokenizer> {
  const tokenizer = await readTokenizer(folder, kind);
  const words = join(folder, wordsFile);
  if (!normalize || !(await exists(words))) return tokenizer;
  return normalizingTokenizer(tokenizer, new TextNormalizer(await readTextFile(words)));
}

async function readTokenizer(folder: string, kind: 'bart' | 'min-dalle'): Promise<TextTokenizer> {
  const at = (name: string) => join(folder, name);
  if (kind === 'bart' && (await exists(at(tokenizerFile)))) {
    const config = (await exists(at(tokenizerConfigFile))) ? await readJsonFile(at(tokenizerConfigFile)) : {};
    return loadTextTokenizer(await readJsonFile(at(tokenizerFile)), config, folder);
  }
  const [vocab, merges] = await Promise.all([readJsonFile(at(vocabFile)), readTextFile(at(mergesFile))]);
  const files = { vocab: vocab as Record<string, number>, merges };
  return kind === 'bart' ? tokenizerFromBpeFiles(files, folder) : minDalleTokenizer(files, folder);
}

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from '@dalle-mini/core';
import { exists, readJsonFile, readTextFile } from '@dalle-mini/core/node';
import type { Checkpoint } from '../tensors/stored-tensor.js';
import { readCheckpointFile } from './checkpoint-file.js';
import { chooseWeights, findWeights } from './weights-files.js';

/** The content of a Hugging Face model. */
export interface HuggingFaceModel<Weights = Checkpoint> {
  /** The parsed `config.json`. */
  readonly config: object;
  /**
   * The parsed `tokenizer.json`. Of a model without one, `{ vocab, merges }`, the parsed `vocab.json` and the text of
   * `merges.txt`, or `{ vocab }`, the text of `vocab.txt`.
   */
  readonly tokenizer: object;
  /** The parsed `tokenizer_config.json`, if there is one. */
  readonly tokenizerConfig?: object | undefined;
  readonly weights: Weights;
}

/** The first of these files that a folder has is read. */
const weightsFiles = ['model.safetensors', 'pytorch_model.bin', 'flax_model.msgpack'];
const vocabularyFiles = ['tokenizer.json', 'vocab.json', 'vocab.txt'];
/** Files of SentencePiece, from which transformers makes a `tokenizer.json` by rules of each model. */
const sentencePieceFiles = ['sentencepiece.bpe.model', 'spiece.model', 'tokenizer.model', 'spm.model'];

/**
 * Reads a Hugging Face model from its folder: `config.json`; `tokenizer.json`, or `vocab.json` and `merges.txt`, or
 * `vocab.txt`; and the weights, `model.safetensors`, `pytorch_model.bin` or `flax_model.msgpack`, or the index of one of
 * these, such as `model.safetensors.index.json`, and its files.
 *
 * @param readWeights Reads the weights from the path of their file. Default: reads all tensors into memory.
 * @throws FileError if a file is missing or cannot be read; ConfigError or CheckpointError, with the path in its
 *   message, if it is damaged, or if the weights are those of another program.
 */
export async function readHuggingFaceFolder<Weights = Checkpoint>(
  folder: string,
  readWeights: (path: string) => Promise<Weights | Checkpoint> = readTensors,
): Promise<HuggingFaceModel<Weights | Checkpoint>> {
  const tokenizerConfigPath = join(folder, 'tokenizer_config.json');
  const [vocabulary, weightsPath, hasTokenizerConfig] = await Promise.all([
    first(folder, vocabularyFiles),
    findWeights(folder, weightsFiles),
    exists(tokenizerConfigPath),
  ]);
  if (!(await exists(join(folder, vocabulary)))) {
    // A folder that cannot be listed is reported by the files that are read.
    checkVocabulary(await readdir(folder).catch(() => []), folder);
  }
  const [config, tokenizer, tokenizerConfig, weights] = await Promise.all([
    readJsonFile(join(folder, 'config.json')),
    readTokenizer(folder, vocabulary),
    hasTokenizerConfig ? readJsonFile(tokenizerConfigPath) : undefined,
    readWeights(weightsPath),
  ]);
  return { config, tokenizer, ...(tokenizerConfig ? { tokenizerConfig } : {}), weights };
}

async function readTensors(path: string): Promise<Checkpoint> {
  return (await readCheckpointFile(path)).tensors;
}

/**
 * Chooses the files that `readHuggingFaceFolder` needs, of those that a repository has. Pass it as `files` of
 * `downloadModel`.
 *
 * @throws CheckpointError if the repository has only weights of another program, or lacks some of several files.
 */
export function huggingFaceFiles(listing: readonly { readonly name: string }[]): string[] {
  const names = new Set(listing.map(({ name }) => name));
  checkVocabulary([...names], 'The repository');
  const vocabulary = vocabularyFiles.find((name) => names.has(name)) ?? vocabularyFiles[0]!;
  return [
    'config.json',
    vocabulary,
    ...(vocabulary === 'vocab.json' ? ['merges.txt'] : []),
    ...(names.has('tokenizer_config.json') ? ['tokenizer_config.json'] : []),
    ...chooseWeights(listing, weightsFiles),
  ];
}

/** Refuses a model with no other vocabulary than that of SentencePiece. */
function checkVocabulary(names: readonly string[], where: string): void {
  const found = sentencePieceFiles.find((name) => names.includes(name));
  if (found === undefined || vocabularyFiles.some((name) => names.includes(name))) return;
  throw new ConfigError(
    where,
    found,
    'is a vocabulary of SentencePiece, which is not read without a tokenizer.json. Write one in Python: ' +
      'transformers.AutoTokenizer.from_pretrained(model).save_pretrained(folder).',
  );
}

async function readTokenizer(folder: string, vocabulary: string): Promise<object> {
  const path = join(folder, vocabulary);
  if (vocabulary === 'tokenizer.json') return readJsonFile(path);
  if (vocabulary === 'vocab.txt') return { vocab: await readTextFile(path) };
  const [vocab, merges] = await Promise.all([readJsonFile(path), readTextFile(join(folder, 'merges.txt'))]);
  return { vocab, merges };
}

/**
 * Returns the first of some names that a folder has. If it has none, returns the first name, which an error then
 * reports.
 */
async function first(folder: string, names: readonly string[]): Promise<string> {
  for (const name of names) if (await exists(join(folder, name))) return name;
  return names[0]!;
}

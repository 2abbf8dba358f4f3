import { join } from 'node:path';
import { exists, readJsonFile, readTextFile } from '@dalle-mini/core/node';
import type { Checkpoint } from '../tensors/stored-tensor.js';
import { readCheckpointFile } from './checkpoint-file.js';
import { chooseShards, isIndex } from './shards.js';
import { fileNames, otherWeights } from './weights-files.js';

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
const wholeFiles = ['model.safetensors', 'pytorch_model.bin', 'flax_model.msgpack'];
const weightsFiles = wholeFiles.flatMap((name) => [name, `${name}.index.json`]);
const vocabularyFiles = ['tokenizer.json', 'vocab.json', 'vocab.txt'];

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
  const [vocabulary, weightsName, hasTokenizerConfig] = await Promise.all([
    first(folder, vocabularyFiles),
    first(folder, weightsFiles),
    exists(tokenizerConfigPath),
  ]);
  if (!(await exists(join(folder, weightsName)))) {
    const error = otherWeights(await fileNames(folder), folder, wholeFiles);
    if (error !== undefined) throw error;
  }
  const [config, tokenizer, tokenizerConfig, weights] = await Promise.all([
    readJsonFile(join(folder, 'config.json')),
    readTokenizer(folder, vocabulary),
    hasTokenizerConfig ? readJsonFile(tokenizerConfigPath) : undefined,
    readWeights(join(folder, weightsName)),
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
  const vocabulary = vocabularyFiles.find((name) => names.has(name)) ?? vocabularyFiles[0]!;
  const weights = weightsFiles.find((name) => names.has(name));
  const error = weights === undefined && otherWeights([...names], 'The repository', wholeFiles);
  if (error) throw error;
  return [
    'config.json',
    vocabulary,
    ...(vocabulary === 'vocab.json' ? ['merges.txt'] : []),
    ...(names.has('tokenizer_config.json') ? ['tokenizer_config.json'] : []),
    weights ?? weightsFiles[0]!,
    ...(weights !== undefined && isIndex(weights) ? chooseShards(names, weights) : []),
  ];
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

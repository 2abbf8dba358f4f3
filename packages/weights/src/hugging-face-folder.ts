/** The folder of a Hugging Face model. */
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Checkpoint, CheckpointError } from './checkpoint.js';
import { readCheckpointFile } from './checkpoint-file.js';
import { FileError } from './file-error.js';

/** The files of a Hugging Face model, read. */
export interface HuggingFaceModel<Weights = Checkpoint> {
  /** The parsed `config.json`. */
  readonly config: object;
  /**
   * The parsed `tokenizer.json`. Of a model that has none: `{ vocab, merges }`, the parsed `vocab.json` and the text of `merges.txt`, or
   * `{ vocab }`, the text of `vocab.txt`.
   */
  readonly tokenizer: object;
  /** The parsed `tokenizer_config.json`, where there is one. */
  readonly tokenizerConfig?: object;
  readonly weights: Weights;
}

/** Of the files that a folder may have, the first that is there is read. */
const WEIGHTS = ['model.safetensors', 'pytorch_model.bin', 'flax_model.msgpack'];
const VOCABULARIES = ['tokenizer.json', 'vocab.json', 'vocab.txt'];

/**
 * Reads a model from its folder: `config.json`; `tokenizer.json`, or `vocab.json` and `merges.txt`, or `vocab.txt`; and the weights,
 * `model.safetensors`, `pytorch_model.bin` or `flax_model.msgpack`.
 * @param readWeights how the file of the weights is read, by its path. Default: all of it, into memory.
 * @throws FileError if a file is missing or cannot be read; CheckpointError, with the path in its message, if it is damaged.
 */
export async function readHuggingFaceFolder<Weights = Checkpoint>(
  folder: string,
  readWeights: (path: string) => Promise<Weights | Checkpoint> = readTensors,
): Promise<HuggingFaceModel<Weights | Checkpoint>> {
  const tokenizerConfigPath = join(folder, 'tokenizer_config.json');
  const [vocabulary, weightsName, hasTokenizerConfig] = await Promise.all([
    first(folder, VOCABULARIES),
    first(folder, WEIGHTS),
    isThere(tokenizerConfigPath),
  ]);
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

/** The files that {@link readHuggingFaceFolder} needs, of those that a repository has: as `files` of `downloadModel`. */
export function huggingFaceFiles(listing: readonly { readonly name: string }[]): string[] {
  const names = new Set(listing.map(({ name }) => name));
  const vocabulary = VOCABULARIES.find((name) => names.has(name)) ?? VOCABULARIES[0]!;
  return [
    'config.json',
    vocabulary,
    ...(vocabulary === 'vocab.json' ? ['merges.txt'] : []),
    ...(names.has('tokenizer_config.json') ? ['tokenizer_config.json'] : []),
    WEIGHTS.find((name) => names.has(name)) ?? WEIGHTS[0]!,
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
 * Reads a file that holds a JSON object.
 * @throws FileError if it cannot be read; CheckpointError, with the path in its message, if it holds anything else.
 */
export async function readJsonFile(path: string): Promise<Record<string, unknown>> {
  const text = await readTextFile(path);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    // Some of V8's messages quote the text, line breaks and all.
    const why = (error as Error).message.replace(/\s+/g, ' ');
    throw new CheckpointError(`${path}: it is not JSON (${why}); fetch or export the model again.`, { cause: error });
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new CheckpointError(`${path}: it must hold an object; fetch or export the model again.`);
  return json as Record<string, unknown>;
}

/**
 * Reads a text file, as UTF-8.
 * @throws FileError if it cannot be read.
 */
export async function readTextFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new FileError('read', path, error as NodeJS.ErrnoException);
  }
}

/** The first of some names that a folder has; the very first, to be missed by name, if it has none. */
async function first(folder: string, names: readonly string[]): Promise<string> {
  for (const name of names) if (await isThere(join(folder, name))) return name;
  return names[0]!;
}

/** Whether there is a file or a folder at a path; one that may not be looked at is taken to be there. */
export async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    ({ code }: NodeJS.ErrnoException) => code !== 'ENOENT' && code !== 'ENOTDIR',
  );
}

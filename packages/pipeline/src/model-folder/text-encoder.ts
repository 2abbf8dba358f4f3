/** The text encoder of a model, in a folder of its own. */

import { join } from 'node:path';
import type { TextEncoder } from '@dalle-mini/core';
import { writeFileAtomically, writeJsonFile } from '@dalle-mini/core/node';
import type { Runtime, TensorData } from '@dalle-mini/graph';
import type { CheckpointTensor } from '@dalle-mini/graph/stored';
import {
  type BartConfig,
  BartTextEncoder,
  type HuggingFaceFiles,
  HuggingFaceTextEncoder,
} from '@dalle-mini/text-encoder';
import { type dalleMiniTokenizerFiles, readDalleMiniTokenizer } from '@dalle-mini/text-encoder/node';
import { locateTensors, readHuggingFaceFolder, writeCheckpointFile } from '@dalle-mini/weights/node';
import { folderError, inFile, readTensors } from './files.js';
import { bartKind, configFile, openPart, stayInFile, weightsFile } from './part.js';

const tokenizerFile = 'tokenizer.json';
const tokenizerConfigFile = 'tokenizer_config.json';

/** The name of a file of a tokenizer. */
export type TokenizerFileName = (typeof dalleMiniTokenizerFiles)[number];

/** `maxLength` is the number of tokens that captions were cut or padded to in training. */
export type TextEncoderDescription =
  /** A BERT, RoBERTa, DistilBERT or BART as Hugging Face stores it. */
  | { readonly type: 'bert'; readonly folder: string; readonly maxLength: number }
  /**
   * DALL·E Mini's own: a `BartConfig`, names as in min-dalle, and the tokenizer's files as they were released, `tokenizer.json` or
   * `vocab.json` and `merges.txt`, which are read as the published code reads them, or as min-dalle does. Where there is an
   * `enwiki-words-frequency.txt`, captions are normalized.
   */
  | {
      readonly type: 'dalle-mini';
      readonly folder: string;
      readonly maxLength: number;
      readonly tokenizer: 'bart' | 'min-dalle';
    };

/** A text encoder as Hugging Face stores it: `text-encoder/`. */
export interface TextEncoderPart {
  readonly files: HuggingFaceFiles;
  readonly maxLength: number;
}

/** DALL·E Mini's own text encoder: `text-encoder/`. */
export interface BartPart {
  readonly config: BartConfig;
  readonly parameters: ReadonlyMap<string, TensorData>;
  /** How the tokenizer's files are read: as the published code reads them, or as min-dalle does. */
  readonly tokenizer: 'bart' | 'min-dalle';
  /**
   * The content of the tokenizer's files, as they were released: `tokenizer.json`, or `vocab.json` and `merges.txt`; and where captions are
   * normalized `enwiki-words-frequency.txt`.
   */
  readonly tokenizerFiles: Readonly<Partial<Record<TokenizerFileName, string>>>;
}

/**
 * Opens the text encoder of a model folder.
 * @throws ModelFolderError if a file is missing, damaged, or does not belong to the others.
 */
export async function openTextEncoder(
  folder: string,
  description: TextEncoderDescription,
  { signal, ...options }: { readonly runtime: Runtime; readonly batchSize?: number; readonly signal?: AbortSignal },
): Promise<TextEncoder> {
  const { type, maxLength } = description;
  try {
    if (type === 'bert') {
      const files = await inFile(folder, () => readHuggingFaceFolder(folder, openWeights));
      signal?.throwIfAborted();
      return await HuggingFaceTextEncoder.fromFiles(files, { ...options, maxLength, emojiNames: true });
    }
    const [{ config, parameters }, tokenizer] = await Promise.all([
      openPart(folder, bartKind),
      readDalleMiniTokenizer(folder, { kind: description.tokenizer }),
    ]);
    signal?.throwIfAborted();
    return await BartTextEncoder.fromParts({ config, tokenizer, parameters }, { ...options, maxLength });
  } catch (error) {
    throw signal?.aborted ? error : folderError(folder, error);
  }
}

/** The weights of a text encoder in their file if they stay there, or else read. */
async function openWeights(path: string): Promise<ReadonlyMap<string, CheckpointTensor>> {
  // Other formats may lay tensors out in other ways, as Flax does its matrices.
  if (!path.endsWith('.safetensors')) return readTensors(path);
  const located = await locateTensors(path);
  // Only counts and positions are of integers.
  const weights = [...located].filter(([, { dtype }]) => dtype === 'I8' || /F/.test(dtype));
  const transposed = weights.some(([name]) => name.endsWith('/kernel'));
  return !transposed && stayInFile(weights.map(([, tensor]) => tensor)) ? located : readTensors(path);
}

/**
 * Reads the files of a text encoder, in any of the formats in which Hugging Face has them; throws ModelFolderError if one is missing or
 * damaged. Their content is checked when it is used.
 */
export async function readTextEncoder(folder: string): Promise<HuggingFaceFiles> {
  return inFile(folder, () => readHuggingFaceFolder(folder));
}

export async function writeHuggingFaceFiles(folder: string, files: HuggingFaceFiles): Promise<void> {
  await writeJsonFile(join(folder, configFile), files.config);
  await writeJsonFile(join(folder, tokenizerFile), files.tokenizer);
  if (files.tokenizerConfig) await writeJsonFile(join(folder, tokenizerConfigFile), files.tokenizerConfig);
  await writeCheckpointFile(join(folder, weightsFile), files.weights, { format: 'pt' });
}

/** Writes the files of DALL·E Mini's tokenizer into a folder. */
export async function writeTokenizerFiles(folder: string, files: BartPart['tokenizerFiles']): Promise<void> {
  for (const [name, content] of Object.entries(files)) await writeFileAtomically(join(folder, name), content);
}

/** The text encoder of a model, in its folder. */

import { join } from 'node:path';
import type { TextEncoder } from '@dalle-mini/core';
import { writeFileAtomically, writeJsonFile } from '@dalle-mini/core/node';
import type { Runtime } from '@dalle-mini/graph';
import type { CheckpointTensor } from '@dalle-mini/graph/stored';
import {
  BartTextEncoder,
  ClassEncoder,
  type Classes,
  type HuggingFaceFiles,
  loadTextEncoder,
  TokenTextEncoder,
} from '@dalle-mini/text-encoder';
import { readDalleMiniTokenizer } from '@dalle-mini/text-encoder/node';
import { loadTextTokenizer } from '@dalle-mini/text-encoder/tokenizers';
import type { ReadOptions } from '@dalle-mini/weights';
import { locateTensors, readHuggingFaceFolder, writeCheckpointFile } from '@dalle-mini/weights/node';
import { folderError, inFile } from './error.js';
import { readJson, readTensors } from './files.js';
import type { BartPart, ClassesPart, TokenizerPart } from './model-parts.js';
import { openPart, stayInFile } from './part.js';
import { bartKind, configFile, weightsFile } from './part-kind.js';
import type { TextEncoderDescription } from './text-encoder-description.js';

const tokenizerFile = 'tokenizer.json';
const classesFile = 'classes.json';
const tokenizerConfigFile = 'tokenizer_config.json';

/**
 * Opens the text encoder of a model folder.
 *
 * @throws ModelFolderError if a file is missing, damaged, or does not match the others.
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
      const encoder = await loadTextEncoder(files, { ...options, maxLength, emojiNames: true });
      // A runtime that cannot be loaded is an error of loading, and not of the first image.
      await encoder.compile();
      return encoder;
    }
    if (type === 'tokens') {
      const tokenizer = await loadTextTokenizer(await readJson(join(folder, tokenizerFile)), {}, folder);
      return new TokenTextEncoder(tokenizer, { maxLength, emojiNames: true });
    }
    if (type === 'classes') {
      const path = join(folder, classesFile);
      return new ClassEncoder((await readJson(path)) as unknown as Classes, path);
    }
    const [{ config, parameters }, tokenizer] = await Promise.all([
      openPart(folder, bartKind),
      readDalleMiniTokenizer(folder, { kind: description.tokenizer }),
    ]);
    signal?.throwIfAborted();
    const encoder = new BartTextEncoder(config, parameters, { ...options, tokenizer, maxLength });
    await encoder.compile();
    return encoder;
  } catch (error) {
    throw signal?.aborted ? error : folderError(folder, error);
  }
}

/** Locates the weights of a text encoder in their file, or reads them if they cannot stay there. */
async function openWeights(path: string): Promise<ReadonlyMap<string, CheckpointTensor>> {
  // Other formats may store tensors differently: Flax transposes matrices.
  if (!/\.safetensors(\.index\.json)?$/.test(path)) return readTensors(path);
  const located = await locateTensors(path);
  // Integer tensors are counts and positions, not weights.
  const weights = [...located].filter(([, { dtype }]) => dtype === 'I8' || /F/.test(dtype));
  const transposed = weights.some(([name]) => name.endsWith('/kernel'));
  return !transposed && stayInFile(weights.map(([, tensor]) => tensor)) ? located : readTensors(path);
}

/**
 * Reads the files of a text encoder in any of Hugging Face's formats. Their content is checked on use.
 *
 * @throws ModelFolderError if a file is missing or damaged.
 */
export async function readTextEncoder(folder: string, options?: ReadOptions): Promise<HuggingFaceFiles> {
  return inFile(folder, () => readHuggingFaceFolder(folder, (path) => readTensors(path, options)));
}

export async function writeHuggingFaceFiles(folder: string, files: HuggingFaceFiles): Promise<void> {
  await writeJsonFile(join(folder, configFile), files.config);
  await writeJsonFile(join(folder, tokenizerFile), files.tokenizer);
  if (files.tokenizerConfig) await writeJsonFile(join(folder, tokenizerConfigFile), files.tokenizerConfig);
  await writeCheckpointFile(join(folder, weightsFile), files.weights, { format: 'pt' });
}

/** Writes a tokenizer alone, or classes, into a folder. */
export async function writeTokensFile(folder: string, part: TokenizerPart | ClassesPart): Promise<void> {
  if ('classes' in part) await writeJsonFile(join(folder, classesFile), part.classes);
  else await writeJsonFile(join(folder, tokenizerFile), part.tokenizerJson);
}

/** Writes the files of DALL·E Mini's tokenizer into a folder. */
export async function writeTokenizerFiles(folder: string, files: BartPart['tokenizerFiles']): Promise<void> {
  for (const [name, content] of Object.entries(files)) await writeFileAtomically(join(folder, name), content);
}

/** Makes the parts of a model from its files in memory. */
import { nextTurn, type TextEncoder } from '@dalle-mini/core';
import { type AnyDecoder, createDecoder, textWidthOf } from '@dalle-mini/decoder';
import type { Runtime } from '@dalle-mini/graph';
import { bindParameters, type InMemory, type StoredParameter } from '@dalle-mini/graph/stored';
import {
  BartTextEncoder,
  ClassEncoder,
  type Classes,
  loadTextEncoder,
  TokenTextEncoder,
} from '@dalle-mini/text-encoder';
import { dalleMiniTokenizer, loadTextTokenizer } from '@dalle-mini/text-encoder/tokenizers';
import { VqganTokenizer } from '@dalle-mini/vqgan';
import { readSafetensors } from '@dalle-mini/weights';
import { folderError, inFile, ModelFolderError } from '../model-folder/error.js';
import {
  bartKind,
  configFile,
  decoderKind,
  type Part,
  type PartKind,
  vqganKind,
  weightsFile,
} from '../model-folder/part-kind.js';
import type { TextEncoderDescription } from '../model-folder/text-encoder-description.js';
import type { ModelFiles } from './model-files.js';

/** Reads the configuration and the parameters of a part, which stay as they are stored. */
export async function readPart<Config>(
  files: ModelFiles,
  folder: string,
  kind: PartKind<Config>,
): Promise<Part<Config, InMemory<StoredParameter>>> {
  const [configPath, path] = [`${folder}/${configFile}`, `${folder}/${weightsFile}`];
  const config = (await files.json(configPath)) as Config;
  await inFile(files.at(configPath), () => kind.check(config, files.at(configPath)));
  await nextTurn();
  const parameters = await inFile(files.at(path), () =>
    bindParameters(kind.parameters(config), readSafetensors(files.take(path)).tensors, { isUnneeded: () => false }),
  );
  return { config, parameters };
}

/** Makes a decoder whose text encoder has a certain width. */
export async function openDecoder(
  files: ModelFiles,
  folder: string,
  runtime: Runtime,
): Promise<{ readonly decoder: AnyDecoder; readonly textWidth: number }> {
  const { config, parameters } = await readPart(files, folder, decoderKind);
  return { decoder: createDecoder(config, parameters, { runtime }), textWidth: textWidthOf(config) };
}

export async function openImageTokenizer(files: ModelFiles, folder: string, runtime: Runtime): Promise<VqganTokenizer> {
  const { config, parameters } = await readPart(files, folder, vqganKind);
  return new VqganTokenizer(config, parameters, { runtime });
}

/** @throws ModelFolderError if a file is damaged or does not match the others. */
export async function openTextEncoder(
  files: ModelFiles,
  description: TextEncoderDescription,
  runtime: Runtime,
): Promise<TextEncoder & { readonly width: number }> {
  const { type, folder, maxLength } = description;
  // One caption at once, because the encoding of the negative prompt is kept.
  const options = { runtime, maxLength, batchSize: 1 };
  try {
    if (type === 'tokens') {
      const tokenizer = await loadTextTokenizer(await files.json(`${folder}/tokenizer.json`), {}, files.at(folder));
      return new TokenTextEncoder(tokenizer, { maxLength, emojiNames: true });
    }
    if (type === 'classes') {
      const path = `${folder}/classes.json`;
      return new ClassEncoder((await files.json(path)) as unknown as Classes, files.at(path));
    }
    const encoder = await (type === 'bert'
      ? loadTextEncoder(await huggingFaceFiles(files, folder), { ...options, emojiNames: true }, files.at(folder))
      : bartEncoder(files, folder, description.tokenizer, options));
    await encoder.compile();
    return encoder;
  } catch (error) {
    throw folderError(files.at(folder), error);
  }
}

/** Reads the contents of the files of a text encoder from Hugging Face. */
export async function huggingFaceFiles(files: ModelFiles, folder: string) {
  const at = (name: string) => `${folder}/${name}`;
  const optional = (name: string) => (files.has(at(name)) ? files.json(at(name)) : undefined);
  return {
    config: await files.json(at(configFile)),
    tokenizer: await vocabularyOf(files, at),
    tokenizerConfig: await optional('tokenizer_config.json'),
    weights: readSafetensors(files.take(at(weightsFile))).tensors,
  };
}

async function vocabularyOf(files: ModelFiles, at: (name: string) => string): Promise<object> {
  if (files.has(at('vocab.txt'))) return { vocab: files.text(at('vocab.txt')) };
  if (!files.has(at('vocab.json'))) return files.json(at('tokenizer.json'));
  return { vocab: await files.json(at('vocab.json')), merges: files.text(at('merges.txt')) };
}

async function bartEncoder(
  files: ModelFiles,
  folder: string,
  kind: 'bart' | 'min-dalle',
  options: { readonly runtime: Runtime; readonly maxLength: number; readonly batchSize: number },
): Promise<BartTextEncoder> {
  const { config, parameters } = await readPart(files, folder, bartKind);
  const read = async (name: string, needed?: 'needed') =>
    needed || files.has(`${folder}/${name}`) ? files.text(`${folder}/${name}`) : undefined;
  const tokenizer = await dalleMiniTokenizer(read, { kind }, files.at(folder));
  return new BartTextEncoder(config, parameters, { ...options, tokenizer });
}

/** @throws ModelFolderError if the decoder was trained with another text encoder. */
export function checkWidths(files: ModelFiles, textEncoder: { readonly width: number }, textWidth: number): void {
  if (textEncoder.width === textWidth) return;
  throw new ModelFolderError(
    `${files.name}: the decoder's textWidth must be ${textEncoder.width}, the width of the text encoder, not ${textWidth}. ` +
      'Download or export the model again.',
  );
}

import { object, readOptions } from '@dalle-mini/core';
import type { TensorData } from '@dalle-mini/graph';
import { decodeParameter, type InMemory, type StoredParameter } from '@dalle-mini/graph/stored';
import { ModelFolderError } from '../model-folder/error.js';
import type { ModelParts } from '../model-folder/model-parts.js';
import { decoderKind, type Part, vqganKind } from '../model-folder/part-kind.js';
import { type DownloadModelOptions, downloadModel, downloadModelFields } from './download-model.js';
import { huggingFaceFiles, readPart } from './open-parts.js';

/**
 * Reads a model into memory, as float32: to train it further, or parts of it.
 *
 * @param source As of `fromPretrained`.
 * @throws The errors of `fromPretrained`; ModelFolderError if the model has DALL·E Mini's text encoder.
 */
export async function readModelFolder(source = 'emoji', options: DownloadModelOptions = {}): Promise<ModelParts> {
  const given = readOptions(object<DownloadModelOptions>(downloadModelFields), options, 'readModelFolder');
  const { description, files } = await downloadModel(source, given);
  const { name, license, imageTokenizer, textEncoder, decoder, sampling } = description;
  if (textEncoder.type !== 'bert')
    throw new ModelFolderError(
      `${files.name}: textEncoder.type must be "bert" to be read, not "${textEncoder.type}". Use fromPretrained.`,
    );
  return {
    name,
    ...(license === undefined ? {} : { license }),
    imageTokenizer: decoded(await readPart(files, imageTokenizer.folder, vqganKind)),
    textEncoder: { files: await huggingFaceFiles(files, textEncoder.folder), maxLength: textEncoder.maxLength },
    decoder: decoded(await readPart(files, decoder.folder, decoderKind)),
    sampling,
  };
}

function decoded<Config>({ config, parameters }: Part<Config, InMemory<StoredParameter>>): Part<Config> {
  const values = [...parameters].map(([name, value]): [string, TensorData] => [
    name,
    { dtype: 'float32', shape: value.shape, data: decodeParameter(value) },
  ]);
  return { config, parameters: new Map(values) };
}

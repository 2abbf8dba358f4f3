/** Opens decoders from files. */
import { join } from 'node:path';
import { object, readOptions } from '@dalle-mini/core';
import { readJsonFile } from '@dalle-mini/core/node';
import { chooseRuntime, type RuntimeOptions, runtimeFields } from '@dalle-mini/graph/onnxruntime';
import { bindParameters } from '@dalle-mini/graph/stored';
import { type HubOptions, hubFields, resolveModelFolder } from '@dalle-mini/weights/hub';
import { readCheckpointFile } from '@dalle-mini/weights/node';
import { checkDecoderConfig } from './config.js';
import { DalleMiniDecoder } from './dalle-mini-decoder.js';
import { decoderParameters } from './decoding.js';
import { importDecoder, importDecoderConfig } from './published.js';

export type OpenDecoderOptions = HubOptions & RuntimeOptions;

const openFields = object<OpenDecoderOptions>({ ...hubFields, ...runtimeFields });

/**
 * Opens a decoder from a folder, or from the Hugging Face hub by a name such as `dalle-mini/dalle-mini`. It reads
 * published models (`config.json` and `flax_model.msgpack`) and the folder `decoder` of model folders (`config.json`
 * and `model.safetensors`).
 *
 * @throws ConfigError or CheckpointError if a file is damaged, or the two do not match; FileError if a file cannot be
 * read; HubError if the download fails; OptionError if an option is wrong.
 *
 * @example
 * ```ts
 * import { openDecoder } from '@dalle-mini/decoder/node';
 * import { openTextEncoder } from '@dalle-mini/text-encoder/node';
 *
 * const textEncoder = await openTextEncoder('model/text-encoder', { maxLength: 24 });
 * const decoder = await openDecoder('model/decoder');
 * const grids = await decoder.generate(await textEncoder.encode(['a red apple']), { seed: 7 });
 * console.log(grids[0]); // gridSize² tokens
 * await decoder.dispose();
 * await textEncoder.dispose();
 * ```
 */
export async function openDecoder(source: string, options: OpenDecoderOptions = {}): Promise<DalleMiniDecoder> {
  const { runtime, threads, ...hub } = readOptions(openFields, options, 'openDecoder');
  const folder = await resolveModelFolder(source, filesToDownload, hub);
  hub.signal?.throwIfAborted();
  const path = join(folder, 'config.json');
  const json = await readJsonFile(path);
  const isPublished = json.model_type === 'dallebart' || 'd_model' in json;
  // The configuration first, so that a wrong one is refused before the weights are read.
  const config = isPublished ? importDecoderConfig(json, path) : checkDecoderConfig(json, path);
  const { tensors } = await readCheckpointFile(join(folder, isPublished ? publishedWeights : folderWeights));
  hub.signal?.throwIfAborted();
  const weights = isPublished ? importDecoder(tensors, config) : tensors;
  return new DalleMiniDecoder(config, bindParameters(decoderParameters(config), weights), {
    ...chooseRuntime({ runtime, threads }),
  });
}

const publishedWeights = 'flax_model.msgpack';
const folderWeights = 'model.safetensors';

function filesToDownload(listing: readonly { readonly name: string }[]): string[] {
  return ['config.json', listing.some(({ name }) => name === publishedWeights) ? publishedWeights : folderWeights];
}

/** Opens decoders from files. */
import { join } from 'node:path';
import { object, readOptions } from '@dalle-mini/core';
import { readJsonFile } from '@dalle-mini/core/node';
import { chooseRuntime, type RuntimeOptions, runtimeFields } from '@dalle-mini/graph/onnxruntime';
import { bindParameters } from '@dalle-mini/graph/stored';
import { findModel, type ReadOptions, whichField } from '@dalle-mini/weights';
import { chooseWeights, type HubOptions, hubFields, resolveModelFolder } from '@dalle-mini/weights/hub';
import { findWeights, readCheckpointFile } from '@dalle-mini/weights/node';
import { importDecoder, importDecoderConfig } from './dalle-mini/published.js';
import { type AnyDecoder, checkAnyDecoderConfig, createDecoder, decoderParameters } from './models.js';

export type OpenDecoderOptions = HubOptions & RuntimeOptions & ReadOptions;

const openFields = object<OpenDecoderOptions>({ ...hubFields, ...runtimeFields, which: whichField });

/**
 * Opens a decoder from a folder, or from the Hugging Face hub by a name such as `dalle-mini/dalle-mini`. It reads the folder `decoder` of
 * model folders (`config.json` and `model.safetensors`), with a decoder of any kind, and published models of DALL·E Mini (`config.json` and
 * `flax_model.msgpack`). Releases of other models are opened by `fromPretrained` of `@dalle-mini/pipeline`.
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
export async function openDecoder(source: string, options: OpenDecoderOptions = {}): Promise<AnyDecoder> {
  const { runtime, threads, which, ...hub } = readOptions(openFields, options, 'openDecoder');
  const folder = await resolveModelFolder(source, filesToDownload, hub);
  hub.signal?.throwIfAborted();
  const path = join(folder, 'config.json');
  const json = await readJsonFile(path);
  const isPublished = json.model_type === 'dallebart' || 'd_model' in json;
  // The configuration first, so that a wrong one is refused before the weights are read.
  const published = isPublished ? importDecoderConfig(json, path) : undefined;
  const config = published ?? checkAnyDecoderConfig(json, path);
  const file = await findWeights(folder, [isPublished ? publishedWeights : folderWeights]);
  const { tensors } = await readCheckpointFile(file, { which });
  hub.signal?.throwIfAborted();
  const weights = published ? importDecoder(tensors, published) : tensors;
  const declared = decoderParameters(config);
  const names = [...declared.keys()].map((name) => [name]);
  // What the model does not have could change what it computes, such as the scales of norms.
  const parameters = bindParameters(declared, findModel(weights, names).tensors, { isUnneeded: () => false });
  return createDecoder(config, parameters, {
    ...chooseRuntime({ runtime, threads }),
  });
}

const publishedWeights = 'flax_model.msgpack';
const folderWeights = 'model.safetensors';

function filesToDownload(listing: readonly { readonly name: string }[]): string[] {
  const isPublished = listing.some(({ name }) => name.startsWith(publishedWeights));
  return ['config.json', ...chooseWeights(listing, [isPublished ? publishedWeights : folderWeights])];
}

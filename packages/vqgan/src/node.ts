/** Functions that need a file system: opening a VQ-GAN from its files. */
import { basename, join } from 'node:path';
import { ConfigError, object, readOptions } from '@dalle-mini/core';
import { exists, readJsonFile, readTextFile } from '@dalle-mini/core/node';
import type { TensorData } from '@dalle-mini/graph';
import { chooseRuntime, type RuntimeOptions, runtimeFields } from '@dalle-mini/graph/onnxruntime';
import { dequantize } from '@dalle-mini/graph/stored';
import { type Checkpoint, CheckpointError, fromFloat32, type ReadOptions, whichField } from '@dalle-mini/weights';
import { chooseWeights, type HubOptions, hubFields, resolveModelFolder } from '@dalle-mini/weights/hub';
import { findWeights, readCheckpointFile, writeCheckpointFile } from '@dalle-mini/weights/node';
import { checkVqganConfig, type VqganConfig, vqganPresets } from './config.js';
import { discriminatorPrefix } from './discriminator.js';
import { importDiscriminator, importVqgan, importVqganConfig } from './published.js';
import { VqganTokenizer } from './vqgan-tokenizer.js';

export type OpenVqganOptions = HubOptions & RuntimeOptions & ReadOptions;

const openFields = object<OpenVqganOptions>({ ...hubFields, ...runtimeFields, which: whichField });

/** The files of a VQ-GAN that are in different folders or have other names than the usual ones. */
export interface VqganFiles {
  /** The path of a `config.json` or `.yaml`, or the configuration itself, such as a preset. */
  readonly config: string | VqganConfig;
  /** The path of the weights, in any format of `readCheckpointFile`. */
  readonly weights: string;
}

/**
 * Opens a VQ-GAN from a folder, from the Hugging Face hub by a name such as `dalle-mini/vqgan_imagenet_f16_16384`, or from a pair of
 * files. Of a folder, the first of these files is read:
 *
 * - configuration: `config.json`, a `VqganConfig` or one of vqgan-jax; `model.yaml` or `configs/model.yaml`, of Taming;
 * - weights: `model.safetensors`, under Taming's names, as floats of any width or in 8 bits; `flax_model.msgpack`; `last.ckpt` or
 *   `checkpoints/last.ckpt`, of Taming; `detoker.pt`, of min-dalle, which needs no configuration. A file may be replaced by an index
 *   and its files. Names may have a prefix, such as `module.`. `which: 'ema'` reads the moving average of a file that has one.
 *
 * @throws ConfigError or CheckpointError if a file is damaged, or the two do not match; FileError if a file cannot be read;
 * HubError if the hub cannot provide it. All name the file and what to do.
 *
 * @example
 * ```ts
 * import { openVqganTokenizer } from '@dalle-mini/vqgan/node';
 *
 * const tokenizer = await openVqganTokenizer('vqgan');
 * const grid = new Int32Array(tokenizer.gridSize ** 2); // the first code everywhere
 * const [image] = await tokenizer.decode([grid]);
 * console.log(image?.width, image?.height);
 * await tokenizer.dispose();
 * ```
 */
export async function openVqganTokenizer(
  source: string | VqganFiles,
  options: OpenVqganOptions = {},
): Promise<VqganTokenizer> {
  const { runtime, threads, which, ...hub } = readOptions(openFields, options, 'openVqganTokenizer');
  const folder = typeof source === 'string' ? await resolveModelFolder(source, vqganFiles, hub) : source;
  hub.signal?.throwIfAborted();
  const files = await filesOf(folder);
  const { config, weights } = await readVqganFiles(files, { which });
  hub.signal?.throwIfAborted();
  const parameters = inFile(files.weights, () => dequantize(weights));
  return new VqganTokenizer(config, parameters, {
    ...chooseRuntime({ runtime, threads }),
  });
}

const configNames = ['config.json', 'model.yaml', 'configs/model.yaml'];
const weightsNames = ['model.safetensors', 'flax_model.msgpack', 'last.ckpt', 'checkpoints/last.ckpt', 'detoker.pt'];

/**
 * Chooses the files of a VQ-GAN that {@link readVqganFiles} needs, of those that a repository has. Pass it as `files` of
 * `downloadModel`.
 */
export function vqganFiles(listing: readonly { readonly name: string }[]): string[] {
  const names = new Set(listing.map(({ name }) => name));
  const weights = chooseWeights(listing, weightsNames);
  const config = configNames.find((name) => names.has(name));
  if (config === undefined && weights[0] === 'detoker.pt') return weights;
  return [config ?? configNames[0]!, ...weights];
}

/** Finds the files of a folder. If it has none, the first name is the one that an error then reports. */
async function filesOf(source: string | VqganFiles): Promise<VqganFiles> {
  if (typeof source !== 'string') return source;
  const weights = await findWeights(source, weightsNames);
  for (const name of configNames) if (await exists(join(source, name))) return { config: join(source, name), weights };
  const isMinDalle = basename(weights) === 'detoker.pt';
  return { config: isMinDalle ? vqganPresets['min-dalle'] : join(source, configNames[0]!), weights };
}

/**
 * Reads the configuration of a VQ-GAN and its tensors, under Taming's names, in the types in which they are stored, from a folder or
 * a pair of files: see {@link openVqganTokenizer}.
 */
export async function readVqganFiles(
  source: string | VqganFiles,
  options: ReadOptions = {},
): Promise<{ readonly config: VqganConfig; readonly weights: Checkpoint }> {
  const { config: given, weights } = await filesOf(source);
  // The configuration first: a wrong one is refused before memory is taken.
  const config = typeof given === 'string' ? await readVqganConfig(given) : checkVqganConfig(given);
  const { tensors } = await readCheckpointFile(weights, options);
  return { config, weights: inFile(weights, () => importVqgan(tensors, config)) };
}

/** The file of a discriminator in the folder of its VQ-GAN. */
export const discriminatorFile = 'discriminator.safetensors';

/**
 * Reads the discriminator that a VQ-GAN was trained against, under Taming's names: from `discriminator.safetensors` in its folder, or
 * from the checkpoint of Taming's training. Returns none if there is none.
 *
 * @throws CheckpointError if the file is damaged; FileError if it cannot be read.
 */
export async function readDiscriminator(source: string | VqganFiles): Promise<Checkpoint> {
  const own = typeof source === 'string' ? join(source, discriminatorFile) : undefined;
  const path = own !== undefined && (await exists(own)) ? own : (await filesOf(source)).weights;
  const { tensors } = await readCheckpointFile(path);
  return importDiscriminator(tensors);
}

/**
 * Writes the discriminator among the parameters of a trained VQ-GAN to `discriminator.safetensors` in a folder, in float32 under
 * Taming's names. Writes nothing if there is none.
 *
 * @throws FileError if it cannot be written.
 */
export async function writeDiscriminator(folder: string, parameters: ReadonlyMap<string, TensorData>): Promise<void> {
  const tensors: Checkpoint = new Map();
  for (const [name, { data, shape }] of parameters)
    if (name.startsWith(discriminatorPrefix)) tensors.set(name, fromFloat32(data as Float32Array, shape));
  if (tensors.size > 0) await writeCheckpointFile(join(folder, discriminatorFile), tensors, {});
}

/** Runs work that depends on a file's content. If it fails, the error names the file. */
function inFile<Result>(path: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw new CheckpointError(`${path}: ${(error as Error).message}`, { cause: error });
  }
}

async function readVqganConfig(path: string): Promise<VqganConfig> {
  const json = /\.ya?ml$/i.test(path) ? await readYamlFile(path) : await readJsonFile(path);
  return 'model' in json || 'n_embed' in json ? importVqganConfig(json, path) : checkVqganConfig(json, path);
}

/**
 * Reads a YAML file that has a map of fields.
 *
 * @throws ConfigError if it is damaged; FileError if it cannot be read.
 */
export async function readYamlFile(path: string): Promise<object> {
  const [text, { parse }] = await Promise.all([readTextFile(path), import('yaml')]);
  let content: unknown;
  try {
    content = parse(text);
  } catch (error) {
    const reason = (error as Error).message.replace(/\s+/g, ' ').slice(0, 200);
    throw new ConfigError(path, 'the text', `must be YAML, and is not (${reason}). Correct it, or download it again.`);
  }
  if (typeof content !== 'object' || content === null)
    throw new ConfigError(path, 'the text', 'must hold a map of fields. Correct it, or download it again.');
  return content;
}

/** What needs a file system: opening a VQ-GAN from its files. */
import { join } from 'node:path';
import type { ImageTokenizer } from '@dalle-mini/core';
import { dequantize, type Runtime, sameShape, type TensorData } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { type Checkpoint, CheckpointError } from '@dalle-mini/weights';
import { isThere, readCheckpointFile, readTextFile } from '@dalle-mini/weights/node';
import { checkVqganConfig, type VqganConfig, vqganPresets } from './config.js';
import { takeVqgan, vqganConfigFromRelease } from './release.js';
import { vqganParameters } from './vqgan.js';
import { checkRgb, VqganTokenizer } from './vqgan-tokenizer.js';

export interface OpenVqganOptions {
  /** What computes. It stays the caller's to dispose of. Default: an `OnnxRuntime` that is disposed of with the tokenizer. */
  readonly runtime?: Runtime;
  /** Threads of the default runtime. Default: the number of processor cores. */
  readonly threads?: number;
}

/** A VQ-GAN whose two files are not in one folder, or have names of their own. */
export interface VqganFiles {
  /** The path of a `config.json` or `.yaml`, or the configuration itself, such as a preset. */
  readonly config: string | VqganConfig;
  /** The path of the weights, in any format of `readCheckpointFile`. */
  readonly weights: string;
}

/**
 * Opens a VQ-GAN: that of a folder, or of a pair of files. In a folder, the first of these is read:
 *
 * - configuration: `config.json`, a `VqganConfig` or that of a release of vqgan-jax; `model.yaml`, `configs/model.yaml`, Taming's;
 * - weights: `model.safetensors`, under Taming's names, as floats of any width or in 8 bits; `flax_model.msgpack`; `last.ckpt`,
 *   `checkpoints/last.ckpt`, Taming's; `detoker.pt`, min-dalle's, which needs no configuration.
 *
 * @throws FileError if a file cannot be read; CheckpointError if one is damaged or the two do not belong together. Both name
 * the file and say how to mend it.
 */
export async function openVqganTokenizer(
  source: string | VqganFiles,
  options: OpenVqganOptions = {},
): Promise<ImageTokenizer> {
  const files = await filesOf(source);
  const { config, weights } = await readVqganFiles(files);
  const parameters = named(files.weights, () => dequantize(weights));
  if (options.runtime) return new VqganTokenizer(config, parameters, options.runtime);
  return new OwningTokenizer(config, parameters, new OnnxRuntime({ threads: options.threads }));
}

const CONFIGS = ['config.json', 'model.yaml', 'configs/model.yaml'];
const WEIGHTS = ['model.safetensors', 'flax_model.msgpack', 'last.ckpt', 'checkpoints/last.ckpt', 'detoker.pt'];

/** The files of a folder. Where there is none, the name of the first is what an error then tells. */
async function filesOf(source: string | VqganFiles): Promise<VqganFiles> {
  if (typeof source !== 'string') return source;
  const folder = source;
  const first = async (names: readonly string[]) => {
    for (const name of names) if (await isThere(join(folder, name))) return name;
    return undefined;
  };
  const [config, weights] = await Promise.all([first(CONFIGS), first(WEIGHTS)]);
  return {
    config:
      config === undefined && weights === 'detoker.pt'
        ? vqganPresets['min-dalle']
        : join(folder, config ?? CONFIGS[0]!),
    weights: join(folder, weights ?? WEIGHTS[0]!),
  };
}

/** A tokenizer that ends its runtime with itself. */
class OwningTokenizer extends VqganTokenizer {
  constructor(
    config: VqganConfig,
    parameters: ReadonlyMap<string, TensorData>,
    private readonly ownRuntime: Runtime,
  ) {
    super(config, parameters, ownRuntime);
  }

  override async dispose(): Promise<void> {
    await super.dispose();
    await this.ownRuntime.dispose();
  }
}

/** The configuration of a VQ-GAN and its tensors, under Taming's names, in the types in which they are stored: see {@link openVqganTokenizer}. */
export async function readVqganFiles(
  source: string | VqganFiles,
): Promise<{ readonly config: VqganConfig; readonly weights: Checkpoint }> {
  const { config: given, weights } = await filesOf(source);
  const what = typeof given === 'string' ? given : 'the configuration';
  const [config, { format, tensors }] = await Promise.all([
    typeof given === 'string' ? readConfig(given) : checked(given),
    readCheckpointFile(weights),
  ]);
  return named(weights, () => ({
    config,
    weights: format === 'safetensors' ? takeNeeded(tensors, config, what) : takeVqgan(tensors, config),
  }));
}

/** Runs what may fail because of a file's content, and names the file if it does. */
function named<Result>(path: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw new CheckpointError(`${path}: ${(error as Error).message}`, { cause: error });
  }
}

/** What the model needs and no more: a checkpoint of training holds a discriminator too. */
function takeNeeded(tensors: Checkpoint, config: VqganConfig, what: string): Checkpoint {
  const needed: Checkpoint = new Map();
  for (const [name, { shape }] of vqganParameters(config)) {
    const tensor = tensors.get(name);
    const mend = `${what} asks for [${shape.join(', ')}]; put the two files of one model into the folder.`;
    if (!tensor) throw new CheckpointError(`the tensor ${name} is missing, and ${mend}`);
    if (!sameShape(tensor.shape, shape))
      throw new CheckpointError(`the tensor ${name} is [${tensor.shape.join(', ')}], and ${mend}`);
    for (const part of [name, `${name}.scale`, `${name}.outliers`, `${name}.outlier_positions`]) {
      if (tensors.has(part)) needed.set(part, tensors.get(part)!);
    }
  }
  return needed;
}

async function readConfig(path: string): Promise<VqganConfig> {
  const text = await readTextFile(path);
  try {
    const config: unknown = /\.ya?ml$/i.test(path) ? (await import('yaml')).parse(text) : JSON.parse(text);
    if (typeof config !== 'object' || config === null) throw new RangeError('it must hold an object');
    return checked('model' in config || 'n_embed' in config ? vqganConfigFromRelease(config) : (config as VqganConfig));
  } catch (error) {
    const why = (error as Error).message.replace(/\s+/g, ' ');
    throw new CheckpointError(`${path}: ${why}. Mend the field, or fetch the file again.`, { cause: error });
  }
}

function checked(config: VqganConfig): VqganConfig {
  checkVqganConfig(config);
  checkRgb(config);
  return config;
}

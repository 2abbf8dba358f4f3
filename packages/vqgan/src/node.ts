/** What needs a file system: opening a VQ-GAN from its folder. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Runtime, sameShape, type TensorData } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { type Checkpoint, CheckpointError, dequantize } from '@dalle-mini/weights';
import { FileError, readCheckpointFile } from '@dalle-mini/weights/node';
import { checkVqganConfig, type VqganConfig } from './config.js';
import type { ImageTokenizer } from './image-tokenizer.js';
import { vqganParameters } from './vqgan.js';
import { checkRgb, VqganTokenizer } from './vqgan-tokenizer.js';

export interface OpenVqganOptions {
  /** What computes. It stays the caller's to dispose of. Default: an `OnnxRuntime` that is disposed of with the tokenizer. */
  readonly runtime?: Runtime;
  /** Threads of the default runtime. Default: the number of processor cores. */
  readonly threads?: number;
}

/**
 * Opens the VQ-GAN of a folder with `config.json`, a `VqganConfig`, and `model.safetensors`, its weights under Taming's names,
 * as floats of any width or in 8 bits.
 *
 * @throws FileError if a file cannot be read; CheckpointError if one is damaged or the two do not belong together. Both name
 * the file and say how to mend it.
 */
export async function openVqganTokenizer(folder: string, options: OpenVqganOptions = {}): Promise<ImageTokenizer> {
  const { config, parameters } = await readVqgan(folder);
  if (options.runtime) return new VqganTokenizer(config, parameters, options.runtime);
  return new OwningTokenizer(config, parameters, new OnnxRuntime({ threads: options.threads }));
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

async function readVqgan(folder: string): Promise<{ config: VqganConfig; parameters: Map<string, TensorData> }> {
  const configPath = join(folder, 'config.json');
  const weightsPath = join(folder, 'model.safetensors');
  const [config, { tensors }] = await Promise.all([readConfig(configPath), readCheckpointFile(weightsPath)]);
  // What the model needs and no more: a checkpoint of training holds a discriminator too.
  const needed: Checkpoint = new Map();
  for (const [name, { shape }] of vqganParameters(config)) {
    const tensor = tensors.get(name);
    const mend = `${configPath} asks for [${shape.join(', ')}]; put the two files of one model into the folder.`;
    if (!tensor) throw new CheckpointError(`${weightsPath}: the tensor ${name} is missing, and ${mend}`);
    if (!sameShape(tensor.shape, shape))
      throw new CheckpointError(`${weightsPath}: the tensor ${name} is [${tensor.shape.join(', ')}], and ${mend}`);
    for (const part of [name, `${name}.scale`, `${name}.outliers`, `${name}.outlier_positions`]) {
      if (tensors.has(part)) needed.set(part, tensors.get(part)!);
    }
  }
  try {
    return { config, parameters: dequantize(needed) };
  } catch (error) {
    throw new CheckpointError(`${weightsPath}: ${(error as Error).message}`, { cause: error });
  }
}

async function readConfig(path: string): Promise<VqganConfig> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new FileError('read', path, error as NodeJS.ErrnoException);
  }
  try {
    const config: unknown = JSON.parse(text);
    if (typeof config !== 'object' || config === null) throw new RangeError('it must hold an object');
    checkVqganConfig(config as VqganConfig);
    checkRgb(config as VqganConfig);
    return config as VqganConfig;
  } catch (error) {
    const why = (error as Error).message.replace(/\s+/g, ' ');
    throw new CheckpointError(`${path}: ${why}. Mend the field, or fetch the file again.`, { cause: error });
  }
}

/** A part of a model in a folder: `config.json`, and the weights in `model.safetensors`. */
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { writeJsonFile } from '@dalle-mini/core/node';
import { sizeOf, type Tensor, type TensorData } from '@dalle-mini/graph';
import { readParameter } from '@dalle-mini/graph/node';
import {
  type BindOptions,
  bindParameters,
  checkpointTensors,
  matchParameters,
  quantizeBlocks,
  quantizeColumns,
  type StoredParameter,
} from '@dalle-mini/graph/stored';
import { type Checkpoint, type StoredTensor, toFloat32 } from '@dalle-mini/weights';
import { locateTensors, type TensorLocation, writeCheckpointFile } from '@dalle-mini/weights/node';
import type { Dtype } from './dtype.js';
import { inFile, ModelFolderError } from './error.js';
import { readJson, readTensors } from './files.js';
import {
  configFile,
  type DecoderPart,
  decoderKind,
  type Part,
  type PartKind,
  type VqganPart,
  vqganKind,
  weightsFile,
} from './part-kind.js';

/** A part of a published model, with its weights in their stored type. */
export interface PublishedPart<Config> {
  readonly config: Config;
  readonly weights: ReadonlyMap<string, StoredTensor>;
}

/**
 * Reads `config.json` and `model.safetensors` of a VQ-GAN.
 *
 * @throws ModelFolderError if one is missing or damaged, or if they do not match.
 */
export async function readVqgan(folder: string): Promise<VqganPart> {
  return readPart(folder, vqganKind);
}

/**
 * Reads `config.json` and `model.safetensors` of a decoder.
 *
 * @throws ModelFolderError if one is missing or damaged, or if they do not match.
 */
export async function readDecoder(folder: string): Promise<DecoderPart> {
  return readPart(folder, decoderKind);
}

/**
 * Opens a VQ-GAN as {@link readVqgan} does, but large weights, and those in 16 or 8 bits, stay in their mapped file.
 */
export async function openVqganPart(folder: string): Promise<VqganPart<StoredParameter>> {
  return openPart(folder, vqganKind);
}

/**
 * Opens a decoder as {@link readDecoder} does, but large weights, and those in 16 or 8 bits, stay in their mapped file,
 * and quantized matrices stay quantized.
 */
export async function openDecoderPart(folder: string): Promise<DecoderPart<StoredParameter>> {
  return openPart(folder, decoderKind);
}

/**
 * Writes a part. Quantizing removes the weights from the map one by one, so that memory never has a second copy of
 * them.
 */
export async function writePart<Config extends object>(
  folder: string,
  { config, weights }: { readonly config: Config; readonly weights: Checkpoint },
  kind: PartKind<Config>,
  dtype: Dtype,
): Promise<void> {
  await writeJsonFile(join(folder, configFile), config);
  const path = join(folder, weightsFile);
  if (dtype === 'fp32' || dtype === 'fp16') {
    await writeCheckpointFile(path, weights, { format: 'pt' }, { dtype: dtype === 'fp32' ? 'F32' : 'F16' });
    return;
  }
  const quantizable = kind.quantizable(config);
  const tensors: Checkpoint = new Map();
  for (const name of namesByMemory(weights)) {
    const tensor = weights.get(name)!;
    weights.delete(name);
    if (!quantizable.has(name)) {
      tensors.set(name, tensor);
      continue;
    }
    const values = toFloat32(tensor);
    const matrix =
      dtype === 'q8' && kind.byColumns?.(name)
        ? quantizeColumns(values, tensor.shape)
        : quantizeBlocks(values, tensor.shape, { bits: dtype === 'q4' ? 4 : 8 });
    for (const [part, stored] of checkpointTensors(name, matrix)) tensors.set(part, stored);
  }
  await writeCheckpointFile(path, tensors, { format: 'pt' }, { dtype: 'F32' });
}

/** Sorts the names of tensors so that those that share memory (layers of one published tensor) are freed together. */
function namesByMemory(tensors: ReadonlyMap<string, StoredTensor>): string[] {
  const names = new Map<ArrayBufferLike, string[]>();
  for (const [name, { bytes }] of tensors) {
    const sharing = names.get(bytes.buffer);
    if (sharing) sharing.push(name);
    else names.set(bytes.buffer, [name]);
  }
  return [...names.values()].flat();
}

/** Reads a part into memory as float32. */
export async function readPart<Config>(folder: string, kind: PartKind<Config>): Promise<Part<Config>> {
  const { config, parameters } = await openPart(folder, kind);
  const read = new Map<string, TensorData>();
  for (const [name, value] of parameters) read.set(name, await readParameter(value));
  return { config, parameters: read };
}

/**
 * Files with at least this many bytes of weights are mapped. Windows cannot replace a mapped file while it is in use.
 */
const largeFile = 2 ** 28;

/** Element types that runtimes can read from a mapped file. */
const mappedDtypes: readonly string[] = ['F32', 'F16', 'I8', 'I32', 'U8'];

/**
 * Decides whether tensors stay in their file: if they are large, or if a runtime must widen them, off the event loop.
 */
export function stayInFile(tensors: readonly TensorLocation[]): boolean {
  if (!tensors.every(({ dtype }) => mappedDtypes.includes(dtype))) return false;
  const bytes = tensors.reduce((sum, { dtype, shape }) => sum + (dtype === 'U8' ? 1 : 4) * sizeOf(shape), 0);
  return bytes >= largeFile || tensors.some(({ dtype }) => dtype === 'F16' || dtype === 'I8');
}

/**
 * Opens a part with its parameters as they are stored. Large parameters, and those in 16 or 8 bits, which a runtime
 * widens off the event loop, stay in their file.
 */
export async function openPart<Config>(folder: string, kind: PartKind<Config>): Promise<Part<Config, StoredParameter>> {
  const configPath = join(folder, configFile);
  const path = join(folder, weightsFile);
  // The configuration first, so that the same file is named whenever both are missing.
  const config = (await readJson(configPath)) as Config;
  try {
    kind.check(config, configPath);
  } catch (error) {
    throw new ModelFolderError((error as Error).message, { cause: error });
  }
  // Parts are read concurrently, and building the graph of one blocks the event loop for 10 ms or more: let others run
  // first.
  await setImmediate();
  return { config, parameters: await openParameters(path, kind.parameters(config), { isUnneeded: () => false }) };
}

/** Opens the parameters of a file as they are stored. Large ones, and those in 16 or 8 bits, stay in it. */
export async function openParameters(
  path: string,
  declared: ReadonlyMap<string, Tensor>,
  options: BindOptions,
): Promise<Map<string, StoredParameter>> {
  return inFile(path, async () => {
    const located = await locateTensors(path);
    const matches = matchParameters(declared, located, options);
    const tensors = [...matches.values()].flatMap(({ parts }) => parts.map(({ tensor }) => tensor));
    return bindParameters(declared, stayInFile(tensors) ? located : await readTensors(path), options);
  });
}

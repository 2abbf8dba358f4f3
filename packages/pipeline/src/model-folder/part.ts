/** A part of a model in a folder of its own: `config.json`, and the weights in `model.safetensors`. */
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { writeJsonFile } from '@dalle-mini/core/node';
import { checkDecoderConfig, type DecoderConfig, decoderParameters, rowGraph, textGraph } from '@dalle-mini/decoder';
import { sizeOf, type Tensor, type TensorData } from '@dalle-mini/graph';
import { readParameter } from '@dalle-mini/graph/node';
import {
  bindParameters,
  checkParameters,
  checkpointTensors,
  matchParameters,
  quantizableParameters,
  quantizeBlocks,
  quantizeColumns,
  type StoredParameter,
} from '@dalle-mini/graph/stored';
import { type BartConfig, bartGraph, bartParameters, checkBartConfig } from '@dalle-mini/text-encoder';
import { checkVqganConfig, type VqganConfig, vqganParameters } from '@dalle-mini/vqgan';
import { type Checkpoint, fromFloat32, type StoredTensor, toFloat32 } from '@dalle-mini/weights';
import { locateTensors, type TensorLocation, writeCheckpointFile } from '@dalle-mini/weights/node';
import type { Dtype } from './dtype.js';
import { inFile, ModelFolderError, readJson, readTensors } from './files.js';

export const configFile = 'config.json';
export const weightsFile = 'model.safetensors';

/** A VQ-GAN's sizes and values: `vqgan/`. */
export interface VqganPart<Value extends StoredParameter = TensorData> {
  readonly config: VqganConfig;
  readonly parameters: ReadonlyMap<string, Value>;
}

/** A decoder's sizes and values: `decoder/`. */
export interface DecoderPart<Value extends StoredParameter = TensorData> {
  readonly config: DecoderConfig;
  readonly parameters: ReadonlyMap<string, Value>;
}

/** What a part's `config.json` is, and which parameters it asks for. */
export interface PartKind<Config> {
  readonly check: (config: Config, source?: string) => void;
  readonly parameters: (config: Config) => ReadonlyMap<string, Tensor>;
  /** Those that are only multiplied with, and so may be in few bits. */
  readonly quantizable: (config: Config) => ReadonlySet<string>;
  /** Of these in 8 bits, those that are stored by columns: see `QuantizedColumns`. Default none. */
  readonly byColumns?: (name: string) => boolean;
}

export const vqganKind: PartKind<VqganConfig> = {
  check: checkVqganConfig,
  parameters: vqganParameters,
  // Convolutions all.
  quantizable: () => new Set(),
};

export const decoderKind: PartKind<DecoderConfig> = {
  check: checkDecoderConfig,
  parameters: decoderParameters,
  quantizable: (config) => {
    const shape = { images: 1, guided: false, textLength: config.textLength ?? 1 };
    // The caption's keys and values are computed by a graph of their own.
    return new Set([rowGraph, textGraph].flatMap((graph) => [...quantizableParameters(graph(config, shape))]));
  },
  // The last product of a layer reads gated values, a few of which are large. On the bundled model it would lose eight times as much as
  // all others together.
  byColumns: (name) => !name.endsWith('.fc2.weight'),
};

export const bartKind: PartKind<BartConfig> = {
  check: checkBartConfig,
  parameters: bartParameters,
  quantizable: (config) => quantizableParameters(bartGraph(config, 1, config.maxLength)),
};

/** The sizes and values of a part. */
export interface Part<Config, Value extends StoredParameter = TensorData> {
  readonly config: Config;
  readonly parameters: ReadonlyMap<string, Value>;
}

/** A part of a model as it was published, its weights still in the type that they came in. */
export interface PublishedPart<Config> {
  readonly config: Config;
  readonly weights: ReadonlyMap<string, StoredTensor>;
}

/** Reads `config.json` and `model.safetensors` of a VQ-GAN; throws ModelFolderError unless they are whole and belong together. */
export async function readVqgan(folder: string): Promise<VqganPart> {
  return readPart(folder, vqganKind);
}

/** Reads `config.json` and `model.safetensors` of a decoder; throws ModelFolderError unless they are whole and belong together. */
export async function readDecoder(folder: string): Promise<DecoderPart> {
  return readPart(folder, decoderKind);
}

/** As {@link readVqgan}, but weights that are large, or in 16 or 8 bits, stay in their file, to be mapped. */
export async function openVqgan(folder: string): Promise<VqganPart<StoredParameter>> {
  return openPart(folder, vqganKind);
}

/**
 * As {@link readDecoder}, but weights that are large, or in 16 or 8 bits, stay in their file, to be mapped, and matrices in few bits stay as
 * they are.
 */
export async function openDecoder(folder: string): Promise<DecoderPart<StoredParameter>> {
  return openPart(folder, decoderKind);
}

/** A part's tensors as its checkpoint holds them, once they were checked. */
export function stored<Config>(
  { config, parameters }: Part<Config>,
  kind: PartKind<Config>,
): { readonly config: Config; readonly weights: Checkpoint } {
  const weights: Checkpoint = new Map();
  for (const [name, { shape }] of kind.parameters(config))
    weights.set(name, fromFloat32(parameters.get(name)!.data as Float32Array, shape));
  return { config, weights };
}

/** Writes a part. To store it in few bits takes its weights out of the map one by one, so that no second copy of them is in memory. */
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

/** The names of tensors, those together that share memory: layers that were released as one tensor are let go as one. */
function namesByMemory(tensors: ReadonlyMap<string, StoredTensor>): string[] {
  const names = new Map<ArrayBufferLike, string[]>();
  for (const [name, { bytes }] of tensors) {
    const sharing = names.get(bytes.buffer);
    if (sharing) sharing.push(name);
    else names.set(bytes.buffer, [name]);
  }
  return [...names.values()].flat();
}

/** Reads a part, all of it as float32. */
export async function readPart<Config>(folder: string, kind: PartKind<Config>): Promise<Part<Config>> {
  const { config, parameters } = await openPart(folder, kind);
  const read = new Map<string, TensorData>();
  for (const [name, value] of parameters) read.set(name, await readParameter(value));
  return { config, parameters: read };
}

/** Bytes of weights from which a file is mapped and not read. What is mapped cannot be replaced on Windows while it is in use. */
const largeFile = 2 ** 28;

/** Element types that runtimes take from a file. */
const mappedDtypes: readonly string[] = ['F32', 'F16', 'I8', 'I32', 'U8'];

/** Whether tensors stay in their file: where a runtime has to widen some, which it does off the event loop, or where they are that large. */
export function stayInFile(tensors: readonly TensorLocation[]): boolean {
  if (!tensors.every(({ dtype }) => mappedDtypes.includes(dtype))) return false;
  const bytes = tensors.reduce((sum, { dtype, shape }) => sum + (dtype === 'U8' ? 1 : 4) * sizeOf(shape), 0);
  return bytes >= largeFile || tensors.some(({ dtype }) => dtype === 'F16' || dtype === 'I8');
}

/**
 * Opens a part, its parameters as they are stored. They stay in their file if they are many, or in 16 or 8 bits, which a runtime widens off
 * the event loop.
 */
export async function openPart<Config>(folder: string, kind: PartKind<Config>): Promise<Part<Config, StoredParameter>> {
  const configPath = join(folder, configFile);
  const path = join(folder, weightsFile);
  const [json, located] = await Promise.all([readJson(configPath), inFile(path, () => locateTensors(path))]);
  const config = json as Config;
  // A turn of the event loop: the parts of a model are read at once, and to build a graph for its parameters takes 10 ms or more.
  await setImmediate();
  try {
    kind.check(config, configPath);
  } catch (error) {
    throw new ModelFolderError((error as Error).message, { cause: error });
  }
  const declared = kind.parameters(config);
  const parameters = await inFile(path, async () => {
    const tensors = [...matchParameters(declared, located).values()].flatMap(({ parts }) =>
      parts.map(({ tensor }) => tensor),
    );
    return bindParameters(declared, stayInFile(tensors) ? located : await readTensors(path));
  });
  return { config, parameters };
}

export function checkPart<Config>(what: string, { config, parameters }: Part<Config>, kind: PartKind<Config>): void {
  try {
    checkParameters(kind.parameters(config), parameters);
  } catch (error) {
    throw new ModelFolderError(`The ${what}: ${(error as Error).message}`, { cause: error });
  }
}

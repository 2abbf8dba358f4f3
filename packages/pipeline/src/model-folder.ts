/** A text-to-image model as a folder of files: the format, its reader and its writer. */
import { randomUUID } from 'node:crypto';
import { access, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { checkDecoderConfig, type DecoderConfig, decoderParameters } from '@dalle-mini/decoder';
import {
  type ParameterValue,
  type Runtime,
  type Shape,
  sizeOf,
  type Tensor,
  type TensorData,
  type TensorFile,
} from '@dalle-mini/graph';
import {
  type BartConfig,
  BartTextEncoder,
  bartParameters,
  type CaptionTokenizer,
  checkBartConfig,
  type HuggingFaceFiles,
  HuggingFaceTextEncoder,
  loadTokenizer,
  minDalleTokenizer,
  normalizingTokenizer,
  type TextEncoder,
  TextNormalizer,
  tokenizerFromBpeFiles,
} from '@dalle-mini/text-encoder';
import { checkVqganConfig, gridSizeOf, type VqganConfig, vqganParameters } from '@dalle-mini/vqgan';
import { type Checkpoint, dequantize, fromFloat32, quantize, type StoredTensor } from '@dalle-mini/weights';
import {
  FileError,
  locateTensors,
  readCheckpointFile,
  readHuggingFaceFolder,
  readJsonFile,
  type TensorLocation,
  writeCheckpointFile,
  writeFileAtomically,
} from '@dalle-mini/weights/node';
import { checkSampling, type Sampling } from './options.js';

const format = 'dalle-mini-model';
const version = 1;
const descriptionFile = 'model.json';
export const configFile = 'config.json';
const tokenizerFile = 'tokenizer.json';
const tokenizerConfigFile = 'tokenizer_config.json';
const vocabFile = 'vocab.json';
const mergesFile = 'merges.txt';
/** By which hashtags of captions are split: where it is, captions are normalized. */
export const wordsFile = 'enwiki-words-frequency.txt';
/** The files that a tokenizer of DALL·E Mini may have. */
export const tokenizerFiles = [tokenizerFile, tokenizerConfigFile, vocabFile, mergesFile, wordsFile] as const;
const weightsFile = 'model.safetensors';

/** `model.json`: what a model folder holds. Folders of parts are relative to it. */
export interface ModelDescription {
  readonly format: typeof format;
  readonly version: typeof version;
  readonly name: string;
  /** SPDX identifier of the license of the weights. */
  readonly license?: string;
  readonly imageTokenizer: { readonly type: 'vqgan'; readonly folder: string };
  readonly textEncoder: TextEncoderDescription;
  readonly decoder: { readonly type: 'dalle-mini'; readonly folder: string };
  /** What suits the model: a call may set other values. */
  readonly sampling: Sampling;
}

/** `maxLength` is the number of tokens that captions were cut or padded to in training. */
export type TextEncoderDescription =
  /** A BERT, RoBERTa, DistilBERT or BART as Hugging Face stores it. */
  | { readonly type: 'bert'; readonly folder: string; readonly maxLength: number }
  /**
   * DALL·E Mini's own: a `BartConfig`, names as in min-dalle, and the tokenizer's files as they were released, `tokenizer.json` or
   * `vocab.json` and `merges.txt`, which are read as the published code reads them, or as min-dalle does. Where there is an
   * `enwiki-words-frequency.txt`, captions are normalized.
   */
  | {
      readonly type: 'dalle-mini';
      readonly folder: string;
      readonly maxLength: number;
      readonly tokenizer: 'bart' | 'min-dalle';
    };

/** A VQ-GAN's sizes and values: `vqgan/`. */
export interface VqganPart<Value extends ParameterValue = TensorData> {
  readonly config: VqganConfig;
  readonly parameters: ReadonlyMap<string, Value>;
}

/** A text encoder as Hugging Face stores it: `text-encoder/`. */
export interface TextEncoderPart {
  readonly files: HuggingFaceFiles;
  readonly maxLength: number;
}

/** DALL·E Mini's own text encoder: `text-encoder/`. */
export interface BartPart {
  readonly config: BartConfig;
  readonly parameters: ReadonlyMap<string, TensorData>;
  /** How the tokenizer's files are read: as the published code reads them, or as min-dalle does. */
  readonly tokenizer: 'bart' | 'min-dalle';
  /**
   * The content of the tokenizer's files, as they were released: `tokenizer.json`, or `vocab.json` and `merges.txt`; and where captions are
   * normalized `enwiki-words-frequency.txt`.
   */
  readonly tokenizerFiles: Readonly<Partial<Record<(typeof tokenizerFiles)[number], string>>>;
}

/** A decoder's sizes and values: `decoder/`. */
export interface DecoderPart<Value extends ParameterValue = TensorData> {
  readonly config: DecoderConfig;
  readonly parameters: ReadonlyMap<string, Value>;
}

/** All that a model folder holds, read. */
export interface ModelParts<TextEncoder = TextEncoderPart> {
  readonly name: string;
  readonly license?: string;
  readonly imageTokenizer: VqganPart;
  readonly textEncoder: TextEncoder;
  readonly decoder: DecoderPart;
  readonly sampling?: Sampling;
}

/** How weights are stored: in 32 or 16 bits, or in 8 bits with a scale for each row. */
export type StoredAs = 'F32' | 'F16' | 'q8';

export interface WriteModelOptions {
  /**
   * How weights are stored: as they are, in half precision, or in 8 bits with a scale for each row. Those of a text encoder of Hugging
   * Face stay as they are given. Default `F32`.
   */
  readonly dtype?: StoredAs;
}

/** A model folder cannot be read or written. The message names the file and says how to mend it. */
export class ModelFolderError extends Error {
  override readonly name = 'ModelFolderError';
}

/**
 * Reads `model.json`.
 * @throws ModelFolderError if it is missing or is not what this version reads.
 */
export async function readModelDescription(folder: string): Promise<ModelDescription> {
  const path = join(folder, descriptionFile);
  const json = await readJson(path);
  const fail = (field: string, expected: string, given: unknown): never => {
    throw new ModelFolderError(`${path}: ${field} must be ${expected}, not ${JSON.stringify(given)}.`);
  };
  if (json.format !== format) fail('format', `"${format}"`, json.format);
  if (json.version !== version) {
    throw new ModelFolderError(
      `${path}: it is of version ${JSON.stringify(json.version)} and this program reads version ${version}; update @dalle-mini/pipeline, or fetch the model again.`,
    );
  }
  if (typeof json.name !== 'string' || json.name === '') fail('name', 'a text', json.name);
  if (json.license !== undefined && typeof json.license !== 'string') fail('license', 'a text', json.license);
  const part = (field: string, ...types: readonly string[]) => {
    const value = json[field];
    if (!isObject(value)) return fail(field, `an object with type and folder`, value);
    if (!types.includes(value.type as string)) {
      const known = types.map((type) => `"${type}"`).join(' or ');
      fail(`${field}.type`, `${known}, which are all that this version knows`, value.type);
    }
    // A name, so that a model folder from a stranger cannot lead to files elsewhere.
    if (typeof value.folder !== 'string' || !/^[\w-][\w.-]*$/.test(value.folder)) {
      fail(`${field}.folder`, 'the name of a folder beside it', value.folder);
    }
    return value;
  };
  part('imageTokenizer', 'vqgan');
  part('decoder', 'dalle-mini');
  const { type, maxLength, tokenizer } = part('textEncoder', 'bert', 'dalle-mini');
  if (typeof maxLength !== 'number' || !Number.isSafeInteger(maxLength) || maxLength < 1) {
    fail('textEncoder.maxLength', 'a whole number of 1 or more', maxLength);
  }
  if (type === 'dalle-mini' && tokenizer !== 'bart' && tokenizer !== 'min-dalle')
    fail('textEncoder.tokenizer', '"bart" or "min-dalle"', tokenizer);
  if (!isObject(json.sampling)) fail('sampling', 'an object such as {"temperature": 1}', json.sampling);
  try {
    checkSampling(json.sampling as Sampling);
  } catch (error) {
    throw new ModelFolderError(`${path}: sampling.${(error as Error).message}.`, { cause: error });
  }
  return json as unknown as ModelDescription;
}

/** Whether a folder has a `model.json`. */
export async function isModelFolder(folder: string): Promise<boolean> {
  return isThere(join(folder, descriptionFile));
}

/** Reads `config.json` and `model.safetensors` of a VQ-GAN; throws ModelFolderError unless they are whole and belong together. */
export async function readVqgan(folder: string): Promise<VqganPart> {
  return readPart(folder, vqganKind);
}

/** Reads `config.json` and `model.safetensors` of a decoder; throws ModelFolderError unless they are whole and belong together. */
export async function readDecoder(folder: string): Promise<DecoderPart> {
  return readPart(folder, decoderKind);
}

/** As {@link readVqgan}, but large weights stay in their file, to be mapped. */
export async function openVqgan(folder: string): Promise<VqganPart<ParameterValue>> {
  return openPart(folder, vqganKind);
}

/** As {@link readDecoder}, but large weights stay in their file, to be mapped. */
export async function openDecoder(folder: string): Promise<DecoderPart<ParameterValue>> {
  return openPart(folder, decoderKind);
}

/**
 * Opens the text encoder of a model folder.
 * @throws ModelFolderError if a file is missing, damaged, or does not belong to the others.
 */
export async function openTextEncoder(
  folder: string,
  description: TextEncoderDescription,
  { signal, ...options }: { readonly runtime: Runtime; readonly batchSize?: number; readonly signal?: AbortSignal },
): Promise<TextEncoder> {
  const { type, maxLength } = description;
  try {
    if (type === 'bert') {
      const files = await readTextEncoder(folder);
      signal?.throwIfAborted();
      return await HuggingFaceTextEncoder.fromFiles(files, { ...options, maxLength });
    }
    const [{ config, parameters }, tokenizer] = await Promise.all([
      openPart(folder, bartKind),
      readBartTokenizer(folder, description.tokenizer),
    ]);
    signal?.throwIfAborted();
    return await BartTextEncoder.fromParts({ config, tokenizer, weights: parameters }, { ...options, maxLength });
  } catch (error) {
    throw signal?.aborted ? error : folderError(folder, error);
  }
}

/** DALL·E Mini's tokenizer from the files that are in a folder. */
async function readBartTokenizer(folder: string, kind: 'bart' | 'min-dalle'): Promise<CaptionTokenizer> {
  const at = (name: string) => join(folder, name);
  const words = (await isThere(at(wordsFile))) ? await readText(at(wordsFile)) : undefined;
  const json = kind === 'bart' ? await readJson(at(tokenizerFile), 'optional') : undefined;
  const bpe = async () => ({
    vocab: (await readJson(at(vocabFile))) as Record<string, number>,
    merges: await readText(at(mergesFile)),
  });
  const tokenizer = json
    ? loadTokenizer(json, (await readJson(at(tokenizerConfigFile), 'optional')) ?? {})
    : kind === 'bart'
      ? tokenizerFromBpeFiles(await bpe())
      : minDalleTokenizer(await bpe());
  return words === undefined ? tokenizer : normalizingTokenizer(tokenizer, new TextNormalizer(words));
}

/**
 * Reads the files of a text encoder, in any of the formats in which Hugging Face has them; throws ModelFolderError if one is missing or
 * damaged. Their content is checked when it is used.
 */
export async function readTextEncoder(folder: string): Promise<HuggingFaceFiles> {
  try {
    return await readHuggingFaceFolder(folder);
  } catch (error) {
    throw folderError(folder, error);
  }
}

/**
 * Reads a whole model folder into memory.
 * @throws ModelFolderError if a file is missing, damaged, or does not belong to the others.
 */
export async function readModelFolder(folder: string): Promise<ModelParts> {
  const { name, license, imageTokenizer, textEncoder, decoder, sampling } = await readModelDescription(folder);
  if (textEncoder.type !== 'bert') {
    throw new ModelFolderError(
      `${join(folder, descriptionFile)}: its text encoder is DALL·E Mini's own, which is opened and not read; use openTextEncoder.`,
    );
  }
  const [vqganPart, files, decoderPart] = await Promise.all([
    readVqgan(join(folder, imageTokenizer.folder)),
    readTextEncoder(join(folder, textEncoder.folder)),
    readDecoder(join(folder, decoder.folder)),
  ]);
  return {
    name,
    ...(license === undefined ? {} : { license }),
    imageTokenizer: vqganPart,
    textEncoder: { files, maxLength: textEncoder.maxLength },
    decoder: decoderPart,
    sampling,
  };
}

/**
 * Writes a model folder, whole or not at all: it is written beside its place and then takes the name. A model folder that
 * stands there is replaced, and nothing else is.
 * @throws ModelFolderError if the parts do not belong together, or something else stands at the place; FileError if the disk refuses.
 */
export async function writeModelFolder(
  folder: string,
  parts: ModelParts<TextEncoderPart | BartPart>,
  options: WriteModelOptions = {},
): Promise<void> {
  const { dtype = 'F32' } = options;
  const { imageTokenizer, textEncoder, decoder } = parts;
  const target = resolve(folder);
  checkParts(parts);
  await checkReplaceable(target, [descriptionFile, 'vqgan', 'text-encoder', 'decoder']);
  const description: ModelDescription = {
    format,
    version,
    name: parts.name,
    ...(parts.license === undefined ? {} : { license: parts.license }),
    imageTokenizer: { type: 'vqgan', folder: 'vqgan' },
    textEncoder:
      'files' in textEncoder
        ? { type: 'bert', folder: 'text-encoder', maxLength: textEncoder.maxLength }
        : {
            type: 'dalle-mini',
            folder: 'text-encoder',
            maxLength: textEncoder.config.maxLength,
            tokenizer: textEncoder.tokenizer,
          },
    decoder: { type: 'dalle-mini', folder: 'decoder' },
    sampling: parts.sampling ?? {},
  };
  await writeFolder(target, async (temporary) => {
    const place = async (part: string) => {
      const path = join(temporary, part);
      await makeFolder(path);
      return path;
    };
    await writePart(await place('vqgan'), stored(imageTokenizer, vqganKind), dtype);
    await writePart(await place('decoder'), stored(decoder, decoderKind), dtype);
    const textEncoderFolder = await place('text-encoder');
    if ('files' in textEncoder) {
      await writeHuggingFaceFiles(textEncoderFolder, textEncoder.files);
    } else {
      await writePart(textEncoderFolder, stored(textEncoder, bartKind), dtype);
      await writeTokenizerFiles(textEncoderFolder, textEncoder.tokenizerFiles);
    }
    await writeJson(join(temporary, descriptionFile), description);
  });
}

async function writeHuggingFaceFiles(folder: string, files: HuggingFaceFiles): Promise<void> {
  await writeJson(join(folder, configFile), files.config);
  await writeJson(join(folder, tokenizerFile), files.tokenizer);
  if (files.tokenizerConfig) await writeJson(join(folder, tokenizerConfigFile), files.tokenizerConfig);
  await writeCheckpointFile(join(folder, weightsFile), files.weights, { format: 'pt' });
}

/** Writes the files of DALL·E Mini's tokenizer into a folder. */
export async function writeTokenizerFiles(folder: string, files: BartPart['tokenizerFiles']): Promise<void> {
  for (const [name, content] of Object.entries(files))
    await writeFileAtomically(join(folder, name), new TextEncoder().encode(content));
}

/**
 * Writes a VQ-GAN alone, as `readVqgan` reads it and as it stands in a model folder: whole or not at all.
 * @throws ModelFolderError if values are missing or something else stands at the place; FileError if the disk refuses.
 */
export async function writeVqgan(folder: string, part: VqganPart, options: WriteModelOptions = {}): Promise<void> {
  const target = resolve(folder);
  checkPart('VQ-GAN', part, vqganKind);
  await checkReplaceable(target, [configFile, weightsFile]);
  await writeFolder(target, (temporary) => writePart(temporary, stored(part, vqganKind), options.dtype ?? 'F32'));
}

/** A part of a model as it was published, its weights still in the type that they came in. */
export interface PublishedPart<Config> {
  readonly config: Config;
  readonly weights: ReadonlyMap<string, StoredTensor>;
}

/** The parts of a model, each given when it is written, so that not all are in memory at once. */
export interface PublishedParts {
  readonly vqgan: () => Promise<PublishedPart<VqganConfig>>;
  readonly textEncoder: () => Promise<PublishedPart<BartConfig>>;
  readonly decoder: () => Promise<PublishedPart<DecoderConfig>>;
  /** Puts the tokenizer's files into a folder. */
  readonly tokenizer: (folder: string) => Promise<void>;
}

/**
 * Writes a published model as a model folder, whole or not at all.
 * @throws ModelFolderError if weights are missing or of another shape; FileError if the disk refuses.
 */
export async function writeConvertedModel(
  folder: string,
  {
    name,
    textEncoder,
    sampling,
  }: {
    readonly name: string;
    readonly textEncoder: { readonly maxLength: number; readonly tokenizer: 'bart' | 'min-dalle' };
    readonly sampling: Sampling;
  },
  parts: PublishedParts,
  dtype: StoredAs = 'F32',
): Promise<void> {
  const description: ModelDescription = {
    format,
    version,
    name,
    imageTokenizer: { type: 'vqgan', folder: 'vqgan' },
    textEncoder: { type: 'dalle-mini', folder: 'text-encoder', ...textEncoder },
    decoder: { type: 'dalle-mini', folder: 'decoder' },
    sampling,
  };
  await writeFolder(resolve(folder), async (temporary) => {
    const write = async <Config extends object>(
      part: string,
      kind: PartKind<Config>,
      published: () => Promise<PublishedPart<Config>>,
    ) => {
      const place = join(temporary, part);
      await makeFolder(place);
      const { config, weights } = await published();
      const needed: Checkpoint = new Map();
      for (const [name, { shape }] of kind.parameters(config)) {
        const tensor = weights.get(name);
        if (!tensor || !sameShape(tensor.shape, shape))
          fail(
            `the ${part}'s tensor ${name} must be [${shape}], and it ${tensor ? `is [${tensor.shape}]` : 'is missing'}; fetch the model again.`,
          );
        needed.set(name, tensor);
      }
      await writePart(place, { config, weights: needed }, dtype);
    };
    await write('vqgan', vqganKind, parts.vqgan);
    await write('text-encoder', bartKind, parts.textEncoder);
    await parts.tokenizer(join(temporary, 'text-encoder'));
    await write('decoder', decoderKind, parts.decoder);
    await writeJson(join(temporary, descriptionFile), description);
  });
}

/** What a part's `config.json` is, and which parameters it asks for. */
interface PartKind<Config> {
  readonly check: (config: Config) => void;
  readonly parameters: (config: Config) => ReadonlyMap<string, Tensor>;
}

export const vqganKind: PartKind<VqganConfig> = { check: checkVqganConfig, parameters: vqganParameters };
export const decoderKind: PartKind<DecoderConfig> = { check: checkDecoderConfig, parameters: decoderParameters };
export const bartKind: PartKind<BartConfig> = { check: checkBartConfig, parameters: bartParameters };

/** The sizes and values of a part. */
interface Part<Config> {
  readonly config: Config;
  readonly parameters: ReadonlyMap<string, TensorData>;
}

/** A part's tensors as its checkpoint holds them, once they were checked. */
export function stored<Config>({ config, parameters }: Part<Config>, kind: PartKind<Config>): PublishedPart<Config> {
  const weights: Checkpoint = new Map();
  for (const [name, { shape }] of kind.parameters(config))
    weights.set(name, fromFloat32(parameters.get(name)!.data as Float32Array, shape));
  return { config, weights };
}

async function writePart(folder: string, part: PublishedPart<object>, dtype: StoredAs): Promise<void> {
  const { config, weights } = part;
  await writeJson(join(folder, configFile), config);
  const [tensors, options] = dtype === 'q8' ? [quantize(weights), {}] : [weights, { dtype }];
  await writeCheckpointFile(join(folder, weightsFile), tensors, { format: 'pt' }, options);
}

async function readPart<Config>(
  folder: string,
  kind: PartKind<Config>,
): Promise<{ config: Config; parameters: Map<string, TensorData> }> {
  const { config, located } = await locatePart(folder, kind);
  const path = join(folder, weightsFile);
  const stored = await readWeights(path);
  const needed: Checkpoint = new Map();
  for (const name of located.keys()) {
    for (const suffix of ['', '.scale', '.outliers', '.outlier_positions']) {
      const part = stored.get(name + suffix);
      if (part) needed.set(name + suffix, part);
    }
  }
  return { config, parameters: named(path, () => dequantize(needed)) };
}

/** Bytes of weights from which a file is mapped and not read. What is mapped cannot be replaced on Windows while it is in use. */
const leastMapped = 2 ** 28;

async function openPart<Config>(
  folder: string,
  kind: PartKind<Config>,
): Promise<{ config: Config; parameters: Map<string, ParameterValue> }> {
  const { config, located } = await locatePart(folder, kind);
  const mapped = new Map<string, TensorFile>();
  let bytes = 0;
  for (const [name, { dtype, shape, offset }] of located) {
    if (dtype !== 'F32') return readPart(folder, kind);
    mapped.set(name, { dtype: 'float32', shape, folder: resolve(folder), file: weightsFile, offset });
    bytes += 4 * sizeOf(shape);
  }
  return bytes < leastMapped ? readPart(folder, kind) : { config, parameters: mapped };
}

/** Reads a part's configuration, and finds its parameters in the file of its weights. */
async function locatePart<Config>(
  folder: string,
  kind: PartKind<Config>,
): Promise<{ config: Config; located: Map<string, TensorLocation> }> {
  const configPath = join(folder, configFile);
  const weightsPath = join(folder, weightsFile);
  const [json, stored] = await Promise.all([
    readJson(configPath),
    locateTensors(weightsPath).catch((error: unknown) => {
      throw folderError(weightsPath, error);
    }),
  ]);
  const config = json as Config;
  try {
    kind.check(config);
  } catch (error) {
    throw new ModelFolderError(`${configPath}: ${(error as Error).message}.`, { cause: error });
  }
  const located = new Map<string, TensorLocation>();
  for (const [name, { shape }] of kind.parameters(config)) {
    const tensor = stored.get(name);
    const mend = `${configPath} asks for [${shape.join(', ')}]: the two files do not belong together; fetch or export the model again.`;
    if (!tensor) throw new ModelFolderError(`${weightsPath}: it lacks the tensor ${name}, and ${mend}`);
    if (!sameShape(tensor.shape, shape)) {
      throw new ModelFolderError(
        `${weightsPath}: the tensor ${name} has shape [${tensor.shape.join(', ')}], and ${mend}`,
      );
    }
    located.set(name, tensor);
  }
  return { config, located };
}

async function readWeights(path: string): Promise<Checkpoint> {
  try {
    return (await readCheckpointFile(path)).tensors;
  } catch (error) {
    throw folderError(path, error);
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw folderError(path, new FileError('read', path, error as NodeJS.ErrnoException));
  }
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    ({ code }: NodeJS.ErrnoException) => code !== 'ENOENT' && code !== 'ENOTDIR',
  );
}

export async function readJson(path: string): Promise<Record<string, unknown>>;
export async function readJson(path: string, optional: 'optional'): Promise<Record<string, unknown> | undefined>;
export async function readJson(path: string, optional?: 'optional'): Promise<Record<string, unknown> | undefined> {
  if (optional && !(await isThere(path))) return undefined;
  try {
    return await readJsonFile(path);
  } catch (error) {
    throw folderError(path, error);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Runs what may fail because of a file's content, and names the file if it does. */
function named<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw folderError(path, error);
  }
}

/** The error of a file, with its path in front unless it is in the message. */
export function folderError(path: string, error: unknown): ModelFolderError {
  const message = error instanceof Error ? error.message : String(error);
  return new ModelFolderError(message.includes(path) ? message : `${path}: ${message}`, { cause: error });
}

/** Refuses parts that do not belong together, or lack values. A release may be without its VQ-GAN. */
export function checkParts({
  imageTokenizer,
  textEncoder,
  decoder,
  sampling,
}: Pick<ModelParts<TextEncoderPart | BartPart>, 'textEncoder' | 'decoder' | 'sampling'> & {
  readonly imageTokenizer?: VqganPart;
}): void {
  try {
    if (imageTokenizer) checkVqganConfig(imageTokenizer.config);
    checkDecoderConfig(decoder.config);
    if ('config' in textEncoder) checkBartConfig(textEncoder.config);
    checkSampling(sampling ?? {});
  } catch (error) {
    fail(`${(error as Error).message}.`, error);
  }
  const { gridSize, vocabularySize, textWidth } = decoder.config;
  if (imageTokenizer) {
    const { nEmbed } = imageTokenizer.config;
    const grid = gridSizeOf(imageTokenizer.config);
    if (grid !== gridSize || nEmbed !== vocabularySize) {
      fail(
        `its decoder writes ${gridSize}×${gridSize} grids of ${vocabularySize} tokens, and its VQ-GAN reads ` +
          `${grid}×${grid} of ${nEmbed}; take the VQ-GAN that the decoder was trained with.`,
      );
    }
    checkPart('VQ-GAN', imageTokenizer, vqganKind);
  }
  if ('config' in textEncoder) {
    const { width } = textEncoder.config;
    if (width !== textWidth)
      fail(`its decoder reads hidden states of width ${textWidth}, and those of its text encoder are ${width} wide.`);
    checkPart('text encoder', textEncoder, bartKind);
  } else {
    const { maxLength } = textEncoder;
    if (!Number.isSafeInteger(maxLength) || maxLength < 1)
      fail(`textEncoder.maxLength is ${maxLength}; it must be a whole number of 1 or more.`);
  }
  checkPart('decoder', decoder, decoderKind);
}

function checkPart<Config>(what: string, { config, parameters }: Part<Config>, kind: PartKind<Config>): void {
  for (const [name, { shape }] of kind.parameters(config)) {
    const value = parameters.get(name);
    if (value?.dtype === 'float32' && sameShape(value.shape, shape)) continue;
    const found = value ? `is ${value.dtype}[${value.shape.join(', ')}]` : 'is missing';
    fail(`the ${what}'s parameter ${name} ${found}, and its config asks for float32[${shape.join(', ')}].`);
  }
}

function fail(why: string, cause?: unknown): never {
  throw new ModelFolderError(`The model cannot be written: ${why}`, { cause });
}

function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/** Refuses to replace a folder that holds anything but what would be written. */
export async function checkReplaceable(folder: string, contents: readonly string[]): Promise<void> {
  let entries: string[];
  try {
    entries = await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw new FileError('write', folder, error as NodeJS.ErrnoException);
  }
  const stranger = entries.find((name) => !contents.includes(name));
  if (stranger !== undefined) {
    throw new ModelFolderError(
      `${folder} holds ${stranger}, which is no part of a model, and would be lost; choose another folder, or move it away.`,
    );
  }
}

/** Fills a new folder beside the target, and puts it in the target's place. */
export async function writeFolder(target: string, fill: (temporary: string) => Promise<void>): Promise<void> {
  const beside = (suffix: string) => join(dirname(target), `.${basename(target)}.${randomUUID()}.${suffix}`);
  const temporary = beside('tmp');
  const replaced = beside('old');
  try {
    await makeFolder(dirname(target));
    await makeFolder(temporary);
    await fill(temporary);
    const exists = await rename(target, replaced).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return false;
        throw new FileError('write', target, error);
      },
    );
    try {
      await rename(temporary, target);
    } catch (error) {
      if (exists) await rename(replaced, target);
      throw new FileError('write', target, error as NodeJS.ErrnoException);
    }
  } catch (error) {
    // The first error says more than a failure to clean up after it.
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    throw error;
  }
  await rm(replaced, { recursive: true, force: true });
}

export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    throw new FileError('write', path, error as NodeJS.ErrnoException);
  }
}

export async function writeJson(path: string, value: object): Promise<void> {
  await writeFileAtomically(path, new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`));
}

/** Opens the models that settings name: folders of models and of their parts, in any layout, and names of the hub. */
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { OptionError, type SamplingOptions, type TextEncoder } from '@dalle-mini/core';
import { isFolder, readJsonFile } from '@dalle-mini/core/node';
import { type AnyDecoderConfig, textWidthOf } from '@dalle-mini/decoder';
import type { Runtime, TensorData } from '@dalle-mini/graph';
import { dequantize } from '@dalle-mini/graph/stored';
import {
  type AnyTextEncoderPart,
  type DecoderPart,
  isBundledModel,
  type LoadProgress,
  type ModelDescription,
  readDecoder,
  readModelDescription,
  readTextEncoder,
  resolveModel,
  type TextEncoderPart,
  type VqganPart,
} from '@dalle-mini/pipeline';
import {
  BartTextEncoder,
  ClassEncoder,
  type Classes,
  loadTextEncoder,
  TokenTextEncoder,
  textEncoderSizes,
} from '@dalle-mini/text-encoder';
import { readDalleMiniTextEncoder, textEncoderFiles } from '@dalle-mini/text-encoder/node';
import { loadTextTokenizer, vocabularySizeOf } from '@dalle-mini/text-encoder/tokenizers';
import { readDiscriminator, readVqganFiles, vqganFiles } from '@dalle-mini/vqgan/node';
import { WhichReader, type WhichWeights } from '@dalle-mini/weights';
import { resolveModelFolder } from '@dalle-mini/weights/hub';
import { textEncoderParameters, textEncoderWeights, trainedTextEncoder } from '../text/pretrained.js';
import type { TrainedTextEncoder } from '../text/text-source.js';
import { type DecoderSettings, SettingsError, type TextEncoderSettings } from './settings.js';

export interface OpenModelOptions {
  readonly which?: WhichWeights | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
}

/** How to convert a published model. */
interface PublishedOptions extends Omit<OpenModelOptions, 'which'> {
  /** The folder of its VQ-GAN. Default: the published one. */
  readonly vqgan: string | undefined;
}

/** A text encoder, frozen or trained, and how to write it. */
export interface OpenedTextEncoder {
  readonly width: number;
  readonly maxLength: number;
  frozen(runtime: Runtime): Promise<TextEncoder>;
  trained(): Promise<TrainedTextEncoder>;
  /** Number of tokens, if it only tokenizes. */
  readonly vocabularySize?: number | undefined;
  /** Returns the part of a model folder. `trained` is the result of training if the text encoder was trained. */
  part(trained?: ReadonlyMap<string, TensorData>): AnyTextEncoderPart;
}

/** The models that training a decoder needs. */
export interface DecoderModels {
  readonly vqgan: VqganPart;
  readonly textEncoder: OpenedTextEncoder;
  /** The decoder to fine-tune. */
  readonly start?: DecoderPart | undefined;
  /** The license and the sampling options of the model to fine-tune. */
  readonly license?: string | undefined;
  readonly sampling?: SamplingOptions | undefined;
}

/** Opens the models that training a decoder needs. Parts that the settings lack are those of the model to fine-tune. */
export async function openDecoderModels(settings: DecoderSettings, options: OpenModelOptions): Promise<DecoderModels> {
  const { startFrom, imageTokenizer, textEncoder = {} } = settings;
  const given = imageTokenizer === undefined ? undefined : await findVqgan(imageTokenizer, 'imageTokenizer', options);
  // A published model has no VQ-GAN, and is converted with this one.
  const published = { signal: options.signal, onProgress: options.onProgress, vqgan: given };
  const weights = new WhichReader(settings.which);
  const start = startFrom === undefined ? undefined : await findDecoder(startFrom, weights, published);
  const model = start?.model;
  const vqganFolder = given ?? (model && join(model.folder, model.description.imageTokenizer.folder));
  const textSource = textEncoder.folder ?? (model && join(model.folder, model.description.textEncoder.folder));
  if (vqganFolder === undefined) throw missing('imageTokenizer', 'a VQ-GAN');
  if (textSource === undefined) throw missing('textEncoder.folder', 'a text encoder');
  const vqgan = await readVqgan(vqganFolder, weights);
  const startPart = start && (await readDecoder(start.folder));
  const readsTokens =
    (startPart ? textWidthOf(startPart.config) : settings.model?.kind === 'decoder-only' ? 0 : 1) === 0;
  const openedTextEncoder = readsTokens
    ? await openTokens(textSource, textEncoder, published)
    : await openTextEncoder(textSource, textEncoder, weights, published);
  weights.check();
  return {
    vqgan,
    textEncoder: openedTextEncoder,
    start: startPart,
    license: model?.description.license,
    sampling: model?.description.sampling,
  };
}

function missing(field: string, what: string): SettingsError {
  return new SettingsError(
    `${field} is missing; it must be the folder or the hub name of ${what}, unless startFrom is a whole model.`,
  );
}

/**
 * Opens the VQ-GAN to fine-tune: from its folder in any layout of `readVqganFiles`, the folder of a model, the name of a bundled model, or a
 * name of the hub.
 *
 * @param options With `discriminator`, the parameters include those of the discriminator that it was trained against, if there is one.
 */
export async function openVqgan(
  source: string,
  { discriminator = false, ...options }: OpenModelOptions & { readonly discriminator?: boolean },
): Promise<VqganPart> {
  const folder = await findVqgan(source, 'startFrom', options);
  const weights = new WhichReader(options.which);
  const { config, parameters } = await readVqgan(folder, weights);
  weights.check();
  if (!discriminator) return { config, parameters };
  return { config, parameters: new Map([...parameters, ...dequantize(await readDiscriminator(folder))]) };
}

async function findVqgan(source: string, field: string, options: OpenModelOptions): Promise<string> {
  const files: ChooseFiles = (names) => wholeModelFiles(names, 'vqgan') ?? vqganFiles(names);
  const folder = await provide(source, field, files, options);
  const model = await modelIn(folder);
  return model ? join(folder, model.imageTokenizer.folder) : folder;
}

async function readVqgan(folder: string, weights: WhichReader): Promise<VqganPart> {
  const { config, weights: tensors } = await weights.read((which) => readVqganFiles(folder, { which }));
  return { config, parameters: dequantize(tensors) };
}

export interface OpenCaptionEncoderOptions
  extends Pick<TextEncoderSettings, 'maxLength' | 'tokenizer'>,
    Omit<OpenModelOptions, 'which'> {
  /** The runtime, which the caller disposes of. */
  readonly runtime: Runtime;
}

/**
 * Opens a text encoder as {@link trainDecoderFromSettings} does with the same `textEncoder`, so that hidden states that it computes are those
 * that training needs: see `encodeCaptions` of `@dalle-mini/data`.
 *
 * @param source A folder or a hub name, of a text encoder or of a whole model.
 * @throws OptionError if the source is neither; the errors of `openTextEncoder`.
 */
export async function openCaptionEncoder(
  source: string,
  { runtime, maxLength, tokenizer, signal, onProgress }: OpenCaptionEncoderOptions,
): Promise<TextEncoder> {
  const weights = new WhichReader(undefined);
  const opened = await openTextEncoder(source, { maxLength, tokenizer }, weights, {
    signal,
    onProgress,
    vqgan: undefined,
  });
  return opened.frozen(runtime);
}

/** Opens a text encoder of Hugging Face or DALL·E Mini: from a folder, or a name of the hub. */
async function openTextEncoder(
  source: string,
  { maxLength, tokenizer }: TextEncoderSettings,
  weights: WhichReader,
  options: PublishedOptions,
): Promise<OpenedTextEncoder> {
  const files: ChooseFiles = (names) => wholeModelFiles(names, 'text-encoder') ?? textEncoderFiles(names);
  const found = await provide(source, 'textEncoder.folder', files, options);
  // min-dalle's files do not name the sizes of the model, which its conversion finds.
  const isMinDalle = (await readdir(found)).includes('encoder.pt');
  const folder = isMinDalle ? await weights.read((which) => resolveModel(found, { ...options, which })) : found;
  const model = await modelIn(folder);
  const place = model ? join(folder, model.textEncoder.folder) : folder;
  const described = model?.textEncoder ?? (await modelAround(folder, 'textEncoder'))?.textEncoder;
  const { model_type: type } = await readJsonFile(join(place, 'config.json'));
  if (type !== undefined && type !== 'dallebart')
    return huggingFaceEncoder(
      await weights.read((which) => readTextEncoder(place, { which })),
      maxLength ?? described?.maxLength,
      place,
    );
  const kind = tokenizer ?? (described?.type === 'dalle-mini' ? described.tokenizer : undefined);
  return dalleMiniEncoder(place, kind ?? 'bart', maxLength ?? described?.maxLength, weights);
}

/** Opens the tokenizer of a text encoder, or the classes of a model, for a decoder that reads tokens. */
async function openTokens(
  source: string,
  { maxLength: given, train = false }: TextEncoderSettings,
  options: PublishedOptions,
): Promise<OpenedTextEncoder> {
  if (train)
    throw new SettingsError(
      'textEncoder.train must be false for a decoder that reads tokens, because there is no text encoder to train. Leave it out.',
    );
  const files: ChooseFiles = (names) => wholeModelFiles(names, 'text-encoder') ?? ['tokenizer.json'];
  const folder = await provide(source, 'textEncoder.folder', files, options);
  const model = await modelIn(folder);
  const place = model ? join(folder, model.textEncoder.folder) : folder;
  const described = model?.textEncoder ?? (await modelAround(folder, 'textEncoder'))?.textEncoder;
  if (described?.type === 'classes') return openClasses(join(place, 'classes.json'));
  const path = join(place, 'tokenizer.json');
  const tokenizerJson = await readJsonFile(path);
  const tokenizer = await loadTextTokenizer(tokenizerJson, {}, place);
  const maxLength = given ?? described?.maxLength ?? usualLength;
  return {
    width: 0,
    maxLength,
    vocabularySize: vocabularySizeOf(tokenizerJson),
    // As model folders read prompts.
    frozen: async () => new TokenTextEncoder(tokenizer, { maxLength, emojiNames: true }),
    trained: notTrained,
    part: () => ({ tokenizerJson, maxLength }),
  };
}

async function openClasses(path: string): Promise<OpenedTextEncoder> {
  const classes = (await readJsonFile(path)) as unknown as Classes;
  const encoder = new ClassEncoder(classes, path);
  return {
    width: 0,
    maxLength: 1,
    frozen: async () => encoder,
    trained: notTrained,
    part: () => ({ classes }),
  };
}

/** A decoder that reads tokens has no text encoder to train: the settings have been checked. */
const notTrained = () => Promise.reject(new SettingsError('textEncoder.train must be false.'));

/** The length of captions in the published models. */
const usualLength = 64;

function huggingFaceEncoder(
  files: TextEncoderPart['files'],
  given: number | undefined,
  folder: string,
): OpenedTextEncoder {
  const { width, positions } = textEncoderSizes(files.config, join(folder, 'config.json'));
  const maxLength = given ?? Math.min(usualLength, positions);
  return {
    width,
    maxLength,
    // As model folders read prompts.
    frozen: (runtime) => loadTextEncoder(files, { runtime, maxLength, emojiNames: true }, folder),
    trained: () => trainedTextEncoder(files, maxLength),
    part: (trained) => ({ files: trained ? { ...files, weights: textEncoderWeights(trained) } : files, maxLength }),
  };
}

async function dalleMiniEncoder(
  folder: string,
  kind: 'bart' | 'min-dalle',
  given: number | undefined,
  weights: WhichReader,
): Promise<OpenedTextEncoder> {
  const { config, tokenizer, parameters, tokenizerFiles } = await weights.read((which) =>
    readDalleMiniTextEncoder(folder, kind, { which }),
  );
  const maxLength = given ?? config.maxLength;
  return {
    width: config.width,
    maxLength,
    frozen: async (runtime) => new BartTextEncoder(config, parameters, { tokenizer, runtime, maxLength }),
    trained: async () => ({ kind: 'trained', config, tokenizer, maxLength, parameters }),
    part: (trained) => ({
      config,
      parameters: trained ? textEncoderParameters(trained) : parameters,
      tokenizer: kind,
      tokenizerFiles,
    }),
  };
}

/** Finds the decoder to fine-tune: in its own folder, or in a model of any layout, which it returns too. */
async function findDecoder(
  source: string,
  weights: WhichReader,
  options: PublishedOptions,
): Promise<{ folder: string; model?: { folder: string; description: ModelDescription } }> {
  if ((await isFolder(source)) && (await isDecoderFolder(source))) return { folder: source };
  const folder = await weights.read((which) => resolveModel(source, { ...options, which }));
  const description = await readModelDescription(folder);
  return { folder: join(folder, description.decoder.folder), model: { folder, description } };
}

/** Checks whether a folder has a decoder in the layout of model folders, and not a whole model. */
async function isDecoderFolder(folder: string): Promise<boolean> {
  const names = await readdir(folder);
  if (names.includes('model.json') || !names.includes('config.json')) return false;
  const config: Partial<AnyDecoderConfig> = await readJsonFile(join(folder, 'config.json'));
  return 'gridSize' in config;
}

type ChooseFiles = (listing: readonly { readonly name: string }[]) => string[];

/**
 * Returns the folder that a source names, or the one that its files are downloaded to.
 *
 * @param field The setting that names it.
 */
async function provide(
  source: string,
  field: string,
  files: ChooseFiles,
  { signal, onProgress }: OpenModelOptions,
): Promise<string> {
  if (isBundledModel(source) && !(await isFolder(source))) return resolveModel(source);
  try {
    return await resolveModelFolder(source, files, {
      signal,
      onProgress: onProgress && ((progress) => onProgress({ ...progress, model: source })),
    });
  } catch (error) {
    if (!OptionError.isInstance(error) || error.option !== 'source') throw error;
    throw new OptionError(field, error.expected, source);
  }
}

/** Chooses the files of one part of a model folder in a repository. Returns `undefined` if it has none. */
function wholeModelFiles(listing: readonly { readonly name: string }[], part: string): string[] | undefined {
  const names = listing.map(({ name }) => name);
  if (!names.includes('model.json')) return undefined;
  return names.filter((name) => name === 'model.json' || dirname(name) === part);
}

async function modelIn(folder: string): Promise<ModelDescription | undefined> {
  return (await readdir(folder)).includes('model.json') ? readModelDescription(folder) : undefined;
}

/** Returns the description of the model that a folder is a part of, if it is. */
async function modelAround(folder: string, part: 'textEncoder' | 'decoder'): Promise<ModelDescription | undefined> {
  const around = await modelIn(dirname(folder)).catch(() => undefined);
  return around?.[part].folder === basename(folder) ? around : undefined;
}

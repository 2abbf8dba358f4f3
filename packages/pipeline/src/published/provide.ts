/** Downloads published models of DALL·E Mini and converts each into a model folder, once. */
import { createHash } from 'node:crypto';
import { copyFile, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isFolder, recoverFolder } from '@dalle-mini/core/node';
import { type DecoderConfig, decoderParameters, importDecoder, importDecoderConfig } from '@dalle-mini/decoder';
import type { CompiledModelCache } from '@dalle-mini/graph/onnxruntime';
import { matchParameters } from '@dalle-mini/graph/stored';
import { type BartConfig, bartParameters, importTextEncoder, importTextEncoderConfig } from '@dalle-mini/text-encoder';
import { neededTokenizerFiles, wordsFile } from '@dalle-mini/text-encoder/node';
import { readVqganFiles } from '@dalle-mini/vqgan/node';
import {
  type Checkpoint,
  findModel,
  fromFloat32,
  MissingAverageError,
  WhichReader,
  type WhichWeights,
} from '@dalle-mini/weights';
import { type DownloadOptions, downloadModel, type HubOptions } from '@dalle-mini/weights/hub';
import { locateTensors } from '@dalle-mini/weights/node';
import type { LoadProgress } from '../load-progress.js';
import type { Dtype } from '../model-folder/dtype.js';
import { folderError, inFile, ModelFolderError } from '../model-folder/error.js';
import { readJson, readTensors } from '../model-folder/files.js';
import { isModelFolder, writeParts } from '../model-folder/model-folder.js';
import { weightsFile } from '../model-folder/part-kind.js';
import { diffusersFiles, isDiffusersFolder } from './amused.js';
import { isLlamaGen, openLlamaGen } from './llama-gen.js';
import { minDalleEFiles, openMinDalleE } from './min-dalle-e.js';
import type { PublishedModel } from './published-model.js';

export interface PublishedModelOptions extends Omit<HubOptions, 'onProgress'> {
  /**
   * The VQ-GAN for a published DALL·E Mini, which does not include one: a folder as `openVqganTokenizer` reads it, or a
   * name of the hub. Default: the published one, `dalle-mini/vqgan_imagenet_f16_16384`, or the `detoker.pt` next to
   * min-dalle's files.
   */
  readonly vqgan?: string | undefined;
  /**
   * For a published model, the weights of its files that training wrote: those of the model, or their exponential moving
   * average (EMA). With `ema`, files without an average are read as they are, such as that of the VQ-GAN; one file must
   * have one. Default: as `readCheckpoint` chooses.
   */
  readonly which?: WhichWeights | undefined;
  /**
   * Precision of the converted model. `fp32` opens fastest, because its file is mapped. `fp16` takes half of the disk
   * space and computes in float32 too. `q8` and `q4` multiply with matrices of 8 and 4 bits, which is less exact but
   * faster (`q4` only for few images). With `q8` the images of a batch are rounded together, so that an image may
   * differ in another batch. Default `fp32`.
   */
  readonly dtype?: Dtype | undefined;
  /** Called while a model is downloaded and converted. */
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
}

/** The VQ-GAN of the published code, and the commit of its repository. */
const publishedVqgan = {
  name: 'dalle-mini/vqgan_imagenet_f16_16384',
  revision: 'e93a26e7707683d349bf5d5c41c5b0ef69b677a9',
};

/** Increase it when the conversion changes: models are converted again. */
const conversionVersion = 2;

/** A model folder and, if it is a converted one, the cache of its compiled graphs. */
export interface ProvidedModel {
  readonly folder: string;
  readonly cache?: CompiledModelCache | undefined;
}

/**
 * Returns a model folder as it is.
 *
 * @throws ModelFolderError if the average of its weights is wanted, which model folders do not have.
 */
export function provideModelFolder(folder: string, { which }: PublishedModelOptions): ProvidedModel {
  if (which === 'ema') {
    const error = new MissingAverageError(
      `${folder} is a model folder, whose weights have no average (EMA). Leave which out.`,
    );
    throw folderError(folder, error);
  }
  return { folder };
}

/**
 * Returns a folder of diffusers as it is: aMUSEd is not converted.
 *
 * @throws ModelFolderError if it is to be converted.
 */
export function provideDiffusers(
  folder: string,
  { dtype = 'fp32', which, vqgan }: PublishedModelOptions,
): ProvidedModel {
  const [option] = Object.entries({ dtype: dtype === 'fp32' ? undefined : dtype, which, vqgan }).find(
    ([, value]) => value !== undefined,
  ) ?? [undefined];
  if (option === undefined) return { folder };
  throw new ModelFolderError(`${folder} is a folder of diffusers, which is opened as it is. Leave ${option} out.`);
}

/** Downloads a model of the hub. Returns the downloaded model folder, or converts the model next to the download. */
export async function provideModel(model: string, options: PublishedModelOptions): Promise<ProvidedModel> {
  const { folder, revision } = await download(model, options.revision, filesOfModel, options);
  if (await isModelFolder(folder)) return provideModelFolder(folder, options);
  if (await isDiffusersFolder(folder)) return provideDiffusers(folder, options);
  // The folder is snapshots/<commit> within the model's cache folder, which the hub's programs delete as a whole.
  return provideConverted(folder, join(dirname(dirname(folder)), 'converted'), revision, model, options);
}

/** Converts a published model in a folder, into a subfolder of it. */
export async function provideModelOf(folder: string, options: PublishedModelOptions): Promise<ProvidedModel> {
  const files = await readdir(folder);
  const states = await Promise.all(files.sort().map(async (name) => [name, await stat(join(folder, name))] as const));
  const identity = states
    .filter(([, state]) => state.isFile())
    .map(([name, { size, mtimeMs }]) => [name, size, mtimeMs]);
  return provideConverted(folder, join(folder, 'converted'), JSON.stringify(identity), folder, options);
}

async function provideConverted(
  folder: string,
  converted: string,
  identity: string,
  model: string,
  options: PublishedModelOptions,
): Promise<ProvidedModel> {
  const { vqgan = '', which, dtype = 'fp32' } = options;
  const key = createHash('sha256')
    .update(JSON.stringify([conversionVersion, identity, vqgan, ...(which ? [which] : [])]))
    .digest('hex')
    .slice(0, 16);
  const target = join(converted, `${key}-${dtype}`);
  if (!(await isModelFolder(target))) await recoverFolder(target);
  if (!(await isModelFolder(target))) await convert(folder, target, model, options);
  // A text encoder may have no weights.
  const sizes = ['vqgan', 'text-encoder', 'decoder'].map((part) =>
    stat(join(target, part, weightsFile)).then(
      ({ size }) => size,
      () => 0,
    ),
  );
  const bytes = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  // The decoder is compiled per batch size: the cache has room for about two sizes.
  return { folder: target, cache: { folder: join(target, 'compiled'), maxBytes: 2 * bytes } };
}

async function download(
  model: string,
  revision: string | undefined,
  files: DownloadOptions['files'],
  { cacheDir, token, endpoint, offline, signal, onProgress }: PublishedModelOptions,
) {
  return downloadModel(model, {
    files,
    revision,
    cacheDir,
    token,
    endpoint,
    offline,
    signal,
    onProgress: onProgress && ((progress) => onProgress({ ...progress, model })),
  });
}

/** Selects the files to download: all of a model folder, or those of a published model that are converted. */
const filesOfModel: Extract<DownloadOptions['files'], (...args: never) => unknown> = (listing) => {
  const names = listing.map(({ name }) => name);
  if (names.includes('model_index.json')) return diffusersFiles(names);
  if (names.includes('model.json'))
    return names.filter((name) => /^[^/]+(\/[^/]+)?\.(json|txt|safetensors)$/.test(name));
  if (!names.includes('config.json') || !names.includes('flax_model.msgpack')) {
    throw new ModelFolderError(
      'The repository must have a model.json, or the config.json and flax_model.msgpack of a DALL·E Mini. Choose one such as dalle-mini/dalle-mini.',
    );
  }
  return ['config.json', 'flax_model.msgpack', ...neededTokenizerFiles(names)];
};

async function convert(folder: string, target: string, model: string, options: PublishedModelOptions): Promise<void> {
  const { signal, onProgress, dtype } = options;
  const weights = new WhichReader(options.which);
  const published = await openPublished(folder, weights, options);
  const vqganFiles = await published.vqgan();
  const { bart } = published;
  const total = bart ? 3 : 2;
  let done = 0;
  const report = () => {
    onProgress?.({ stage: 'convert', model, done: done++, total, unit: 'files' });
    signal?.throwIfAborted();
  };
  await writeParts(
    target,
    {
      name: model,
      textEncoder: published.textEncoder,
      decoder: { type: published.decoder.kind ?? 'dalle-mini' },
      sampling: published.sampling,
    },
    {
      async vqgan() {
        report();
        const path = typeof vqganFiles === 'string' ? vqganFiles : vqganFiles.weights;
        return inFile(path, () => weights.read((which) => readVqganFiles(vqganFiles, { which })));
      },
      // If both have their own files, these weights are freed before the decoder's are read.
      ...(bart && {
        async textEncoder() {
          report();
          return { config: bart.config, weights: await bart.weights() };
        },
      }),
      async decoder() {
        report();
        const decoder = await published.importDecoder();
        weights.check();
        return { config: published.decoder, weights: decoder };
      },
      textEncoderFiles: published.writeTextEncoderFiles,
    },
    dtype,
    // Another process may have converted the model at the same time, and may already be reading it.
    { keep: isModelFolder },
  );
  report();
}

/** Opens a published model in any layout. Throws a `ModelFolderError` if the folder has none. */
async function openPublished(
  folder: string,
  weights: WhichReader,
  options: PublishedModelOptions,
): Promise<PublishedModel> {
  const names = await readdir(folder);
  const has = (...files: readonly string[]) => files.every((file) => names.includes(file));
  if (has('config.json', 'flax_model.msgpack')) return openDalleMini(folder, names, weights, options);
  if (has('encoder.pt', 'decoder.pt', 'vocab.json', 'merges.txt')) return openMinDalle(folder, names, weights, options);
  if (has(...minDalleEFiles)) return openMinDalleE(folder, weights);
  if (isLlamaGen(names)) return openLlamaGen(folder, names, weights);
  throw new ModelFolderError(
    `There is no model at ${folder}. The folder must have a model.json; the config.json, flax_model.msgpack and tokenizer.json of a DALL·E Mini; the encoder.pt, decoder.pt, vocab.json and merges.txt of min-dalle; the ${minDalleEFiles.slice(0, 3).join(', ')} and tokenizer of minDALL-E; or a decoder and a tokenizer of LlamaGen, such as c2i_B_256.pt and vq_ds16_c2i.pt.`,
  );
}

async function openDalleMini(
  folder: string,
  names: readonly string[],
  weights: WhichReader,
  options: PublishedModelOptions,
): Promise<PublishedModel> {
  const json = await readJson(join(folder, 'config.json'));
  const configs = await inFile(join(folder, 'config.json'), () => ({
    textEncoder: importTextEncoderConfig(json),
    decoder: importDecoderConfig(json),
  }));
  const path = join(folder, 'flax_model.msgpack');
  // One file has both parts. Importing a part removes its tensors, so that their memory is freed.
  let published: Checkpoint | undefined;
  const importPart = async (part: (published: Checkpoint) => Checkpoint) => {
    published ??= await weights.read((which) => readTensors(path, { which }));
    const all = published;
    return inFile(path, () => part(all));
  };
  const normalized = json.normalize_text === true;
  return {
    textEncoder: { type: 'dalle-mini', maxLength: configs.textEncoder.maxLength, tokenizer: 'bart' },
    bart: {
      config: configs.textEncoder,
      weights: () => importPart((all) => importTextEncoder(all, configs.textEncoder)),
    },
    writeTextEncoderFiles: (to) =>
      copyFiles(
        folder,
        neededTokenizerFiles(names).filter((name) => normalized || name !== wordsFile),
        to,
      ),
    decoder: configs.decoder,
    importDecoder: () => importPart((all) => importDecoder(all, configs.decoder)),
    vqgan: () => findVqgan(options),
    // As in the published notebook, which sets no top-k: the default of transformers is 50.
    sampling: { topK: 50, guidanceScale: 10 },
  };
}

async function openMinDalle(
  folder: string,
  names: readonly string[],
  weights: WhichReader,
  options: PublishedModelOptions,
): Promise<PublishedModel> {
  const [encoderPath, decoderPath] = [join(folder, 'encoder.pt'), join(folder, 'decoder.pt')];
  // Only the shapes of the weights show the sizes. Heads have 64 channels in both published models.
  const [encoder, decoder] = await Promise.all([sizesOf(encoderPath, weights), sizesOf(decoderPath, weights)]);
  const block = ({ width, layers, feedForwardWidth, hasScales }: Sizes) => ({
    width,
    layers,
    heads: width / 64,
    feedForwardWidth,
    ...(hasScales ? { forceNormScale: true } : {}),
  });
  const textEncoder: BartConfig = { vocabularySize: encoder.rows, maxLength: encoder.positions, ...block(encoder) };
  const decoderConfig: DecoderConfig = {
    vocabularySize: 2 ** 14,
    // As in its code, which begins with the last image token.
    beginToken: 2 ** 14 - 1,
    paddedVocabularySize: decoder.rows,
    gridSize: Math.sqrt(decoder.positions),
    ...block(decoder),
    textWidth: encoder.width,
    textLength: encoder.positions,
  };
  return {
    textEncoder: { type: 'dalle-mini', maxLength: textEncoder.maxLength, tokenizer: 'min-dalle' },
    bart: { config: textEncoder, weights: () => readMinDalle(encoderPath, bartParameters(textEncoder), weights) },
    writeTextEncoderFiles: (to) => copyFiles(folder, ['vocab.json', 'merges.txt'], to),
    decoder: decoderConfig,
    importDecoder: () => readMinDalle(decoderPath, decoderParameters(decoderConfig), weights),
    vqgan: async () => {
      if (options.vqgan !== undefined) return findVqgan(options);
      return names.includes('detoker.pt') ? folder : join(dirname(folder), 'vqgan');
    },
    // The defaults of min-dalle.
    sampling: { topK: 256, guidanceScale: 16 },
  };
}

interface Sizes {
  readonly rows: number;
  readonly positions: number;
  readonly width: number;
  readonly layers: number;
  readonly feedForwardWidth: number;
  /** Whether norms that linear layers follow have scales, as min-dalle's code has, but not the published model. */
  readonly hasScales: boolean;
}

/** Names that the encoder and the decoder of min-dalle have. */
const minDalleMatrices = {
  tokens: 'embed_tokens.weight',
  positions: 'embed_positions.weight',
  feedForward: 'layers.0.glu.fc0.weight',
};

/** Reads the sizes of an encoder or a decoder of min-dalle from the shapes of its tensors. */
async function sizesOf(path: string, weights: WhichReader): Promise<Sizes> {
  const { tensors } = await inFile(path, async () =>
    findModel(
      await weights.read((which) => locateTensors(path, { which })),
      Object.values(minDalleMatrices).map((name) => [name]),
    ),
  );
  const shape = (name: string) => {
    const tensor = tensors.get(name);
    if (tensor?.shape.length !== 2)
      throw new ModelFolderError(`${path}: the matrix ${name} of min-dalle is missing. Download the file again.`);
    return tensor.shape as readonly [number, number];
  };
  const [rows, width] = shape(minDalleMatrices.tokens);
  const [positions] = shape(minDalleMatrices.positions);
  const [feedForwardWidth] = shape(minDalleMatrices.feedForward);
  let layers = 1;
  while (tensors.has(`layers.${layers}.glu.fc0.weight`)) layers++;
  const hasScales = [...tensors.keys()].some((name) => optionalScale.test(name));
  return { rows, positions, width, layers, feedForwardWidth, hasScales };
}

/** Scales that the published model does not have, because linear layers follow, which can scale too. */
const optionalScale = /(^|\.)(pre_(self|encoder)_attn_layer_norm|glu\.ln[01]|final_ln)\.weight$/;

/**
 * Reads an encoder or a decoder of min-dalle. Scales that the file does not have are 1, as in min-dalle's code.
 *
 * @throws ModelFolderError that names tensors which the model does not have.
 */
async function readMinDalle(
  path: string,
  declared: ReadonlyMap<string, { readonly shape: readonly number[] }>,
  weights: WhichReader,
) {
  return inFile(path, async () => {
    const { tensors } = findModel(
      await weights.read((which) => readTensors(path, { which })),
      [...declared.keys()].map((name) => [name]),
    );
    for (const [name, { shape }] of declared) {
      if (optionalScale.test(name) && !tensors.has(name))
        tensors.set(name, fromFloat32(new Float32Array(shape[0]!).fill(1), shape));
    }
    matchParameters(declared, tensors, { isUnneeded: () => false });
    return tensors;
  });
}

async function copyFiles(from: string, names: readonly string[], to: string): Promise<void> {
  for (const name of names) await copyFile(join(from, name), join(to, name));
}

/** Finds or downloads the VQ-GAN of the options, or the published one. */
async function findVqgan(options: PublishedModelOptions): Promise<string> {
  const { vqgan } = options;
  if (vqgan !== undefined && (await isFolder(vqgan))) return vqgan;
  const { name, revision } = vqgan === undefined ? publishedVqgan : { name: vqgan, revision: undefined };
  const { folder } = await download(name, revision, ['config.json', 'flax_model.msgpack'], options);
  return folder;
}

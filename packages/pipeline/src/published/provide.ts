/** DALL·E Mini as it was published: downloaded, converted into a model folder once, and found there ever after. */
import { createHash } from 'node:crypto';
import { copyFile, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Progress, SamplingOptions } from '@dalle-mini/core';
import { isFolder, recoverFolder } from '@dalle-mini/core/node';
import { type DecoderConfig, importDecoder, importDecoderConfig } from '@dalle-mini/decoder';
import type { CompiledModelCache } from '@dalle-mini/graph/onnxruntime';
import { type BartConfig, importTextEncoder, importTextEncoderConfig } from '@dalle-mini/text-encoder';
import { neededTokenizerFiles, wordsFile } from '@dalle-mini/text-encoder/node';
import { readVqganFiles } from '@dalle-mini/vqgan/node';
import type { Checkpoint } from '@dalle-mini/weights';
import { type DownloadOptions, downloadModel, type HubOptions } from '@dalle-mini/weights/hub';
import { locateTensors } from '@dalle-mini/weights/node';
import type { Dtype } from '../model-folder/dtype.js';
import { inFile, ModelFolderError, readJson, readTensors } from '../model-folder/files.js';
import { isModelFolder, writeParts } from '../model-folder/model-folder.js';
import { weightsFile } from '../model-folder/part.js';

/** How far opening a published model is: the bytes of its download, then the parts that are converted. */
export interface LoadProgress extends Progress {
  readonly stage: 'download' | 'convert';
  /** The name or the folder of the model. */
  readonly model: string;
}

export interface PublishedModelOptions extends Omit<HubOptions, 'onProgress'> {
  /**
   * The VQ-GAN that draws the tokens of a released DALL·E Mini, which comes without: a folder as `openVqganTokenizer` reads it, or
   * the hub's name. Default: the published one, `dalle-mini/vqgan_imagenet_f16_16384`; of min-dalle, the `detoker.pt` beside it.
   */
  readonly vqgan?: string | undefined;
  /**
   * How a converted model is stored and computed. `fp32` need not be read to be opened; `fp16` takes half of the disk and computes in float32
   * too; `q8` and `q4` multiply with matrices of 8 and 4 bits, which is faster, `q4` only where few pictures are drawn, and less exact; with `q8`
   * the pictures of one batch are rounded together, so that one may come out differently in another batch. Default `fp32`.
   */
  readonly dtype?: Dtype | undefined;
  /** Called while a model is downloaded and converted. */
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
}

/** The VQ-GAN of the published code, and its commit there. */
const publishedVqgan = {
  name: 'dalle-mini/vqgan_imagenet_f16_16384',
  revision: 'e93a26e7707683d349bf5d5c41c5b0ef69b677a9',
};

/** Raise when models are converted in another way: they are converted again. */
const conversionVersion = 1;

/** A model folder and, if it was converted here, where what is compiled of it is kept. */
export interface ProvidedModel {
  readonly folder: string;
  readonly cache?: CompiledModelCache;
}

/** The model folder of a model of the hub: what it holds, or what it was converted to, beside the download. */
export async function provideModel(model: string, options: PublishedModelOptions): Promise<ProvidedModel> {
  const { folder, revision } = await download(model, options.revision, filesOfModel, options);
  if (await isModelFolder(folder)) return { folder };
  // snapshots/<commit>, of the folder that the hub's own programs delete as a whole.
  return provideConverted(folder, join(dirname(dirname(folder)), 'converted'), revision, model, options);
}

/** The model folder of a release in a folder: what it was converted to, in that folder. */
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
  const { vqgan = '', dtype = 'fp32' } = options;
  const key = createHash('sha256')
    .update(JSON.stringify([conversionVersion, identity, vqgan]))
    .digest('hex')
    .slice(0, 16);
  const target = join(converted, `${key}-${dtype}`);
  if (!(await isModelFolder(target))) await recoverFolder(target);
  if (!(await isModelFolder(target))) await convert(folder, target, model, options);
  const parts = ['vqgan', 'text-encoder', 'decoder'].map((part) => stat(join(target, part, weightsFile)));
  const bytes = (await Promise.all(parts)).reduce((sum, { size }) => sum + size, 0);
  // The decoder is compiled for each number of pictures: there is room for one, and about one more.
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

/** Of a model folder, all that is in it; of a release, the files that it is converted from. */
const filesOfModel: Extract<DownloadOptions['files'], (...args: never) => unknown> = (listing) => {
  const names = listing.map(({ name }) => name);
  if (names.includes('model.json'))
    return names.filter((name) => /^[^/]+(\/[^/]+)?\.(json|txt|safetensors)$/.test(name));
  if (!names.includes('config.json') || !names.includes('flax_model.msgpack')) {
    throw new ModelFolderError(
      'The repository has neither a model.json nor the config.json and flax_model.msgpack of a DALL·E Mini; choose one such as dalle-mini/dalle-mini.',
    );
  }
  return ['config.json', 'flax_model.msgpack', ...neededTokenizerFiles(names)];
};

/** A released text encoder and decoder: their configurations, and their weights, which are read when they are taken. */
interface Release {
  readonly tokenizer: 'bart' | 'min-dalle';
  readonly tokenizerFiles: readonly string[];
  readonly textEncoder: BartConfig;
  readonly decoder: DecoderConfig;
  readonly takeTextEncoder: () => Promise<Checkpoint>;
  readonly importDecoder: () => Promise<Checkpoint>;
  readonly vqgan: () => Promise<string>;
  readonly sampling: SamplingOptions;
}

async function convert(folder: string, target: string, model: string, options: PublishedModelOptions): Promise<void> {
  const { signal, onProgress, dtype } = options;
  const release = await openRelease(folder, options);
  const vqganFolder = await release.vqgan();
  let done = 0;
  const report = () => {
    onProgress?.({ stage: 'convert', model, done: done++, total: 3, unit: 'files' });
    signal?.throwIfAborted();
  };
  await writeParts(
    target,
    {
      name: model,
      textEncoder: { type: 'dalle-mini', maxLength: release.textEncoder.maxLength, tokenizer: release.tokenizer },
      sampling: release.sampling,
    },
    {
      async vqgan() {
        report();
        return inFile(vqganFolder, () => readVqganFiles(vqganFolder));
      },
      // Its weights are let go before the decoder's are read, where they come in files of their own.
      async textEncoder() {
        report();
        return { config: release.textEncoder, weights: await release.takeTextEncoder() };
      },
      async decoder() {
        report();
        return { config: release.decoder, weights: await release.importDecoder() };
      },
      async textEncoderFiles(to) {
        for (const name of release.tokenizerFiles) await copyFile(join(folder, name), join(to, name));
      },
    },
    dtype,
  );
  report();
}

/** @throws ModelFolderError if the folder holds no DALL·E Mini. */
async function openRelease(folder: string, options: PublishedModelOptions): Promise<Release> {
  const names = await readdir(folder);
  const has = (...files: readonly string[]) => files.every((file) => names.includes(file));
  if (has('config.json', 'flax_model.msgpack')) return openFlaxRelease(folder, names, options);
  if (has('encoder.pt', 'decoder.pt', 'vocab.json', 'merges.txt')) return openMinDalle(folder, names, options);
  throw new ModelFolderError(
    `There is no model at ${folder}: expected a model.json; the config.json, flax_model.msgpack and tokenizer.json of a DALL·E Mini; or the encoder.pt, decoder.pt, vocab.json and merges.txt of min-dalle.`,
  );
}

async function openFlaxRelease(
  folder: string,
  names: readonly string[],
  options: PublishedModelOptions,
): Promise<Release> {
  const json = await readJson(join(folder, 'config.json'));
  const configs = await inFile(join(folder, 'config.json'), () => ({
    textEncoder: importTextEncoderConfig(json),
    decoder: importDecoderConfig(json),
  }));
  const path = join(folder, 'flax_model.msgpack');
  // Both parts are taken out of one file: what is taken is let go.
  let released: Checkpoint | undefined;
  const take = async (part: (released: Checkpoint) => Checkpoint) => {
    released ??= await readTensors(path);
    const all = released;
    return inFile(path, () => part(all));
  };
  const normalized = json.normalize_text === true;
  return {
    tokenizer: 'bart',
    tokenizerFiles: neededTokenizerFiles(names).filter((name) => normalized || name !== wordsFile),
    ...configs,
    takeTextEncoder: () => take((all) => importTextEncoder(all, configs.textEncoder)),
    importDecoder: () => take((all) => importDecoder(all, configs.decoder)),
    vqgan: () => findVqgan(options),
    // As the published notebook draws: it names no top-k, and transformers takes 50 then.
    sampling: { topK: 50, guidanceScale: 10 },
  };
}

async function openMinDalle(
  folder: string,
  names: readonly string[],
  options: PublishedModelOptions,
): Promise<Release> {
  const [encoderPath, decoderPath] = [join(folder, 'encoder.pt'), join(folder, 'decoder.pt')];
  // Sizes are in the weights alone. Heads are 64 wide in both published models.
  const [encoder, decoder] = await Promise.all([sizesOf(encoderPath), sizesOf(decoderPath)]);
  const block = ({ width, layers, feedForwardWidth }: Sizes) => ({
    width,
    layers,
    heads: width / 64,
    feedForwardWidth,
  });
  const textEncoder: BartConfig = { vocabularySize: encoder.rows, maxLength: encoder.positions, ...block(encoder) };
  return {
    tokenizer: 'min-dalle',
    tokenizerFiles: ['vocab.json', 'merges.txt'],
    textEncoder,
    decoder: {
      vocabularySize: 2 ** 14,
      paddedVocabularySize: decoder.rows,
      gridSize: Math.sqrt(decoder.positions),
      ...block(decoder),
      textWidth: encoder.width,
      textLength: encoder.positions,
    },
    takeTextEncoder: () => readTensors(encoderPath),
    importDecoder: () => readTensors(decoderPath),
    vqgan: async () => {
      if (options.vqgan !== undefined) return findVqgan(options);
      return names.includes('detoker.pt') ? folder : join(dirname(folder), 'vqgan');
    },
    // min-dalle's own.
    sampling: { topK: 256, guidanceScale: 16 },
  };
}

interface Sizes {
  readonly rows: number;
  readonly positions: number;
  readonly width: number;
  readonly layers: number;
  readonly feedForwardWidth: number;
}

/** The sizes of an encoder or a decoder of min-dalle, by the shapes of its tensors. */
async function sizesOf(path: string): Promise<Sizes> {
  const tensors = await inFile(path, () => locateTensors(path));
  const shape = (name: string) => {
    const tensor = tensors.get(name);
    if (tensor?.shape.length !== 2)
      throw new ModelFolderError(`${path}: it has no matrix ${name}, as min-dalle's has; fetch it again.`);
    return tensor.shape as readonly [number, number];
  };
  const [rows, width] = shape('embed_tokens.weight');
  const [positions] = shape('embed_positions.weight');
  const [feedForwardWidth] = shape('layers.0.glu.fc0.weight');
  let layers = 1;
  while (tensors.has(`layers.${layers}.glu.fc0.weight`)) layers++;
  return { rows, positions, width, layers, feedForwardWidth };
}

/** The folder of the VQ-GAN that was asked for, or of the published one. */
async function findVqgan(options: PublishedModelOptions): Promise<string> {
  const { vqgan } = options;
  if (vqgan !== undefined && (await isFolder(vqgan))) return vqgan;
  const { name, revision } = vqgan === undefined ? publishedVqgan : { name: vqgan, revision: undefined };
  const { folder } = await download(name, revision, ['config.json', 'flax_model.msgpack'], options);
  return folder;
}

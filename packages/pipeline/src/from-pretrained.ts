import { dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import {
  callback,
  type Fields,
  type ImageRanker,
  implementation,
  integer,
  OptionError,
  object,
  oneOf,
  optional,
  readOptions,
  string,
} from '@dalle-mini/core';
import { findPackageFile, installAdvice, isFolder, isInArchive, recoverFolder } from '@dalle-mini/core/node';
import { type AnyDecoder, createDecoder, textWidthOf } from '@dalle-mini/decoder';
import { type RuntimeOptions, runtimeFields } from '@dalle-mini/graph/onnxruntime';
import { VqganTokenizer } from '@dalle-mini/vqgan';
import { whichField } from '@dalle-mini/weights';
import { HubError, hubFields, isHubName } from '@dalle-mini/weights/hub';
import { batchSize } from './generate/options.js';
import { TextToImage } from './generate/text-to-image.js';
import { dtypes } from './model-folder/dtype.js';
import { folderError, ModelFolderError } from './model-folder/error.js';
import { isModelFolder, readModelDescription } from './model-folder/model-folder.js';
import { openDecoderPart, openVqganPart } from './model-folder/part.js';
import { openTextEncoder } from './model-folder/text-encoder.js';
import { type DeviceName, deviceNames, openRuntime } from './open-runtime.js';
import { isDiffusersFolder, openAmused } from './published/amused.js';
import {
  type ProvidedModel,
  type PublishedModelOptions,
  provideDiffusers,
  provideModel,
  provideModelFolder,
  provideModelOf,
} from './published/provide.js';

export interface FromPretrainedOptions extends PublishedModelOptions, RuntimeOptions {
  /**
   * What the model is computed on. `cpu`: the processor, with ONNX Runtime. `cuda`: a GPU of NVIDIA, `tpu`: a TPU,
   * `xla-cpu`: the processor; these with XLA, which needs the package `@dalle-mini/xla` and a plugin for the device.
   * Default `cpu`.
   */
  readonly device?: DeviceName | undefined;
  /**
   * The number of images that the first call will generate at once, up to 8. The decoder is compiled for that number in
   * the background while the other parts load. With 0, the first call compiles it. Default 1.
   */
  readonly prepare?: number | undefined;
  /** Sorts the images, best first. It is disposed of with the model. */
  readonly ranker?: ImageRanker | undefined;
}

const publishedFields: Fields<PublishedModelOptions> = {
  ...hubFields,
  vqgan: optional(string()),
  which: whichField,
  dtype: optional(oneOf(dtypes), 'fp32'),
  onProgress: optional(callback()),
};

const resolveFields = object<PublishedModelOptions>(publishedFields);

const fromPretrainedFields = object<FromPretrainedOptions>({
  ...publishedFields,
  ...runtimeFields,
  device: optional(oneOf(deviceNames)),
  prepare: optional(integer(), 1),
  ranker: optional(implementation<ImageRanker>('an ImageRanker', ['rank', 'dispose'])),
});

/** Models that are npm packages, with the model folder `model/`. */
const bundledModels: ReadonlyMap<string, string> = new Map([['emoji', '@dalle-mini/emoji']]);

/**
 * Opens a model:
 *
 * - a bundled model, by its name, `emoji`;
 * - a folder, by its path: a model folder, or DALL·E Mini in one of its published layouts;
 * - aMUSEd in a folder of diffusers;
 * - a model of the Hugging Face hub, by its name, such as `dalle-mini/dalle-mini` or `amused/amused-256`.
 *
 * A published model, except aMUSEd, is converted once. The converted model and its compiled graphs are kept next to the published
 * files.
 *
 * @throws OptionError if an option is unknown or out of its range; ModelFolderError if the model is missing, or if one
 * of its files is missing, damaged or does not match the others; HubError if it cannot be downloaded; XlaError if the
 * device cannot be used; the signal's reason if it aborts.
 *
 * @example
 * ```ts
 * import { fromPretrained } from '@dalle-mini/pipeline';
 *
 * const model = await fromPretrained('emoji', { threads: 2 });
 * const [picture] = await model.generate('a red apple');
 * await picture?.save('apple.png');
 * await model.dispose();
 * ```
 */
export async function fromPretrained(source = 'emoji', options: FromPretrainedOptions = {}): Promise<TextToImage> {
  if (typeof source !== 'string') throw new OptionError('source', 'the name or the path of a model', source);
  const given = readOptions(fromPretrainedFields, options, 'fromPretrained');
  const { threads, ranker, prepare = 1, signal, device } = given;
  if (given.runtime && device !== undefined)
    throw new OptionError('device', 'left out if runtime, which has a device, is given', device);
  signal?.throwIfAborted();
  const found = findModel(source, given);
  const cache = found.then((provided) => provided.cache).catch(() => undefined);
  const own = given.runtime ? undefined : await openRuntime(device ?? 'cpu', { threads, cache });
  const runtime = given.runtime ?? own!;
  // Stops the parts that are still loading if another part fails.
  const failure = new AbortController();
  let decoder: AnyDecoder | undefined;
  try {
    const { folder } = await raceAbort(found, signal);
    if (await isDiffusersFolder(folder)) {
      const amused = await raceAbort(openAmused(folder, runtime), signal);
      decoder = amused.decoder;
      if (prepare > 0) decoder.prepare(Math.min(prepare, batchSize), amused.sampling).catch(() => undefined);
      return new TextToImage({ ...amused, ranker, runtime: own });
    }
    const description = await readModelDescription(folder);
    const textEncoderFolder = join(folder, description.textEncoder.folder);
    const decoderFolder = join(folder, description.decoder.folder);
    // The decoder first, because it takes longest to compile, which the runtime does in the background.
    const decoderPart = await raceAbort(openDecoderPart(decoderFolder), signal);
    decoder = createDecoder(decoderPart.config, decoderPart.parameters, { runtime });
    // If this fails, the first call fails with the same error.
    if (prepare > 0) decoder.prepare(Math.min(prepare, batchSize), description.sampling).catch(() => undefined);
    await setImmediate();
    const loading = [
      // One caption at once, because the encoding of the negative prompt is kept.
      openTextEncoder(textEncoderFolder, description.textEncoder, { runtime, batchSize: 1, signal: failure.signal }),
      openVqganPart(join(folder, description.imageTokenizer.folder)),
    ] as const;
    const [textEncoder, vqganPart] = await raceAbort(Promise.all(loading), signal);
    const textWidth = textWidthOf(decoderPart.config);
    if (textEncoder.width !== textWidth) {
      throw new ModelFolderError(
        `${join(decoderFolder, 'config.json')}: textWidth must be ${textEncoder.width}, the width of ${textEncoderFolder}, ` +
          `not ${textWidth}. Download or export the model again.`,
      );
    }
    const imageTokenizer = new VqganTokenizer(vqganPart.config, vqganPart.parameters, { runtime });
    try {
      return new TextToImage({
        imageTokenizer,
        textEncoder,
        decoder,
        ranker,
        sampling: description.sampling,
        runtime: own,
      });
    } catch (error) {
      throw folderError(folder, error);
    }
  } catch (error) {
    failure.abort();
    await Promise.all([own?.dispose(), decoder?.dispose()]);
    throw error;
  }
}

/** Checks whether a text is the name of a bundled model, such as `emoji`. */
export function isBundledModel(name: string): boolean {
  return bundledModels.has(name);
}

/**
 * Finds the model folder of a model, as {@link fromPretrained} does: a bundled model, a folder, or a model of the hub, which
 * is downloaded. A published model is converted once.
 *
 * @returns The path of a folder with a `model.json`.
 * @throws The errors of {@link fromPretrained}.
 */
export async function resolveModel(source: string, options: PublishedModelOptions = {}): Promise<string> {
  const given = readOptions(resolveFields, options, 'resolveModel');
  return (await findModel(source, given)).folder;
}

/** Finds the folder of a model by its name or its path. */
async function findModel(model: string, options: PublishedModelOptions): Promise<ProvidedModel> {
  const packageName = bundledModels.get(model);
  if (packageName !== undefined) return provideModelFolder(bundledModel(model, packageName), options);
  if (!(await isFolder(model)) && (await isFolder(dirname(model)))) await recoverFolder(model);
  if (await isFolder(model)) {
    if (await isDiffusersFolder(model)) return provideDiffusers(model, options);
    return (await isModelFolder(model)) ? provideModelFolder(model, options) : provideModelOf(model, options);
  }
  if (isHubName(model)) {
    return provideModel(model, options).catch((error: unknown) => {
      if (!(error instanceof HubError)) throw error;
      throw new HubError(`The folder ${model} does not exist, and the model cannot be downloaded: ${error.message}`, {
        cause: error,
      });
    });
  }
  throw new ModelFolderError(
    `There is no model at ${model}. Give a folder with a model.json, the name of a bundled model (${[...bundledModels.keys()].join(', ')}), or the name of a model on the hub, such as dalle-mini/dalle-mini.`,
  );
}

/** Finds the model folder of an installed package. */
function bundledModel(model: string, packageName: string): string {
  let folder: string;
  try {
    folder = join(dirname(findPackageFile(`${packageName}/package.json`, import.meta.url)), 'model');
  } catch (error) {
    throw new ModelFolderError(
      `The package ${packageName} of the model ${model} is not found. ${installAdvice(packageName)}`,
      { cause: error },
    );
  }
  if (!isInArchive(folder)) return folder;
  throw new ModelFolderError(
    `The model ${folder} must not be in an archive of Electron, because ONNX Runtime maps its files. Add "**/node_modules/@dalle-mini/emoji/**" to asarUnpack.`,
  );
}

/** Rejects as soon as a signal aborts; the work itself continues, and its outcome is ignored. */
async function raceAbort<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

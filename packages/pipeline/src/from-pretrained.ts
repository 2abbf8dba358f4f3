import { dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { DalleMiniDecoder } from '@dalle-mini/decoder';
import type { Runtime } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { VqganTokenizer } from '@dalle-mini/vqgan';
import { HubError, isHubName } from '@dalle-mini/weights/hub';
import { folderError, isFolder, ModelFolderError } from './folder.js';
import type { ImageRanker } from './image-ranker.js';
import { isModelFolder, readModelDescription } from './model-folder.js';
import { openDecoder, openVqgan } from './model-part.js';
import { batchSize, OptionError } from './options.js';
import { type ProvidedModel, type PublishedModelOptions, provideModel, provideModelOf } from './published-model.js';
import { openTextEncoder } from './text-encoder-part.js';
import { TextToImage } from './text-to-image.js';

export interface FromPretrainedOptions extends PublishedModelOptions {
  /** What computes the model. It stays the caller's to dispose of. Default: an `OnnxRuntime` that ends with the model. */
  readonly runtime?: Runtime;
  /** Threads of the default runtime. Default: the number of processor cores. */
  readonly threads?: number;
  /**
   * How many images a call will draw at once, up to 8: what draws as many is compiled in the background while the rest is loaded, so
   * that the first call need not. 0 leaves it to the first call. Default 1.
   */
  readonly prepare?: number;
  /** Puts the best images first; it is disposed of with the model. */
  readonly ranker?: ImageRanker;
}

/** Models that are npm packages: each has its folder at `model/`. */
const bundledModels: Readonly<Record<string, string>> = { emoji: '@dalle-mini/emoji' };

/**
 * Loads a model:
 *
 * - a bundled one, by its name, `emoji`;
 * - one in a folder, by its path: a model folder, or a DALL·E Mini as it was released;
 * - one of the Hugging Face hub, by its name, such as `dalle-mini/dalle-mini`.
 *
 * A released model is converted once, beside the files that it came in, and what is compiled of it is kept there too.
 *
 * @throws ModelFolderError if there is no such model, or if a file of it is missing, damaged or does not belong to the others;
 * HubError if the hub does not give it; the signal's reason if it aborts.
 */
export async function fromPretrained(model = 'emoji', options: FromPretrainedOptions = {}): Promise<TextToImage> {
  const { threads, ranker, prepare = 1, signal } = options;
  if (!Number.isSafeInteger(prepare) || prepare < 0)
    throw new OptionError('prepare', 'must be a whole number from 0 up', prepare);
  signal?.throwIfAborted();
  const found = findModel(model, options);
  const cache = found.then((provided) => provided.cache).catch(() => undefined);
  const own = options.runtime ? undefined : new OnnxRuntime({ threads, cache });
  own?.start();
  const runtime = options.runtime ?? own!;
  // Tells the parts that are still read that they are not needed any more.
  const failure = new AbortController();
  let imageTokenDecoder: DalleMiniDecoder | undefined;
  try {
    const { folder } = await raceAbort(found, signal);
    const { imageTokenizer, textEncoder, decoder, sampling } = await readModelDescription(folder);
    const textEncoderFolder = join(folder, textEncoder.folder);
    const decoderFolder = join(folder, decoder.folder);
    // The decoder first, which takes longest to compile: the runtime does it in the background.
    const decoderPart = await raceAbort(openDecoder(decoderFolder), signal);
    imageTokenDecoder = new DalleMiniDecoder(decoderPart.config, decoderPart.parameters, { runtime });
    // If it fails, so will the first call, and say why.
    if (prepare > 0) imageTokenDecoder.prepare(Math.min(prepare, batchSize), sampling).catch(() => undefined);
    await setImmediate();
    const loading = [
      // One caption at once: of most pictures, only the prompt is new.
      openTextEncoder(textEncoderFolder, textEncoder, { runtime, batchSize: 1, signal: failure.signal }),
      openVqgan(join(folder, imageTokenizer.folder)),
    ] as const;
    const [encoder, vqganPart] = await raceAbort(Promise.all(loading), signal);
    if (encoder.width !== decoderPart.config.textWidth) {
      throw new ModelFolderError(
        `${join(decoderFolder, 'config.json')}: textWidth is ${decoderPart.config.textWidth}, and the hidden states of ` +
          `${textEncoderFolder} are ${encoder.width} wide: the two do not belong together; fetch or export the model again.`,
      );
    }
    const parts = {
      tokenizer: new VqganTokenizer(vqganPart.config, vqganPart.parameters, { runtime }),
      encoder,
      decoder: imageTokenDecoder,
    };
    try {
      return new TextToImage({ ...parts, sampling, ...(ranker ? { ranker } : {}), ...(own ? { runtime: own } : {}) });
    } catch (error) {
      throw folderError(folder, error);
    }
  } catch (error) {
    failure.abort();
    await Promise.all([own?.dispose(), imageTokenDecoder?.dispose()]);
    throw error;
  }
}

/** The model of a name or a path. */
async function findModel(model: string, options: PublishedModelOptions): Promise<ProvidedModel> {
  const packageName = bundledModels[model];
  if (packageName !== undefined) {
    try {
      return { folder: join(dirname(fileURLToPath(import.meta.resolve(`${packageName}/package.json`))), 'model') };
    } catch (error) {
      throw new ModelFolderError(
        `The model ${model} is the package ${packageName}, which is not installed: run "npm install ${packageName}".`,
        { cause: error },
      );
    }
  }
  if (await isFolder(model)) return (await isModelFolder(model)) ? { folder: model } : provideModelOf(model, options);
  if (isHubName(model)) {
    return provideModel(model, options).catch((error: unknown) => {
      if (!(error instanceof HubError)) throw error;
      throw new HubError(`There is no folder ${model} here, and the hub does not give it: ${error.message}`, {
        cause: error,
      });
    });
  }
  throw new ModelFolderError(
    `There is no model at ${model}: expected a folder with a model.json, the name of a bundled model (${Object.keys(bundledModels).join(', ')}), or one of the hub's, such as dalle-mini/dalle-mini.`,
  );
}

/** Rejects as soon as a signal aborts; what was under way goes on unheard. */
async function raceAbort<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

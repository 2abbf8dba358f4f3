import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DalleMiniDecoder } from '@dalle-mini/decoder';
import type { Runtime } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { BertTextEncoder } from '@dalle-mini/text-encoder';
import { VqganTokenizer } from '@dalle-mini/vqgan';
import type { ImageRanker } from './image-ranker.js';
import {
  folderError,
  ModelFolderError,
  readDecoder,
  readModelDescription,
  readTextEncoder,
  readVqgan,
} from './model-folder.js';
import { TextToImage } from './text-to-image.js';

export interface LoadModelOptions {
  /** What computes the model. It stays the caller's to dispose of. Default: an `OnnxRuntime` that ends with the model. */
  readonly runtime?: Runtime;
  /** Threads of the default runtime. Default: the number of processor cores. */
  readonly threads?: number;
  /** Puts the best images first; it is disposed of with the model. */
  readonly ranker?: ImageRanker;
  /** Cancels the loading: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Models that are npm packages: each has its folder at `model/`. */
const bundledModels: Readonly<Record<string, string>> = { emoji: '@dalle-mini/emoji' };

/**
 * Loads a model: a bundled one by its name, or one from a folder by its path.
 *
 * @throws ModelFolderError if there is no such model, or if a file of it is missing, damaged or does not belong to the others.
 */
export async function loadModel(nameOrFolder = 'emoji', options: LoadModelOptions = {}): Promise<TextToImage> {
  const { threads, ranker, signal } = options;
  signal?.throwIfAborted();
  const folder = await findModel(nameOrFolder);
  const own = options.runtime ? undefined : new OnnxRuntime({ threads });
  const runtime = options.runtime ?? own!;
  // Tells the parts that are still read that they are not needed any more.
  const failure = new AbortController();
  try {
    const description = await readModelDescription(folder);
    const { imageTokenizer, textEncoder, decoder, sampling } = description;
    const textEncoderFolder = join(folder, textEncoder.folder);
    const decoderFolder = join(folder, decoder.folder);
    const loading = [
      // The text encoder first: the runtime compiles it while the other files are read.
      (async () => {
        const files = await readTextEncoder(textEncoderFolder);
        failure.signal.throwIfAborted();
        // Two captions at once: the prompt and the negative one.
        const encoderOptions = { runtime, maxLength: textEncoder.maxLength, batchSize: 2 };
        return BertTextEncoder.fromFiles(files, encoderOptions).catch((error: unknown) => {
          throw folderError(textEncoderFolder, error);
        });
      })(),
      readVqgan(join(folder, imageTokenizer.folder)),
      readDecoder(decoderFolder),
    ] as const;
    const [encoder, vqganPart, decoderPart] = await raceAbort(Promise.all(loading), signal);
    if (encoder.hiddenSize !== decoderPart.config.textWidth) {
      throw new ModelFolderError(
        `${join(decoderFolder, 'config.json')}: textWidth is ${decoderPart.config.textWidth}, and the hidden states of ` +
          `${textEncoderFolder} are ${encoder.hiddenSize} wide: the two do not belong together; fetch or export the model again.`,
      );
    }
    const parts = {
      tokenizer: new VqganTokenizer(vqganPart.config, vqganPart.parameters, runtime),
      encoder,
      decoder: new DalleMiniDecoder(decoderPart.config, decoderPart.parameters, runtime),
    };
    try {
      return new TextToImage({ ...parts, sampling, ...(ranker ? { ranker } : {}), ...(own ? { runtime: own } : {}) });
    } catch (error) {
      throw folderError(folder, error);
    }
  } catch (error) {
    failure.abort();
    await own?.dispose();
    throw error;
  }
}

/** The folder of a model by its name or its path. */
async function findModel(nameOrFolder: string): Promise<string> {
  const packageName = bundledModels[nameOrFolder];
  if (packageName !== undefined) {
    try {
      return join(dirname(fileURLToPath(import.meta.resolve(`${packageName}/package.json`))), 'model');
    } catch (error) {
      throw new ModelFolderError(
        `The model ${nameOrFolder} is the package ${packageName}, which is not installed: run "npm install ${packageName}".`,
        { cause: error },
      );
    }
  }
  try {
    await readFile(join(nameOrFolder, 'model.json'));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new ModelFolderError(
        `There is no model at ${nameOrFolder}: expected a folder with a model.json, or the name of a bundled model (${Object.keys(bundledModels).join(', ')}).`,
        { cause: error },
      );
    }
  }
  return nameOrFolder;
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

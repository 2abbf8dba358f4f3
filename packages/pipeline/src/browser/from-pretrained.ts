import {
  abortSignal,
  boolean,
  callback,
  type ImageRanker,
  implementation,
  integer,
  OptionError,
  object,
  optional,
  readOptions,
  string,
} from '@dalle-mini/core';
import { type Runtime, runtimeField } from '@dalle-mini/graph';
import { OnnxRuntimeWeb, type OnnxRuntimeWebOptions, onnxRuntimeWebFields } from '@dalle-mini/graph/onnxruntime-web';
import type { FileDownloadOptions } from '@dalle-mini/weights/browser';
import { batchSize } from '../generate/options.js';
import { TextToImage } from '../generate/text-to-image.js';
import type { LoadProgress } from '../load-progress.js';
import { folderError } from '../model-folder/error.js';
import { downloadModelFolder, type ModelFiles } from './model-files.js';
import { findModelSource } from './model-source.js';
import { checkWidths, openDecoder, openImageTokenizer, openTextEncoder } from './open-parts.js';

export interface FromPretrainedOptions extends OnnxRuntimeWebOptions {
  /** What computes. Default: an `OnnxRuntimeWeb` with `device`, `threads` and `wasmPaths`, which is disposed of with the model. */
  readonly runtime?: Runtime | undefined;
  /**
   * The number of images that the first call will generate at once, up to 8. The decoder is compiled for that number
   * while the model loads. With 0, the first call compiles it. Default 1.
   */
  readonly prepare?: number | undefined;
  /** Sorts the images, best first. It is disposed of with the model. */
  readonly ranker?: ImageRanker | undefined;
  /** Of a model of the hub: a branch, a tag or a commit. Default `main`. */
  readonly revision?: string | undefined;
  /** The address of the hub or of a mirror. Default `https://huggingface.co`. */
  readonly endpoint?: string | undefined;
  /** The access token of the hub. Every visitor of a page can read it. */
  readonly token?: string | undefined;
  /** Uses the files that the browser has kept, without the network. Default false. */
  readonly offline?: boolean | undefined;
  /** Keeps the files in the browser (in its origin private file system), and takes them from there. Default true. */
  readonly keep?: boolean | undefined;
  /** Called while the model is downloaded, up to ten times a second. */
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  /** Cancels: the promise rejects with the signal's reason. What was downloaded is kept for the next call. */
  readonly signal?: AbortSignal | undefined;
}

const fromPretrainedFields = object<FromPretrainedOptions>({
  ...onnxRuntimeWebFields,
  runtime: optional(runtimeField),
  prepare: optional(integer(), 1),
  ranker: optional(implementation<ImageRanker>('an ImageRanker', ['rank', 'dispose'])),
  revision: optional(string(), 'main'),
  endpoint: optional(string(), 'https://huggingface.co'),
  token: optional(string({ minLength: 0 })),
  offline: optional(boolean(), false),
  keep: optional(boolean(), true),
  onProgress: optional(callback()),
  signal: optional(abortSignal()),
});

/**
 * Opens a model in a browser:
 *
 * - the bundled model, by its name, `emoji`;
 * - a model folder on a website, by its address, such as `/model/` or `https://example.com/model/`;
 * - a model folder on the Hugging Face hub, by its name, such as `organization/name`.
 *
 * Files are downloaded once: the browser keeps them, and an interrupted download resumes. Files of the bundled model and of
 * the hub are checked by their checksums; the size and the version of others are compared with those that the website tells.
 *
 * Call it in a module worker, because it computes on the thread that calls it. `openInWorker` is the same for pages.
 *
 * @throws OptionError if an option is unknown or out of its range; ModelFolderError if a file is missing, damaged or does not
 * match the others; HubError if one cannot be downloaded; BrowserStorageError if there is no room to keep it;
 * RuntimeUnavailableError if ONNX Runtime cannot be loaded; OutOfMemoryError; the signal's reason if it aborts.
 *
 * @example
 * ```ts no-run
 * import { fromPretrained } from '@dalle-mini/pipeline/browser';
 *
 * const model = await fromPretrained('emoji', { onProgress: ({ done, total }) => console.log(done / total) });
 * const [picture] = await model.generate('a red apple');
 * console.log(picture?.image.width);
 * await model.dispose();
 * ```
 */
export async function fromPretrained(source = 'emoji', options: FromPretrainedOptions = {}): Promise<TextToImage> {
  if (typeof source !== 'string') throw new OptionError('source', 'the name or the address of a model', source);
  const given = readOptions(fromPretrainedFields, options, 'fromPretrained');
  const { revision = 'main', offline = false, keep, token, onProgress } = given;
  const endpoint = given.endpoint!.replace(/\/+$/, '');
  const signal = given.signal ?? new AbortController().signal;
  signal.throwIfAborted();
  const downloads: FileDownloadOptions = {
    signal,
    keep,
    token: token === '' ? undefined : token,
    origin: new URL(endpoint).origin,
    onProgress: onProgress && ((progress) => onProgress({ ...progress, model: source })),
  };
  const found = await findModelSource(source, { revision, endpoint, offline }, downloads);
  const { description, files } = await downloadModelFolder(found, downloads);
  return openModel(files, description, given, signal);
}

async function openModel(
  files: ModelFiles,
  { textEncoder, decoder, imageTokenizer, sampling }: Awaited<ReturnType<typeof downloadModelFolder>>['description'],
  { device, threads, wasmPaths, ranker, prepare = 1, runtime: given }: FromPretrainedOptions,
  signal: AbortSignal,
): Promise<TextToImage> {
  const own = given ? undefined : new OnnxRuntimeWeb({ device, threads, wasmPaths });
  const runtime = given ?? own!;
  try {
    const opened = await openDecoder(files, decoder.folder, runtime);
    signal.throwIfAborted();
    // If this fails, the first call fails with the same error.
    if (prepare > 0) opened.decoder.prepare(Math.min(prepare, batchSize), sampling).catch(() => undefined);
    const encoder = await openTextEncoder(files, textEncoder, runtime);
    signal.throwIfAborted();
    checkWidths(files, encoder, opened.textWidth);
    const parts = {
      imageTokenizer: await openImageTokenizer(files, imageTokenizer.folder, runtime),
      textEncoder: encoder,
      decoder: opened.decoder,
      ranker,
      sampling,
      runtime: own,
    };
    signal.throwIfAborted();
    try {
      return new TextToImage(parts);
    } catch (error) {
      throw folderError(files.name, error);
    }
  } catch (error) {
    await own?.dispose();
    throw error;
  }
}

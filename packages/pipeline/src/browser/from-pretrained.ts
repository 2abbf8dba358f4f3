import { type ImageRanker, implementation, integer, object, optional, readOptions } from '@dalle-mini/core';
import { type Runtime, runtimeField } from '@dalle-mini/graph';
import { OnnxRuntimeWeb, type OnnxRuntimeWebOptions, onnxRuntimeWebFields } from '@dalle-mini/graph/onnxruntime-web';
import { batchSize } from '../generate/options.js';
import { TextToImage } from '../generate/text-to-image.js';
import type { ModelDescription } from '../model-folder/description.js';
import { folderError } from '../model-folder/error.js';
import { type DownloadModelOptions, downloadModel, downloadModelFields } from './download-model.js';
import type { ModelFiles } from './model-files.js';
import { checkWidths, openDecoder, openImageTokenizer, openTextEncoder } from './open-parts.js';

export interface FromPretrainedOptions extends DownloadModelOptions, OnnxRuntimeWebOptions {
  /** What computes. Default: an `OnnxRuntimeWeb` with `device`, `threads` and `wasmPaths`, which is disposed of with the model. */
  readonly runtime?: Runtime | undefined;
  /**
   * The number of images that the first call will generate at once, up to 8. The decoder is compiled for that number
   * while the model loads. With 0, the first call compiles it. Default 1.
   */
  readonly prepare?: number | undefined;
  /** Sorts the images, best first. It is disposed of with the model. */
  readonly ranker?: ImageRanker | undefined;
}

const fromPretrainedFields = object<FromPretrainedOptions>({
  ...downloadModelFields,
  ...onnxRuntimeWebFields,
  runtime: optional(runtimeField),
  prepare: optional(integer(), 1),
  ranker: optional(implementation<ImageRanker>('an ImageRanker', ['rank', 'dispose'])),
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
  const given = readOptions(fromPretrainedFields, options, 'fromPretrained');
  const { description, files } = await downloadModel(source, given);
  return openModel(files, description, given);
}

async function openModel(
  files: ModelFiles,
  { textEncoder, decoder, imageTokenizer, sampling }: ModelDescription,
  { device, threads, wasmPaths, ranker, prepare = 1, runtime: given, signal }: FromPretrainedOptions,
): Promise<TextToImage> {
  const own = given ? undefined : new OnnxRuntimeWeb({ device, threads, wasmPaths });
  const runtime = given ?? own!;
  try {
    const opened = await openDecoder(files, decoder.folder, runtime);
    signal?.throwIfAborted();
    // If this fails, the first call fails with the same error.
    if (prepare > 0) opened.decoder.prepare(Math.min(prepare, batchSize), sampling).catch(() => undefined);
    const encoder = await openTextEncoder(files, textEncoder, runtime);
    signal?.throwIfAborted();
    checkWidths(files, encoder, opened.textWidth);
    const parts = {
      imageTokenizer: await openImageTokenizer(files, imageTokenizer.folder, runtime),
      textEncoder: encoder,
      decoder: opened.decoder,
      ranker,
      sampling,
      runtime: own,
    };
    signal?.throwIfAborted();
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

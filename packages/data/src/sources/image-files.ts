import { abortSignal, hash, object, optional, type RgbImage, readOptions } from '@dalle-mini/core';
import { readBytes } from '@dalle-mini/core/node';
import { DataError } from '../data-error.js';
import { checkIndex, type Dataset } from '../dataset.js';
import { imageEndings } from '../image-formats.js';
import { type PreprocessOptions, preprocessFields, preprocessImage } from '../preprocess.js';
import { walkFolder } from './walk.js';

/** Options of {@link openImageFiles}. */
export interface ImageFilesOptions extends PreprocessOptions {
  /** Stops the search. */
  readonly signal?: AbortSignal | undefined;
}

const filesFields = object<ImageFilesOptions>({ ...preprocessFields, signal: optional(abortSignal()) });

/**
 * Opens the image files of a folder and of those below it, in the order of their paths, without captions. Their names end as usual
 * (`.jpg`, `.png`, `.webp`, …); hidden files and the folders of training runs are left out.
 *
 * `get` decodes an image each time, and throws a `DataError` that names the file if it is damaged.
 *
 * @throws DataError if there is no image; FileError if the folder cannot be read; the reason of `signal` if it aborts.
 *
 * @example
 * ```ts
 * import { openImageFiles } from '@dalle-mini/data';
 *
 * const files = await openImageFiles('pictures', { imageSize: 64 });
 * const { key, image } = await files.get(0);
 * console.log(files.length, key, image.width);
 * ```
 */
export async function openImageFiles(
  folder: string,
  options: ImageFilesOptions,
): Promise<Dataset<{ readonly key: string; readonly image: RgbImage }>> {
  const { signal, ...preprocessing } = readOptions(filesFields, options, 'openImageFiles');
  const { files } = await walkFolder(folder, { signal });
  const images = [...files].filter(([name]) => imageEndings.has(/\.[^./]*$/.exec(name)?.[0].toLowerCase() ?? ''));
  if (images.length === 0)
    throw new DataError(`${folder} has no images. Add files that end in ${[...imageEndings].join(', ')}.`);
  return {
    length: images.length,
    async get(index, variation = 0) {
      checkIndex(index, images.length);
      const [key, { path }] = images[index]!;
      const seed = hash(preprocessing.seed ?? 0, index, variation);
      return { key, image: await preprocessImage(await readBytes(path), path, { ...preprocessing, seed }) };
    },
  };
}

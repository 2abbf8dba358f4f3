import { readFile } from 'node:fs/promises';
import type { RgbImage } from '@dalle-mini/core';
import { withFileErrors } from '@dalle-mini/core/node';
import { preprocessImage } from './preprocess.js';

/**
 * Decodes an image file, as {@link preprocessImage} does, and crops it to the square in its middle.
 *
 * @param file A path, or the bytes of the file.
 * @param size Width and height of the result in pixels, 1 to 8192: the `imageSize` of an image tokenizer.
 * @throws FileError if the file cannot be read; DataError that names the file if it is not an image.
 *
 * @example
 * ```ts
 * import { decodeImage } from '@dalle-mini/data';
 *
 * const { width, height, data } = await decodeImage('pictures/red.png', 64);
 * console.log(width, height, data.length); // 64 64 12288
 * ```
 */
export async function decodeImage(file: string | Uint8Array, size: number): Promise<RgbImage> {
  if (typeof file !== 'string') return preprocessImage(file, 'bytes', { imageSize: size });
  const bytes = await withFileErrors('read', file, () => readFile(file));
  return preprocessImage(bytes, file, { imageSize: size });
}

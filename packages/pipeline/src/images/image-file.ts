import {
  checkImage,
  integer,
  OptionError,
  object,
  oneOf,
  optional,
  type RgbImage,
  readOptions,
} from '@dalle-mini/core';
import { encodePng } from './png.js';

/** The image formats that can be written, with their file extensions. */
export const imageFormats = { png: ['.png'], jpeg: ['.jpg', '.jpeg'], webp: ['.webp'] } as const;

export type ImageFormat = keyof typeof imageFormats;

export interface EncodeImageOptions {
  /** Default `png`, which is lossless. */
  readonly format?: ImageFormat | undefined;
  /** Quality of JPEG and WebP, 1 to 100. Default 90. PNG ignores it. */
  readonly quality?: number | undefined;
}

const encodeFields = object<EncodeImageOptions>({
  format: optional(oneOf(Object.keys(imageFormats) as ImageFormat[]), 'png'),
  quality: optional(integer({ min: 1, max: 100 }), 90),
});

/**
 * Encodes an image as a file, off the calling thread. JPEG and WebP need sharp, which is loaded when they are first
 * written.
 *
 * @returns The bytes of the file. (The raw pixels are `image.data`.)
 * @throws OptionError if an option or the image is wrong; Error if sharp is needed and cannot be loaded.
 *
 * @example
 * ```ts
 * import { writeFile } from 'node:fs/promises';
 * import { decodeImage, encodeImage } from '@dalle-mini/pipeline';
 *
 * const image = await decodeImage('pictures/red.png', 64);
 * await writeFile('red.jpg', await encodeImage(image, { format: 'jpeg', quality: 80 }));
 * ```
 */
export async function encodeImage(image: RgbImage, options: EncodeImageOptions = {}): Promise<Uint8Array> {
  const { format, quality } = readOptions(encodeFields, options, 'encodeImage');
  checkImage(image);
  // Loading sharp's many modules blocks the event loop, and PNG does not need it.
  if (format === 'png') return encodePng(image);
  const { width, height, data } = image;
  const { default: sharp } = await loadSharp('JPEG and WebP files are written');
  return sharp(data, { raw: { width, height, channels: 3 } })
    .toFormat(format!, { quality: quality! })
    .toBuffer();
}

/**
 * Writes an image file atomically. The file extension sets the format: `.png`, `.jpg`, `.jpeg` or `.webp`. A missing
 * folder is created.
 *
 * @throws OptionError for other extensions; FileError if the file cannot be written.
 */
export async function saveImage(
  image: RgbImage,
  path: string,
  options: Omit<EncodeImageOptions, 'format'> = {},
): Promise<void> {
  const bytes = await encodeImage(image, { ...options, format: formatOf(path) });
  const [{ makeFolder, writeFileAtomically }, { dirname }] = await Promise.all([
    import('@dalle-mini/core/node'),
    import('node:path'),
  ]);
  await makeFolder(dirname(path));
  await writeFileAtomically(path, bytes);
}

/** Returns the format of a file by its extension. */
function formatOf(path: string): ImageFormat {
  const found = Object.entries(imageFormats).find(([, endings]) =>
    endings.some((ending) => String(path).toLowerCase().endsWith(ending)),
  );
  if (found) return found[0] as ImageFormat;
  const endings = Object.values(imageFormats).flat();
  throw new OptionError('path', `the name of a file that ends in ${endings.join(', ')}`, path);
}

/**
 * Decodes an image file of any format that sharp reads (JPEG, PNG, WebP, AVIF, GIF, TIFF, SVG; the first frame of an
 * animation). The image is rotated by its EXIF orientation, scaled so that its shorter side is `size`, cropped to the
 * square in the middle, and put on white where it is transparent.
 *
 * @param file A path, or the bytes of the file.
 * @param size Width and height of the result in pixels, 1 to 8192: the `imageSize` of an image tokenizer.
 * @throws FileError if the file cannot be read; Error that names the file if it is not an image.
 *
 * @example
 * ```ts
 * import { decodeImage } from '@dalle-mini/pipeline';
 *
 * const { width, height, data } = await decodeImage('pictures/red.png', 64);
 * console.log(width, height, data.length); // 64 64 12288
 * ```
 */
export async function decodeImage(file: string | Uint8Array, size: number): Promise<RgbImage> {
  const { preprocessImage } = await import('@dalle-mini/data');
  if (typeof file !== 'string') return preprocessImage(file, 'bytes', { imageSize: size });
  const [{ withFileErrors }, { readFile }] = await Promise.all([
    import('@dalle-mini/core/node'),
    import('node:fs/promises'),
  ]);
  const bytes = await withFileErrors('read', file, () => readFile(file));
  return preprocessImage(bytes, file, { imageSize: size });
}

/** Loads sharp on first use, because this module runs in browsers too. */
export async function loadSharp(what: string) {
  try {
    return await import('sharp');
  } catch (error) {
    throw new Error(`${what} with sharp, which cannot be loaded. Install it with "npm install sharp".`, {
      cause: error,
    });
  }
}

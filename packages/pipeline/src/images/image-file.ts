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
 * import { decodeImage } from '@dalle-mini/data';
 * import { encodeImage } from '@dalle-mini/pipeline';
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

import type { RgbImage } from '@dalle-mini/core';
import { encodePng } from './png.js';

/** The image formats that are written, with the endings of their files' names. */
export const imageFormats = { png: ['.png'], jpeg: ['.jpg', '.jpeg'], webp: ['.webp'] } as const;

export type ImageFormat = keyof typeof imageFormats;

export interface EncodeImageOptions {
  /** Default `png`, which loses nothing. */
  readonly format?: ImageFormat;
  /** How much of JPEG and WebP is kept, 1 to 100. Default 90. PNG has no use for it. */
  readonly quality?: number;
}

/**
 * The bytes of an image file. Encodes off the calling thread: JPEG and WebP with sharp, which is loaded at the first of them. (`image.data`
 * are the raw pixels.)
 * @throws Error if sharp is needed and cannot be loaded; RangeError if the image's data do not agree with its size, or an option is out of its range.
 */
export async function encodeImage(
  image: RgbImage,
  { format = 'png', quality = 90 }: EncodeImageOptions = {},
): Promise<Uint8Array> {
  const { width, height, data } = image;
  if (data.length !== width * height * 3) {
    throw new RangeError(`An image of ${width}×${height} has ${width * height * 3} bytes of RGB, not ${data.length}.`);
  }
  if (!Object.hasOwn(imageFormats, format))
    throw new RangeError(`There is no image format ${format}; choose one of ${Object.keys(imageFormats).join(', ')}.`);
  if (!Number.isInteger(quality) || quality < 1 || quality > 100)
    throw new RangeError(`quality is ${quality}; it must be a whole number from 1 to 100.`);
  // Sharp is not needed for it, and loading its many modules blocks the event loop.
  if (format === 'png') return encodePng(image);
  const { default: sharp } = await import('sharp').catch((error: unknown) => {
    throw new Error(
      'JPEG and WebP files are written with sharp, which cannot be loaded here: install it with "npm install sharp".',
      { cause: error },
    );
  });
  return sharp(data, { raw: { width, height, channels: 3 } })
    .toFormat(format, { quality })
    .toBuffer();
}

import sharp, { type ResizeOptions } from 'sharp';
import type { PictureSettings } from './options.js';

/** An image as it is stored. */
export interface Picture {
  readonly jpeg: Buffer;
  /** Size in pixels. */
  readonly width: number;
  readonly height: number;
  /** Size before resizing, upright. */
  readonly originalWidth: number;
  readonly originalHeight: number;
  /** The difference hash, 16 hexadecimal digits, if duplicates are dropped. */
  readonly differenceHash?: string | undefined;
}

/** Why an image that was downloaded is left out. */
export type PictureProblem = 'decode' | 'too-many-pixels' | 'too-small' | 'aspect-ratio' | 'duplicate' | 'refused';

/** An image was downloaded and is left out. */
export class PictureError extends Error {
  constructor(
    readonly problem: PictureProblem,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Most seconds to decode an image. */
const decodeSeconds = 30;

/**
 * Decodes an image file, turns it upright by its EXIF orientation, puts it on white where it is transparent, converts it to sRGB, resizes it
 * and encodes it as a JPEG without metadata.
 *
 * @throws PictureError if it cannot be decoded, or a filter leaves it out.
 */
export async function toPicture(file: Uint8Array, settings: PictureSettings): Promise<Picture> {
  const { size, resize, onlyIfBigger, quality, maxPixels, duplicateDistance } = settings;
  // 'truncated' accepts files for which decoders only warn, and refuses those that end early.
  const source = () => sharp(file, { failOn: 'truncated', limitInputPixels: maxPixels, sequentialRead: true });
  try {
    const { autoOrient } = await source().metadata();
    const { width: originalWidth, height: originalHeight } = autoOrient;
    checkSize(originalWidth, originalHeight, settings);
    const measured =
      resize === 'border' ? Math.max(originalWidth, originalHeight) : Math.min(originalWidth, originalHeight);
    const isKept = resize === 'none' || (onlyIfBigger && measured <= size);
    let pipeline = source().timeout({ seconds: decodeSeconds }).autoOrient();
    if (!isKept) pipeline = pipeline.resize(resizing(resize, size));
    const { data: jpeg, info } = await pipeline
      .flatten({ background: '#ffffff' })
      .toColourspace('srgb')
      // Optimal Huffman tables would make files 4 % smaller, and take a seventh of all processor time.
      .jpeg({ quality, optimiseCoding: false })
      .toBuffer({ resolveWithObject: true });
    const differenceHash = duplicateDistance === null ? undefined : await hashDifferences(jpeg);
    return { jpeg, width: info.width, height: info.height, originalWidth, originalHeight, differenceHash };
  } catch (error) {
    if (error instanceof PictureError) throw error;
    const message = (error as Error).message.split('\n')[0]!.slice(0, 200);
    throw /pixel limit/.test(message)
      ? new PictureError('too-many-pixels', `must have at most ${maxPixels} pixels`, { cause: error })
      : new PictureError('decode', `cannot be decoded: ${message}`, { cause: error });
  }
}

function checkSize(width: number, height: number, { minSize, maxAspectRatio, maxPixels }: PictureSettings): void {
  const [shorter, longer] = [Math.min(width, height), Math.max(width, height)];
  if (width * height > maxPixels)
    throw new PictureError('too-many-pixels', `must have at most ${maxPixels} pixels, not ${width}×${height}`);
  if (shorter < minSize)
    throw new PictureError(
      'too-small',
      `must have at least ${minSize} pixels in width and height, not ${width}×${height}`,
    );
  if (longer > shorter * maxAspectRatio)
    throw new PictureError(
      'aspect-ratio',
      `must have an aspect ratio of at most ${maxAspectRatio}, not ${width}×${height}`,
    );
}

function resizing(resize: PictureSettings['resize'], size: number): ResizeOptions {
  if (resize === 'center-crop') return { width: size, height: size, fit: 'cover' };
  if (resize === 'border') return { width: size, height: size, fit: 'contain', background: '#ffffff' };
  return { width: size, height: size, fit: 'outside' };
}

/** Returns the difference hash of an image: whether each of 8 × 8 points is darker than its right neighbor (Krawetz, 2013). */
export async function hashDifferences(file: Uint8Array): Promise<string> {
  const pixels = await sharp(file).greyscale().resize(9, 8, { fit: 'fill' }).raw().toBuffer();
  let bits = '';
  for (let y = 0; y < 8; y++)
    for (let x = 0; x < 8; x++) bits += pixels[y * 9 + x]! < pixels[y * 9 + x + 1]! ? '1' : '0';
  return BigInt(`0b${bits}`).toString(16).padStart(16, '0');
}

import type { Fields, RgbImage } from '@dalle-mini/core';
import { boolean, integer, object, oneOf, optional, readOptions, seedField, uniform } from '@dalle-mini/core';
import sharp, { type Sharp } from 'sharp';
import { decodeBmp, isBmp } from './bmp.js';
import { DataError } from './data-error.js';
import { convertAction, recognize } from './image-formats.js';

export interface PreprocessOptions {
  /** Width and height of the result in pixels, 1 to 8192. */
  readonly imageSize: number;
  /**
   * The square that is kept: the one in the middle (default), one at a uniformly random position, or with `none` the whole
   * image, which is padded with white. `auto` is `none` for images with a transparent part, such as cut-out objects, whose
   * background continues without a seam, and `center` for all others.
   */
  readonly crop?: 'center' | 'random' | 'none' | 'auto' | undefined;
  /**
   * Flips half of the images horizontally, if all their captions allow it (see {@link mayFlip}); `false` by default.
   */
  readonly flip?: boolean | undefined;
  /** Seed of the random choices of crop and flip; 0 by default. */
  readonly seed?: number | undefined;
}

/** Words that are wrong for a flipped image: sides, writing, and things that are never seen mirrored. */
const sidedWords = new RegExp(
  `\\b(${[
    'left(wards?|most|-hand(ed)?)?|right(wards?|most|-hand(ed)?)?|east|west|forwards?|backwards?|back|reverse|rewind|next|previous',
    '(anti|counter)?-?clockwise|arrows?|turn(s|ing)?|text|letters?|words?|numbers?|digits?|characters?|alphabet|latin',
    'writing|written|writes|reads|reading|says|saying|sign(s|age|ed|ature)?|logos?|labels?|captions?|titles?|quotes?|slogans?',
    "flags?|clocks?|watch(es)?|o’clock|o'clock|thirty|hourglass|stopwatch|compass|maps?|globe|calendars?|charts?|graphs?|keyboards?|keycap",
    'books?|newspapers?|magazines?|posters?|documents?|letterhead|screenshots?|receipts?|banknotes?|money|dollars?|euros?|yen|pounds?',
    'dice|die|cards?|buttons?|atm|musical|notes?|score|zodiac|question|exclamation|percent|license|plates?|scissors',
  ].join('|')})\\b`,
  'i',
);

/**
 * Checks whether a caption stays true when its image is flipped. Captions do not if they name sides, writing, flags,
 * clocks and the like, or have digits, quotations or words in capitals, which are often visible in the image.
 */
export function mayFlip(caption: string): boolean {
  return !sidedWords.test(caption) && !/\d|["“”]|\b[A-Z]{2,}\b/.test(caption);
}

/**
 * Decodes an image (JPEG, PNG, WebP, AVIF, GIF, TIFF, SVG, BMP; the first frame of an animation) and crops it to
 * `imageSize × imageSize` pixels. Before the crop, the image is rotated by its EXIF orientation, scaled so that its shorter
 * side fits (the longer one if it is padded), put on white where it is transparent, and converted to sRGB.
 *
 * @param encoded The bytes of the file.
 * @param name Names the image in errors.
 * @param captions Captions that must stay true when `flip` flips the image.
 * @throws DataError with the name of the image if it cannot be decoded or is truncated.
 */
export async function preprocessImage(
  encoded: Uint8Array,
  name: string,
  options: PreprocessOptions,
  captions: readonly string[] = [],
): Promise<RgbImage> {
  const { imageSize, crop, flip, seed = 0 } = readOptions(object(preprocessFields), options, 'preprocessImage');
  try {
    const source = openSource(encoded);
    const metadata = await source.metadata();
    const { depth = 'uchar' } = metadata;
    // Some programs write 0 to 1, others 0 to 255 or degrees: decoded as the other, an image is black or white.
    if (depth !== 'uchar' && depth !== 'ushort')
      throw new Error(`its pixels have the type ${depth}, whose range is not known`);
    const upright = metadata.autoOrient;
    const isWhole = crop === 'none' || (crop === 'auto' && metadata.hasAlpha && !(await source.stats()).isOpaque);
    const side = (isWhole ? Math.max : Math.min)(upright.width, upright.height);
    const scale = imageSize / side;
    const least = isWhole ? 1 : imageSize;
    const width = Math.max(least, Math.round(upright.width * scale));
    const height = Math.max(least, Math.round(upright.height * scale));
    // A drawing is rendered at the size that it is needed at, so that its lines are sharp.
    const drawing = metadata.format === 'svg' && scale > 1;
    let pipeline = (drawing ? sharp(encoded, { failOn: 'error', density: Math.min(72 * scale, 100_000) }) : source)
      .autoOrient()
      .resize(width, height, { fit: 'fill' })
      .flatten({ background: white });
    pipeline = isWhole
      ? pipeline.extend({ ...marginsOf(imageSize, width, height), background: white })
      : pipeline.extract({
          ...cornerOf(imageSize, width, height, crop === 'random' ? seed : undefined),
          width: imageSize,
          height: imageSize,
        });
    if (flip && uniform('flip', seed) < 0.5 && captions.every(mayFlip)) pipeline = pipeline.flop();
    const { data, info } = await pipeline
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    if (info.channels !== 3) throw new Error(`the decoded image must have 3 channels, not ${info.channels}`);
    return { width: imageSize, height: imageSize, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
  } catch (error) {
    throw new DataError(`Cannot decode the image ${name}: ${reasonOf(error as Error, encoded)}`, { cause: error });
  }
}

/** `failOn: 'error'` accepts files for which decoders only warn, and refuses truncated ones. */
function openSource(encoded: Uint8Array): Sharp {
  if (!isBmp(encoded)) return sharp(encoded, { failOn: 'error' });
  const { data, width, height, channels } = decodeBmp(encoded);
  return sharp(data, { raw: { width, height, channels } });
}

const white = '#ffffff';

/** Returns the margins that put an image in the middle of a square. */
function marginsOf(size: number, width: number, height: number) {
  const [left, top] = [Math.floor((size - width) / 2), Math.floor((size - height) / 2)];
  return { left, top, right: size - width - left, bottom: size - height - top };
}

/** Returns where a square begins in an image: in its middle, or at random with a seed. */
function cornerOf(size: number, width: number, height: number, seed?: number) {
  const along = (axis: string) => (seed === undefined ? 0.5 : uniform('crop', axis, seed));
  return { left: Math.floor(along('x') * (width - size + 1)), top: Math.floor(along('y') * (height - size + 1)) };
}

function reasonOf({ message }: Error, encoded: Uint8Array): string {
  const found = recognize(encoded);
  if (found?.kind === 'format') return `it is a ${found.name} file, which cannot be read. ${convertAction}`;
  const reason = found ? `it is ${found.name}` : message.split('\n')[0]!.slice(0, 200);
  return `${reason}. Replace the file or remove it from the dataset.`;
}

/** The fields of {@link PreprocessOptions}. */
export const preprocessFields: Fields<PreprocessOptions> = {
  imageSize: integer({ min: 1, max: 8192 }),
  crop: optional(oneOf(['center', 'random', 'none', 'auto']), 'center'),
  flip: optional(boolean(), false),
  seed: optional(seedField, 0),
};

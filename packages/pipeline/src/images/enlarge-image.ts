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
import { loadSharp } from './image-file.js';

export interface EnlargeImageOptions {
  /** The new width in pixels, from the width of the image to 16384. The height follows. */
  readonly width: number;
  /** How pixels are computed: smoothly (Lanczos, three lobes), or by repeating the nearest one. Default `lanczos`. */
  readonly kernel?: 'lanczos' | 'nearest' | undefined;
}

const enlargeFields = object<EnlargeImageOptions>({
  width: integer({ min: 1, max: 16384 }),
  kernel: optional(oneOf(['lanczos', 'nearest']), 'lanczos'),
});

/**
 * Enlarges an image. This is resampling with sharp: it adds pixels and no detail.
 *
 * @throws OptionError if an option or the image is wrong; Error if sharp cannot be loaded.
 *
 * @example
 * ```ts
 * import { decodeImage } from '@dalle-mini/data';
 * import { enlargeImage, saveImage } from '@dalle-mini/pipeline';
 *
 * const image = await decodeImage('pictures/red.png', 64);
 * await saveImage(await enlargeImage(image, { width: 256 }), 'large.png');
 * ```
 */
export async function enlargeImage(image: RgbImage, options: EnlargeImageOptions): Promise<RgbImage> {
  const { width, kernel } = readOptions(enlargeFields, options, 'enlargeImage');
  checkImage(image);
  if (width < image.width) throw new OptionError('width', `at least ${image.width}, the width of the image`, width);
  const height = Math.round((image.height * width) / image.width);
  const { default: sharp } = await loadSharp('Images are enlarged');
  const data = await sharp(image.data, { raw: { width: image.width, height: image.height, channels: 3 } })
    .resize(width, height, { kernel: kernel === 'nearest' ? 'nearest' : 'lanczos3', fit: 'fill' })
    .raw()
    .toBuffer();
  return { width, height, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}

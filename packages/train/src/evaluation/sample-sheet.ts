import { OptionError, type RgbImage } from '@dalle-mini/core';
import { writeFileAtomically } from '@dalle-mini/core/node';
import sharp from 'sharp';

/** Pixels between the images of a sheet, and around them. */
const gap = 2;
const background = 192;

/**
 * Writes images of the same size as a grid, row by row, to a PNG file of `columns · (width + 2) + 2` pixels width.
 *
 * @throws OptionError if there are no images, or if sizes differ; FileError if the file cannot be written.
 */
export async function writeSampleSheet(path: string, images: readonly RgbImage[], columns: number): Promise<void> {
  const first = images[0];
  if (!first) throw new OptionError('images', 'a list of at least one image', images);
  const { width, height } = first;
  const rows = Math.ceil(images.length / columns);
  const sheetWidth = columns * (width + gap) + gap;
  const sheetHeight = rows * (height + gap) + gap;
  const pixels = new Uint8Array(sheetWidth * sheetHeight * 3).fill(background);
  for (const [i, image] of images.entries()) {
    if (image.width !== width || image.height !== height) {
      throw new OptionError(
        `images[${i}]`,
        `${width}×${height} pixels, as the first`,
        `${image.width}×${image.height}`,
      );
    }
    const left = gap + (i % columns) * (width + gap);
    const top = gap + Math.floor(i / columns) * (height + gap);
    for (let y = 0; y < height; y++) {
      const row = image.data.subarray(3 * y * width, 3 * (y + 1) * width);
      pixels.set(row, 3 * ((top + y) * sheetWidth + left));
    }
  }
  const raw = { width: sheetWidth, height: sheetHeight, channels: 3 } as const;
  await writeFileAtomically(path, await sharp(pixels, { raw }).png().toBuffer());
}

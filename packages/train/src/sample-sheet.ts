import type { RgbImage } from '@dalle-mini/vqgan';
import { writeFileAtomically } from '@dalle-mini/weights/node';
import sharp from 'sharp';

/** Pixels between two pictures of a sheet. */
const gap = 2;

/** Writes pictures of one size as a grid, row by row, to a PNG file. */
export async function writeSampleSheet(path: string, images: readonly RgbImage[], columns: number): Promise<void> {
  const { width, height } = images[0]!;
  const rows = Math.ceil(images.length / columns);
  const sheetWidth = columns * (width + gap) + gap;
  const sheetHeight = rows * (height + gap) + gap;
  const pixels = new Uint8Array(sheetWidth * sheetHeight * 3).fill(192);
  for (const [i, image] of images.entries()) {
    const left = gap + (i % columns) * (width + gap);
    const top = gap + Math.floor(i / columns) * (height + gap);
    for (let y = 0; y < height; y++) {
      const row = image.data.subarray(3 * y * width, 3 * (y + 1) * width);
      pixels.set(row, 3 * ((top + y) * sheetWidth + left));
    }
  }
  const png = await sharp(pixels, { raw: { width: sheetWidth, height: sheetHeight, channels: 3 } })
    .png()
    .toBuffer();
  await writeFileAtomically(path, png);
}

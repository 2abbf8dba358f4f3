import type { RgbImage } from '@dalle-mini/vqgan';

/**
 * Puts images of one size side by side, row by row, on white with a gap of 1/32 of their width between them: as nearly square
 * as their number allows. One image stays as it is.
 * @throws RangeError if there is no image, or if sizes differ.
 */
export function imageGrid(images: readonly RgbImage[]): RgbImage {
  const [first] = images;
  if (first === undefined) throw new RangeError('A grid needs at least one image.');
  if (images.length === 1) return first;
  const { width, height } = first;
  const columns = Math.ceil(Math.sqrt(images.length));
  const rows = Math.ceil(images.length / columns);
  const gap = Math.max(1, Math.round(width / 32));
  const gridWidth = columns * (width + gap) - gap;
  const gridHeight = rows * (height + gap) - gap;
  const data = new Uint8Array(gridWidth * gridHeight * 3).fill(255);
  for (const [i, image] of images.entries()) {
    if (image.width !== width || image.height !== height) {
      throw new RangeError(
        `Image ${i} is ${image.width}×${image.height} and image 0 is ${width}×${height}; a grid needs images of one size.`,
      );
    }
    const left = (i % columns) * (width + gap);
    const top = Math.floor(i / columns) * (height + gap);
    for (let y = 0; y < height; y++) {
      data.set(image.data.subarray(3 * y * width, 3 * (y + 1) * width), 3 * ((top + y) * gridWidth + left));
    }
  }
  return { width: gridWidth, height: gridHeight, data };
}

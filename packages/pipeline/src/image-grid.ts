import type { RgbImage } from '@dalle-mini/core';

export interface ImageGridOptions {
  /** Images side by side. Default: as nearly square as their number allows. */
  readonly columns?: number;
  /** White pixels between images. Default 1/32 of their width; 0 for images that were drawn without seams. */
  readonly gap?: number;
}

/** Columns of a grid that is as nearly square as the number of images allows. */
export function squareColumns(images: number): number {
  return Math.ceil(Math.sqrt(images));
}

/**
 * Puts images of one size side by side, row by row, on white. One image stays as it is.
 * @throws RangeError if there is no image, if sizes differ, or an option is no whole number.
 */
export function imageGrid(images: readonly RgbImage[], options: ImageGridOptions = {}): RgbImage {
  const [first] = images;
  if (first === undefined) throw new RangeError('A grid needs at least one image.');
  if (images.length === 1) return first;
  const { width, height } = first;
  const { columns = squareColumns(images.length), gap = Math.max(1, Math.round(width / 32)) } = options;
  if (!Number.isInteger(columns) || columns < 1)
    throw new RangeError(`columns is ${columns}; it must be a whole number of 1 or more.`);
  if (!Number.isInteger(gap) || gap < 0) throw new RangeError(`gap is ${gap}; it must be a whole number of 0 or more.`);
  const rows = Math.ceil(images.length / columns);
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

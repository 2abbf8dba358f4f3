import { checkImage, integer, OptionError, object, optional, type RgbImage, readOptions } from '@dalle-mini/core';

export interface ImageGridOptions {
  /** Images per row. Default: the number that makes the grid closest to a square. */
  readonly columns?: number | undefined;
  /** White pixels between images. Default 1/32 of their width; 0 for images that were generated without seams. */
  readonly gap?: number | undefined;
}

const gridFields = object<ImageGridOptions>({
  columns: optional(integer({ min: 1 })),
  gap: optional(integer({ min: 0, max: 4096 })),
});

/** Returns the number of columns that makes the grid closest to a square. */
export function squareColumns(images: number): number {
  return Math.ceil(Math.sqrt(images));
}

/**
 * Arranges images of the same size in a grid on white, row by row. Returns a single image as it is.
 *
 * @throws OptionError if the list is empty, if sizes differ, or if an option is out of its range.
 *
 * @example
 * ```ts
 * import { fromPretrained, imageGrid, saveImage } from '@dalle-mini/pipeline';
 *
 * const model = await fromPretrained();
 * const pictures = await model.generate('a red apple', { n: 4 });
 * await saveImage(imageGrid(pictures.map(({ image }) => image)), 'apples.png');
 * await model.dispose();
 * ```
 */
export function imageGrid(images: readonly RgbImage[], options: ImageGridOptions = {}): RgbImage {
  const given = readOptions(gridFields, options, 'imageGrid');
  const [first] = images;
  if (first === undefined) throw new OptionError('images', 'a list of at least one image', images);
  for (const [i, image] of images.entries()) {
    checkImage(image, `images[${i}]`);
    if (image.width !== first.width || image.height !== first.height) {
      const size = ({ width, height }: RgbImage) => `${width} × ${height} pixels`;
      const expected = `as large as the first image, ${size(first)}`;
      throw new OptionError(`images[${i}]`, expected, image, `images[${i}] must be ${expected}, not ${size(image)}.`);
    }
  }
  if (images.length === 1) return first;
  const { width, height } = first;
  const { columns = squareColumns(images.length), gap = Math.max(1, Math.round(width / 32)) } = given;
  const rows = Math.ceil(images.length / columns);
  const gridWidth = columns * (width + gap) - gap;
  const gridHeight = rows * (height + gap) - gap;
  const data = new Uint8Array(gridWidth * gridHeight * 3).fill(255);
  for (const [i, image] of images.entries()) {
    const left = (i % columns) * (width + gap);
    const top = Math.floor(i / columns) * (height + gap);
    for (let y = 0; y < height; y++) {
      data.set(image.data.subarray(3 * y * width, 3 * (y + 1) * width), 3 * ((top + y) * gridWidth + left));
    }
  }
  return { width: gridWidth, height: gridHeight, data };
}

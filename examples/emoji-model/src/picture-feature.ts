import type { RgbImage } from '@dalle-mini/core';

/** Cells of a picture along each side. */
const cells = 16;

/**
 * Computes the feature by which images are compared: the mean color of each of 16×16 cells, in [0, 1], 768 numbers, row by row. The
 * Euclidean distance of two features is the distance of the two images, scaled down.
 */
export function pictureFeature({ width, height, data }: RgbImage): Float32Array {
  const feature = new Float32Array(cells * cells * 3);
  const share = (cells * cells) / (width * height * 255);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const cell = Math.floor((y * cells) / height) * cells + Math.floor((x * cells) / width);
      for (let channel = 0; channel < 3; channel++) {
        feature[3 * cell + channel]! += data[3 * (y * width + x) + channel]! * share;
      }
    }
  }
  return feature;
}

/** Returns the indices of the `count` features that are nearest to a query, nearest first. */
export function nearest(query: Float32Array, gallery: readonly Float32Array[], count: number): number[] {
  const distances = gallery.map((feature, index) => {
    let sum = 0;
    for (let i = 0; i < feature.length; i++) sum += (feature[i]! - query[i]!) ** 2;
    return { index, sum };
  });
  return distances
    .sort((a, b) => a.sum - b.sum)
    .slice(0, count)
    .map(({ index }) => index);
}

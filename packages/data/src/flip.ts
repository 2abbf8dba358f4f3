import type { RgbImage } from '@dalle-mini/core';

/** Flips an image horizontally; the input stays as it is. */
export function flipHorizontally(image: RgbImage): RgbImage {
  const { width, height } = image;
  const data = new Uint8Array(image.data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (y * width + x) * 3;
      const to = (y * width + (width - 1 - x)) * 3;
      for (let channel = 0; channel < 3; channel++) data[to + channel] = image.data[from + channel]!;
    }
  }
  return { width, height, data };
}

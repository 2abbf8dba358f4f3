import type { RgbImage } from '@dalle-mini/core';

/** Writes an image as `[3, height, width]` in `pixelRange`, [−1, 1] by default, as a VQ-GAN reads it, at an offset of an array. */
export function writePixels(
  { width, height, data }: RgbImage,
  target: Float32Array,
  offset: number,
  [black, white]: readonly [black: number, white: number] = [-1, 1],
): void {
  const bytesPerUnit = 255 / (white - black);
  const plane = width * height;
  for (let pixel = 0; pixel < plane; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      target[offset + channel * plane + pixel] = data[3 * pixel + channel]! / bytesPerUnit + black;
    }
  }
}

import type { RgbImage } from '@dalle-mini/vqgan';

/** Writes an image as `[3, height, width]` in [−1, 1] at an offset of an array, mirrored if asked for. */
export function writeImage(image: RgbImage, target: Float32Array, offset: number, mirrored: boolean): void {
  const { width, height, data } = image;
  const plane = width * height;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const source = 3 * (y * width + (mirrored ? width - 1 - x : x));
      const position = offset + y * width + x;
      for (let channel = 0; channel < 3; channel++) {
        target[position + channel * plane] = data[source + channel]! / 127.5 - 1;
      }
    }
  }
}

/**
 * Peak signal-to-noise ratio of two images of one size, in decibels: 10 · log₁₀(255² / mean squared error). Infinite if they
 * are equal.
 *
 * @throws RangeError if their sizes differ.
 */
export function peakSignalToNoise(a: RgbImage, b: RgbImage): number {
  if (a.width !== b.width || a.height !== b.height) {
    throw new RangeError(`images of ${a.width}×${a.height} and ${b.width}×${b.height} pixels cannot be compared`);
  }
  let squares = 0;
  for (let i = 0; i < a.data.length; i++) squares += (a.data[i]! - b.data[i]!) ** 2;
  return 10 * Math.log10((255 ** 2 * a.data.length) / squares);
}

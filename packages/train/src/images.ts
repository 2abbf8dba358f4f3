import type { RgbImage } from '@dalle-mini/vqgan';

/** Writes an image as `[3, height, width]` in [−1, 1] at an offset of an array, mirrored if asked for. */
export function writeImage(image: RgbImage, target: Float32Array, offset: number, mirrored = false): void {
  const { width, height, data } = image;
  const plane = width * height;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const source = 3 * (y * width + (mirrored ? width - 1 - x : x));
      const position = offset + y * width + x;
      target[position] = data[source]! / 127.5 - 1;
      target[position + plane] = data[source + 1]! / 127.5 - 1;
      target[position + 2 * plane] = data[source + 2]! / 127.5 - 1;
    }
  }
}

/** Peak signal-to-noise ratio of two images of 8 bits a channel, in decibels: 10 · log₁₀(255² / mean squared error). */
export function peakSignalToNoise(a: RgbImage, b: RgbImage): number {
  let squares = 0;
  for (let i = 0; i < a.data.length; i++) squares += (a.data[i]! - b.data[i]!) ** 2;
  return 10 * Math.log10((255 ** 2 * a.data.length) / squares);
}

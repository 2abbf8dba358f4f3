import { OptionError, type RgbImage } from '@dalle-mini/core';

/**
 * Returns the peak signal-to-noise ratio of two images of the same size in decibels, 10 · log₁₀(255² / mean squared
 * error), or infinity if they are equal.
 *
 * @throws OptionError if their sizes differ.
 */
export function peakSignalToNoise(a: RgbImage, b: RgbImage): number {
  requireSameSize(a, b);
  let squares = 0;
  for (let i = 0; i < a.data.length; i++) squares += (a.data[i]! - b.data[i]!) ** 2;
  return 10 * Math.log10((255 ** 2 * a.data.length) / squares);
}

/** @throws OptionError if two images differ in size. */
export function requireSameSize(a: RgbImage, b: RgbImage): void {
  if (a.width !== b.width || a.height !== b.height)
    throw new OptionError('b', `an image of ${a.width}×${a.height} pixels, as a`, `${b.width}×${b.height}`);
}

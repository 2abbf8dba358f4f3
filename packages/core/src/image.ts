import { OptionError } from './errors.js';

/** An RGB image of 8 bits per channel: `width × height × 3` bytes, row by row from the top, red first. */
export interface RgbImage {
  /** In pixels. */
  readonly width: number;
  /** In pixels. */
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

/**
 * Checks that a value is an RGB image whose data have `width × height × 3` bytes.
 *
 * @param name Names the image in the error: `images[2]`.
 * @throws OptionError if it is not.
 */
export function checkImage(image: RgbImage, name = 'image'): void {
  const { width, height, data } = image ?? {};
  for (const [side, value] of Object.entries({ width, height })) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw new OptionError(`${name}.${side}`, 'a whole number of at least 1', value);
  }
  if (!(data instanceof Uint8Array || data instanceof Uint8ClampedArray))
    throw new OptionError(`${name}.data`, 'a Uint8Array of RGB bytes', data);
  if (data.length !== width * height * 3)
    throw new OptionError(
      `${name}.data`,
      `${width * height * 3} bytes: ${width} × ${height} pixels of 3`,
      data.length,
      `${name}.data must have ${width * height * 3} bytes, 3 for each of ${width} × ${height} pixels, not ${data.length}. ` +
        'Remove the alpha channel, or pass the right size.',
    );
}

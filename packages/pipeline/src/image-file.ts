import type { RgbImage } from '@dalle-mini/vqgan';

/**
 * The bytes of a PNG file. Encodes off the calling thread, with sharp, which is loaded at the first call.
 * @throws Error if sharp cannot be loaded; RangeError if the image's data do not agree with its size.
 */
export async function encodePng({ width, height, data }: RgbImage): Promise<Uint8Array> {
  if (data.length !== width * height * 3) {
    throw new RangeError(`An image of ${width}×${height} has ${width * height * 3} bytes of RGB, not ${data.length}.`);
  }
  const { default: sharp } = await import('sharp').catch((error: unknown) => {
    throw new Error(
      'PNG files are written with sharp, which cannot be loaded here: install it with "npm install sharp".',
      {
        cause: error,
      },
    );
  });
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}

/** Replaces `image-file.ts` in browsers, which encode images themselves. */
import {
  checkImage,
  integer,
  OptionError,
  object,
  oneOf,
  optional,
  type RgbImage,
  readOptions,
} from '@dalle-mini/core';
import type { EncodeImageOptions, ImageFormat } from './image-file.js';

/** The parts of the browser that are used. */
interface Canvas {
  getContext(kind: '2d'): { putImageData(image: object, x: number, y: number): void };
  convertToBlob(options: { type: string; quality: number }): Promise<Blob>;
}

interface Browser {
  readonly OffscreenCanvas: new (width: number, height: number) => Canvas;
  readonly ImageData: new (data: Uint8ClampedArray, width: number, height: number) => object;
  readonly document?: { createElement(name: 'a'): { href: string; download: string; click(): void } };
}

const formats = ['png', 'jpeg', 'webp'] as const;

const encodeFields = object<EncodeImageOptions>({
  format: optional(oneOf(formats), 'png'),
  quality: optional(integer({ min: 1, max: 100 }), 90),
});

/**
 * Encodes an image as a file, with the encoders of the browser.
 *
 * @returns The bytes of the file.
 * @throws OptionError if an option or the image is wrong, or if the browser does not write the format.
 */
export async function encodeImage(image: RgbImage, options: EncodeImageOptions = {}): Promise<Uint8Array> {
  const { format = 'png', quality = 90 } = readOptions(encodeFields, options, 'encodeImage');
  checkImage(image);
  const { OffscreenCanvas, ImageData } = globalThis as unknown as Browser;
  const canvas = new OffscreenCanvas(image.width, image.height);
  canvas.getContext('2d').putImageData(new ImageData(rgbaOf(image), image.width, image.height), 0, 0);
  const type = `image/${format}`;
  const blob = await canvas.convertToBlob({ type, quality: quality / 100 });
  if (blob.type !== type) throw new OptionError('format', 'a format that this browser writes, such as "png"', format);
  return new Uint8Array(await blob.arrayBuffer());
}

/**
 * Encodes an image, and starts the download of the file on a page. The file extension sets the format.
 *
 * @param path The name of the file.
 * @throws OptionError for other extensions; Error in a worker, which cannot start a download.
 */
export async function saveImage(
  image: RgbImage,
  path: string,
  options: Omit<EncodeImageOptions, 'format'> = {},
): Promise<void> {
  const extension = /\.(png|jpe?g|webp)$/i.exec(path)?.[1]?.toLowerCase();
  if (extension === undefined)
    throw new OptionError('path', 'the name of a file that ends in .png, .jpg, .jpeg, .webp', path);
  const { document } = globalThis as unknown as Browser;
  if (!document) throw new Error('A worker cannot save a file. Send the bytes of toBuffer() to the page.');
  const format = (extension === 'jpg' ? 'jpeg' : extension) as ImageFormat;
  const bytes = (await encodeImage(image, { ...options, format })) as Uint8Array<ArrayBuffer>;
  const href = URL.createObjectURL(new Blob([bytes], { type: `image/${format}` }));
  Object.assign(document.createElement('a'), { href, download: path }).click();
  // The download has begun by then.
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}

function rgbaOf({ width, height, data }: RgbImage): Uint8ClampedArray {
  const pixels = new Uint8ClampedArray(4 * width * height).fill(255);
  for (let i = 0; i < width * height; i++) pixels.set(data.subarray(3 * i, 3 * i + 3), 4 * i);
  return pixels;
}

import { integer, OptionError, object, type RgbImage, readOptions } from '@dalle-mini/core';
import { DataError } from '../data-error.js';
import { checkIndex, type Dataset, type Sample } from '../dataset.js';

/** A picture of a person: a file that was chosen or dropped, or an `ImageBitmap`. */
export interface Picture {
  /** Names it within the dataset, such as the name of the file. */
  readonly key: string;
  readonly picture: Blob | BrowserImage;
  /** At least one; any of them describes the picture. */
  readonly captions: readonly string[];
  readonly group?: string | undefined;
}

/** An `ImageBitmap`. */
export interface BrowserImage {
  readonly width: number;
  readonly height: number;
  close(): void;
}

export interface OpenImagesOptions {
  /** Width and height of the images, in pixels. */
  readonly imageSize: number;
}

const openFields = object<OpenImagesOptions>({ imageSize: integer({ min: 1, max: 4096 }) });

/** The parts of the browser that are used. */
interface Browser {
  createImageBitmap(image: Blob): Promise<BrowserImage>;
  readonly OffscreenCanvas: new (
    width: number,
    height: number,
  ) => {
    getContext(
      kind: '2d',
      options: { willReadFrequently: boolean },
    ): {
      fillStyle: string;
      imageSmoothingQuality: string;
      fillRect(x: number, y: number, width: number, height: number): void;
      drawImage(image: BrowserImage, ...places: number[]): void;
      getImageData(x: number, y: number, width: number, height: number): { readonly data: Uint8ClampedArray };
    };
  };
}

/**
 * Opens pictures as a dataset. Each is cropped to its middle square, scaled, and put on white where it is transparent. All are decoded at
 * once, so that the dataset needs `3 · imageSize²` bytes for each. Nothing leaves the browser.
 *
 * @throws OptionError if there are no pictures, or one has no caption; DataError that names a picture which the browser cannot decode.
 */
export async function openImages(pictures: readonly Picture[], options: OpenImagesOptions): Promise<Dataset> {
  const { imageSize } = readOptions(openFields, options, 'openImages');
  if (pictures.length === 0) throw new OptionError('pictures', 'a list of at least one picture', pictures);
  const samples: Sample[] = [];
  const hashes: string[] = [];
  for (const { key, picture, captions, group } of pictures) {
    if (captions.length === 0) throw new OptionError('captions', `a list of at least one caption of ${key}`, captions);
    const image = await decode(key, picture, imageSize);
    samples.push({ key, image, captions, ...(group === undefined ? {} : { group }) });
    hashes.push(await sha256(image.data as Uint8Array<ArrayBuffer>));
  }
  return {
    length: samples.length,
    describe(index) {
      checkIndex(index, samples.length);
      const { key, captions, group } = samples[index]!;
      return { key, image: hashes[index]!, captions, ...(group === undefined ? {} : { group }) };
    },
    async get(index) {
      checkIndex(index, samples.length);
      return samples[index]!;
    },
  };
}

async function decode(key: string, picture: Blob | BrowserImage, size: number): Promise<RgbImage> {
  const { createImageBitmap, OffscreenCanvas } = globalThis as unknown as Browser;
  const bitmap =
    picture instanceof Blob
      ? await createImageBitmap(picture).catch((cause: unknown) => {
          throw new DataError(`${key} must be a picture that this browser can show. Choose a JPEG, PNG or WebP file.`, {
            cause,
          });
        })
      : picture;
  const context = new OffscreenCanvas(size, size).getContext('2d', { willReadFrequently: true });
  context.fillStyle = 'white';
  context.fillRect(0, 0, size, size);
  context.imageSmoothingQuality = 'high';
  const side = Math.min(bitmap.width, bitmap.height);
  const [left, top] = [(bitmap.width - side) / 2, (bitmap.height - side) / 2];
  context.drawImage(bitmap, left, top, side, side, 0, 0, size, size);
  if (bitmap !== picture) bitmap.close();
  const rgba = context.getImageData(0, 0, size, size).data;
  const data = new Uint8Array(3 * size * size);
  for (let i = 0; i < size * size; i++) data.set(rgba.subarray(4 * i, 4 * i + 3), 3 * i);
  return { width: size, height: size, data };
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

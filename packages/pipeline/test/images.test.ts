import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeImage, enlargeImage, GeneratedImage, imageFormats, imageGrid, saveImage } from '@dalle-mini/pipeline';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const plain = (value: number, size = 32) => ({
  width: size,
  height: size,
  data: new Uint8Array(size * size * 3).fill(value),
});
const pixel = ({ width, data }: { width: number; data: Uint8Array | Uint8ClampedArray }, x: number, y: number) =>
  data[3 * (y * width + x)];

describe('imageGrid', () => {
  test.each([
    [1, 32, 32],
    [2, 65, 32],
    [4, 65, 65],
    [5, 98, 65],
    [9, 98, 98],
  ])('puts %i images on %i×%i pixels', (n, width, height) => {
    expect(imageGrid(Array.from({ length: n }, () => plain(0)))).toMatchObject({ width, height });
  });

  test('puts images in rows, on white', () => {
    const grid = imageGrid([plain(1), plain(2), plain(3)]);
    expect([pixel(grid, 0, 0), pixel(grid, 33, 0), pixel(grid, 64, 31), pixel(grid, 0, 33)]).toEqual([1, 2, 2, 3]);
    expect([pixel(grid, 32, 0), pixel(grid, 0, 32), pixel(grid, 50, 50)]).toEqual([255, 255, 255]);
  });

  test('uses the given columns and gap', () => {
    const images = [plain(1), plain(2), plain(3)];
    expect(imageGrid(images, { columns: 3, gap: 0 })).toMatchObject({ width: 96, height: 32 });
    expect(imageGrid(images, { columns: 1 })).toMatchObject({ width: 32, height: 98 });
    expect(() => imageGrid(images, { columns: 0 })).toThrow('columns must be a whole number of at least 1, not 0.');
    expect(() => imageGrid(images, { gap: 0.5 })).toThrow('gap must be a whole number from 0 to 4096, not 0.5.');
  });

  test('refuses images of different sizes, and an empty list', () => {
    expect(() => imageGrid([plain(0), plain(0, 16)])).toThrow(
      'images[1] must be as large as the first image, 32 × 32 pixels, not 16 × 16 pixels.',
    );
    expect(() => imageGrid([])).toThrow('images must be a list of at least one image');
  });
});

describe('encodeImage', () => {
  test.each([
    [8, 4],
    [1, 1],
    [3, 300],
  ])('writes every pixel of %i×%i losslessly', async (width, height) => {
    const data = Uint8ClampedArray.from({ length: width * height * 3 }, (_, i) => (i * 37) % 256);
    const png = await encodeImage({ width, height, data });
    const { data: read, info } = await sharp(png, { failOn: 'warning' }).raw().toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ format: 'raw', width, height, channels: 3 });
    expect([...read]).toEqual([...data]);
  });

  test('compresses PNG', async () => {
    const image = plain(7);
    expect((await encodeImage(image)).length).toBeLessThan(image.data.length / 10);
  });

  test.each(['jpeg', 'webp'] as const)('writes %s, with smaller files for lower quality', async (format) => {
    const data = Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => (i * i * 7) % 256);
    const image = { width: 32, height: 32, data };
    const [good, poor] = await Promise.all([90, 10].map((quality) => encodeImage(image, { format, quality })));
    expect(await sharp(good).metadata()).toMatchObject({ format, width: 32, height: 32 });
    expect(poor!.length).toBeLessThan(good!.length);
  });

  test('refuses unknown formats and a quality out of range', async () => {
    await expect(encodeImage(plain(0), { format: 'gif' as 'png' })).rejects.toThrow(
      'format must be "png", "jpeg" or "webp", not "gif".',
    );
    await expect(encodeImage(plain(0), { quality: 0 })).rejects.toThrow(
      'quality must be a whole number from 1 to 100, not 0.',
    );
  });

  test('refuses data of the wrong length', async () => {
    await expect(encodeImage({ width: 8, height: 8, data: new Uint8Array(10) })).rejects.toThrow(
      'image.data must have 192 bytes, 3 for each of 8 × 8 pixels, not 10.',
    );
  });
});

describe('an image file', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'images-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const noise = (width: number, height: number) => ({
    width,
    height,
    data: Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * i * 7) % 256),
  });
  const picture = new GeneratedImage({ image: noise(16, 16), tokens: new Int32Array(4), seed: 1, index: 0 });

  test.each(['a.png', 'new/folder/b.JPG', 'c.jpeg', 'd.webp'])(
    'is saved as %s in the format of its extension',
    async (name) => {
      const path = join(folder, name);
      await picture.save(path);
      const format = { png: 'png', jpg: 'jpeg', jpeg: 'jpeg', webp: 'webp' }[name.split('.').at(-1)!.toLowerCase()];
      expect(await sharp(await readFile(path)).metadata()).toMatchObject({ format, width: 16, height: 16 });
    },
  );

  test('is saved in each format under each of its endings', async () => {
    for (const [format, endings] of Object.entries(imageFormats)) {
      for (const ending of endings) {
        const path = join(folder, `each${ending}`);
        await saveImage(noise(8, 8), path, { quality: 50 });
        expect((await sharp(await readFile(path)).metadata()).format).toBe(format);
      }
    }
  });

  test('is not written with an unknown extension', async () => {
    const before = await readdir(folder);
    await expect(picture.save(join(folder, 'a.gif'))).rejects.toThrow(
      'path must be the name of a file that ends in .png',
    );
    expect(await readdir(folder)).toEqual(before);
  });
});

describe('an image', () => {
  /** Two pixels above two others. */
  const image = { width: 2, height: 2, data: Uint8Array.from([255, 0, 0, 0, 255, 0, 0, 0, 255, 90, 90, 90]) };

  test.each([2, 3, 4])('is enlarged %i times by nearest, each pixel to a square', async (factor) => {
    const { width, height, data } = await enlargeImage(image, { width: 2 * factor, kernel: 'nearest' });
    expect([width, height]).toEqual([2 * factor, 2 * factor]);
    const pixel = (x: number, y: number) => [...data.subarray(3 * (y * width + x), 3 * (y * width + x) + 3)];
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const start = 3 * (2 * Math.floor(y / factor) + Math.floor(x / factor));
        expect(pixel(x, y)).toEqual([...image.data.subarray(start, start + 3)]);
      }
    }
  });

  test('is enlarged smoothly by default', async () => {
    const gradient = {
      width: 8,
      height: 4,
      data: Uint8Array.from({ length: 96 }, (_, i) => 8 * (Math.floor(i / 3) % 8)),
    };
    const { width, height, data } = await enlargeImage(gradient, { width: 24 });
    expect([width, height]).toEqual([24, 12]);
    const row = Array.from({ length: width }, (_, x) => data[3 * x]!);
    expect(row).toEqual([...row].sort((a, b) => a - b));
    expect(new Set(row).size).toBeGreaterThan(16);
    expect((await enlargeImage(plain(77), { width: 64 })).data).toEqual(new Uint8Array(3 * 64 ** 2).fill(77));
  });

  test('is not made smaller', async () => {
    await expect(enlargeImage(image, { width: 1 })).rejects.toThrow(
      'width must be at least 2, the width of the image, not 1.',
    );
    await expect(enlargeImage(image, { width: 4, kernel: 'cubic' } as never)).rejects.toThrow(
      'kernel must be "lanczos" or "nearest", not "cubic".',
    );
  });
});

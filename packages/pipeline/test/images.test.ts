import { encodeImage, imageGrid } from '@dalle-mini/pipeline';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';

const plain = (value: number, size = 32) => ({
  width: size,
  height: size,
  data: new Uint8Array(size * size * 3).fill(value),
});
const pixel = ({ width, data }: { width: number; data: Uint8Array | Uint8ClampedArray }, x: number, y: number) =>
  data[3 * (y * width + x)];

describe('imageGrid', () => {
  it.each([
    [1, 32, 32],
    [2, 65, 32],
    [4, 65, 65],
    [5, 98, 65],
    [9, 98, 98],
  ])('puts %i images on %i×%i pixels', (n, width, height) => {
    expect(imageGrid(Array.from({ length: n }, () => plain(0)))).toMatchObject({ width, height });
  });

  it('puts images in rows, on white', () => {
    const grid = imageGrid([plain(1), plain(2), plain(3)]);
    expect([pixel(grid, 0, 0), pixel(grid, 33, 0), pixel(grid, 64, 31), pixel(grid, 0, 33)]).toEqual([1, 2, 2, 3]);
    expect([pixel(grid, 32, 0), pixel(grid, 0, 32), pixel(grid, 50, 50)]).toEqual([255, 255, 255]);
  });

  it('takes the columns and the gap that it is given', () => {
    const images = [plain(1), plain(2), plain(3)];
    expect(imageGrid(images, { columns: 3, gap: 0 })).toMatchObject({ width: 96, height: 32 });
    expect(imageGrid(images, { columns: 1 })).toMatchObject({ width: 32, height: 98 });
    expect(() => imageGrid(images, { columns: 0 })).toThrow('columns is 0; it must be a whole number of 1 or more');
    expect(() => imageGrid(images, { gap: 0.5 })).toThrow('gap is 0.5; it must be a whole number of 0 or more');
  });

  it('refuses images of several sizes, and none', () => {
    expect(() => imageGrid([plain(0), plain(0, 16)])).toThrow('Image 1 is 16×16 and image 0 is 32×32');
    expect(() => imageGrid([])).toThrow('at least one image');
  });
});

describe('encodeImage', () => {
  it.each([
    [8, 4],
    [1, 1],
    [3, 300],
  ])('writes every pixel of %i×%i as it is', async (width, height) => {
    const data = Uint8ClampedArray.from({ length: width * height * 3 }, (_, i) => (i * 37) % 256);
    const png = await encodeImage({ width, height, data });
    const { data: read, info } = await sharp(png, { failOn: 'warning' }).raw().toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ format: 'raw', width, height, channels: 3 });
    expect([...read]).toEqual([...data]);
  });

  it('compresses PNG', async () => {
    const image = plain(7);
    expect((await encodeImage(image)).length).toBeLessThan(image.data.length / 10);
  });

  it.each(['jpeg', 'webp'] as const)('writes %s, smaller where less quality is asked for', async (format) => {
    const data = Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => (i * i * 7) % 256);
    const image = { width: 32, height: 32, data };
    const [good, poor] = await Promise.all([90, 10].map((quality) => encodeImage(image, { format, quality })));
    expect(await sharp(good).metadata()).toMatchObject({ format, width: 32, height: 32 });
    expect(poor!.length).toBeLessThan(good!.length);
  });

  it('refuses options that it does not know', async () => {
    await expect(encodeImage(plain(0), { format: 'gif' as 'png' })).rejects.toThrow(
      'There is no image format gif; choose one of png, jpeg, webp.',
    );
    await expect(encodeImage(plain(0), { quality: 0 })).rejects.toThrow('quality is 0; it must be a whole number');
  });

  it('refuses data that do not agree with the size', async () => {
    await expect(encodeImage({ width: 8, height: 8, data: new Uint8Array(10) })).rejects.toThrow(
      '192 bytes of RGB, not 10',
    );
  });
});

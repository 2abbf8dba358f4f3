import { encodePng, imageGrid } from '@dalle-mini/pipeline';
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

  it('refuses images of several sizes, and none', () => {
    expect(() => imageGrid([plain(0), plain(0, 16)])).toThrow('Image 1 is 16×16 and image 0 is 32×32');
    expect(() => imageGrid([])).toThrow('at least one image');
  });
});

describe('encodePng', () => {
  it('writes every pixel as it is', async () => {
    const data = Uint8ClampedArray.from({ length: 8 * 4 * 3 }, (_, i) => (i * 37) % 256);
    const png = await encodePng({ width: 8, height: 4, data });
    const { data: read, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ width: 8, height: 4, channels: 3 });
    expect([...read]).toEqual([...data]);
  });

  it('refuses data that do not agree with the size', async () => {
    await expect(encodePng({ width: 8, height: 8, data: new Uint8Array(10) })).rejects.toThrow(
      '192 bytes of RGB, not 10',
    );
  });
});

import { hash, integerBelow, object, permutation, readOptions } from '@dalle-mini/core';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { type PictureOptions, pictureFields } from '../src/pictures/options.js';
import { hashDifferences, PictureError, toPicture } from '../src/pictures/picture.js';
import { SeenHashes } from '../src/pictures/seen-hashes.js';
import { photo } from './hostile-server.js';

const settings = (options: PictureOptions = {}) =>
  readOptions(object(pictureFields), { size: 32, ...options }, 'prepare');

async function problemOf(file: Uint8Array, options?: PictureOptions): Promise<string> {
  const error = await toPicture(file, settings(options)).catch((error: unknown) => error);
  if (!(error instanceof PictureError)) throw error;
  return error.problem;
}

describe('storing an image', () => {
  it.each([
    ['keep-ratio', 48, 32],
    ['center-crop', 32, 32],
    ['border', 32, 32],
    ['none', 120, 80],
  ] as const)('resizes by %s to %i×%i', async (resize, width, height) => {
    const picture = await toPicture(await photo(120, 80), settings({ resize }));
    expect(picture).toMatchObject({ width, height, originalWidth: 120, originalHeight: 80 });
    expect(await sharp(picture.jpeg).metadata()).toMatchObject({ format: 'jpeg', width, height, space: 'srgb' });
  });

  it('does not enlarge, unless asked', async () => {
    const small = await photo(20, 10);
    expect(await toPicture(small, settings())).toMatchObject({ width: 20, height: 10 });
    expect(await toPicture(small, settings({ onlyIfBigger: false }))).toMatchObject({ width: 64, height: 32 });
  });

  it('turns images upright, and keeps no metadata', async () => {
    const turned = await sharp(await photo(60, 40))
      .withExif({ IFD0: { Orientation: '6', Artist: 'a person' } })
      .jpeg()
      .toBuffer();
    const upright = await sharp(turned).withMetadata({ orientation: 6 }).toBuffer();
    const picture = await toPicture(upright, settings({ resize: 'none' }));
    expect(picture).toMatchObject({ width: 40, height: 60, originalWidth: 40, originalHeight: 60 });
    expect((await sharp(picture.jpeg).metadata()).exif).toBeUndefined();
  });

  it('puts transparent images and those of other color spaces on white, in sRGB', async () => {
    const clear = await sharp({ create: { width: 40, height: 40, channels: 4, background: '#00000000' } })
      .png()
      .toBuffer();
    const { data } = await sharp((await toPicture(clear, settings())).jpeg)
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect([...data.subarray(0, 3)]).toEqual([255, 255, 255]);
    const gray = await sharp(await photo(40, 40))
      .greyscale()
      .png()
      .toBuffer();
    expect(await sharp((await toPicture(gray, settings())).jpeg).metadata()).toMatchObject({ channels: 3 });
  });

  it('leaves out what is small, long, large or damaged', async () => {
    const file = await photo(120, 80);
    expect(await problemOf(file, { minSize: 81 })).toBe('too-small');
    expect(await problemOf(file, { maxAspectRatio: 1.4 })).toBe('aspect-ratio');
    expect(await problemOf(file, { maxPixels: 9599 })).toBe('too-many-pixels');
    expect(await problemOf(file.subarray(0, file.length / 2))).toBe('decode');
    expect(await problemOf(Buffer.from('GIF89a-and-nothing'))).toBe('decode');
  });

  it('does not decode an image that is small as a file and huge as pixels', async () => {
    const bomb = await sharp({ create: { width: 3000, height: 3000, channels: 3, background: 'red' } })
      .png({ compressionLevel: 9 })
      .toBuffer();
    expect(bomb.length).toBeLessThan(50_000);
    expect(await problemOf(bomb, { maxPixels: 2 ** 20 })).toBe('too-many-pixels');
  });
});

it('gives copies of an image of another size and quality a difference hash that is nearly the same', async () => {
  const soft = async (name: string) => {
    const data = Buffer.from(Array.from({ length: 6 * 5 * 3 }, (_, i) => integerBelow(256, name, i)));
    return sharp(data, { raw: { width: 6, height: 5, channels: 3 } })
      .resize(240, 200, { kernel: 'cubic' })
      .jpeg()
      .toBuffer();
  };
  const original = await hashDifferences(await soft('a'));
  const copy = await sharp(await soft('a'))
    .resize(150)
    .jpeg({ quality: 60 })
    .toBuffer();
  const seen = new SeenHashes(4);
  expect(original).toMatch(/^[0-9a-f]{16}$/);
  expect(
    [original, await hashDifferences(copy), await hashDifferences(await soft('b'))].map((one) => seen.add(one)),
  ).toEqual([true, false, true]);
});

it.each([0, 1, 4, 7])('finds all hashes that differ in at most %i bits', (distance) => {
  const random = (i: number) => (BigInt(hash('a', i)) << 32n) | BigInt(hash('b', i));
  const hex = (bits: bigint) => bits.toString(16).padStart(16, '0');
  const seen = new SeenHashes(distance);
  const range = Array.from({ length: 2000 }, (_, i) => i);
  expect(range.filter((i) => !seen.add(hex(random(i))))).toEqual([]);
  const changed = (i: number, bits: number) =>
    [...permutation(64, 'bits', i)].slice(0, bits).reduce((word, bit) => word ^ (1n << BigInt(bit)), random(i));
  expect(range.filter((i) => seen.add(hex(changed(i, distance))))).toEqual([]);
  expect(range.filter((i) => !seen.add(hex(changed(i, distance + 1))))).toEqual([]);
});

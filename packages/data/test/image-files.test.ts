import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openImageFiles } from '@dalle-mini/data';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import sharp from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import { DataError } from '../src/data-error.js';

let folder: string;

const png = (value: number) =>
  sharp({ create: { width: 6, height: 4, channels: 3, background: { r: value, g: value, b: value } } })
    .png()
    .toBuffer();

beforeAll(async () => {
  folder = await temporaryFolder();
  await mkdir(join(folder, 'more'));
  await writeFile(join(folder, 'b.PNG'), await png(20));
  await writeFile(join(folder, 'a.png'), await png(10));
  await writeFile(join(folder, 'more/c.png'), await png(30));
  await writeFile(join(folder, 'notes.txt'), 'not an image');
});

describe('openImageFiles', () => {
  test('finds images without captions, in the order of their paths, and scales them', async () => {
    const files = await openImageFiles(folder, { imageSize: 2 });
    const samples = await Promise.all([0, 1, 2].map((index) => files.get(index)));
    expect(files.length).toBe(3);
    expect(samples.map(({ key }) => key)).toEqual(['a.png', 'b.PNG', 'more/c.png']);
    expect(samples.map(({ image }) => [image.width, image.height, image.data[0]])).toEqual([
      [2, 2, 10],
      [2, 2, 20],
      [2, 2, 30],
    ]);
  });

  test('names a damaged file when it is read', async () => {
    const other = await temporaryFolder();
    await writeFile(join(other, 'damaged.png'), (await png(1)).subarray(0, 60));
    const files = await openImageFiles(other, { imageSize: 2 });
    await expect(files.get(0)).rejects.toThrow('damaged.png');
    await expect(files.get(0)).rejects.toThrow(DataError);
    await expect(files.get(1)).rejects.toThrow('index must be a whole number from 0 to 0, not 1.');
  });

  test('refuses a folder without images', async () => {
    const empty = await temporaryFolder();
    await writeFile(join(empty, 'notes.txt'), 'not an image');
    await expect(openImageFiles(empty, { imageSize: 2 })).rejects.toThrow(`${empty} has no images.`);
  });
});

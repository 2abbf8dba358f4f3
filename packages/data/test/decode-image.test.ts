import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { expect, test } from 'vitest';
import { decodeImage } from '../src/decode-image.js';
import { pixelAt, twoColoredPng } from './pictures.js';

const red = [255, 0, 0] as const;
const blue = [0, 0, 255] as const;

test('an image is decoded from its bytes and from its path, and cropped to the square in its middle', async () => {
  const bytes = await twoColoredPng(40, 10, red, blue);
  const path = join(await temporaryFolder(), 'wide.png');
  await writeFile(path, bytes);
  const image = await decodeImage(path, 10);
  expect([image.width, image.height]).toEqual([10, 10]);
  expect([pixelAt(image, 4, 0), pixelAt(image, 5, 9)]).toEqual([red, blue]);
  expect(await decodeImage(bytes, 10)).toEqual(image);
});

test('an image is named in the error if it is missing or not an image', async () => {
  const path = join(await temporaryFolder(), 'none.png');
  await expect(decodeImage(path, 8)).rejects.toThrow(/none\.png: there is no such file/);
  await expect(decodeImage(Uint8Array.of(1, 2, 3), 8)).rejects.toThrow('Cannot decode the image bytes');
});

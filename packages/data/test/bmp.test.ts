import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { decodeBmp } from '../src/bmp.js';
import { preprocessImage } from '../src/preprocess.js';

/** Written by scripts/reference/bmp.py: files, and the pixels that Pillow reads from them. */
const fixtures: Record<string, { file: string; channels: number; pixels: string }> = JSON.parse(
  readFileSync(new URL('fixtures/bmp.json', import.meta.url), 'utf8'),
);
const bytesOf = (base64: string) => new Uint8Array(Buffer.from(base64, 'base64'));
const fileOf = (name: string) => bytesOf(fixtures[name]!.file);

describe('decodeBmp', () => {
  test.each(Object.entries(fixtures))('reads %s as Pillow does', (name, { file, channels, pixels }) => {
    const image = decodeBmp(bytesOf(file));
    expect([image.width, image.height, image.channels]).toEqual([11, 3, channels]);
    const expected = bytesOf(pixels);
    expect(image.data.length).toBe(expected.length);
    // Pillow does not round 5 and 6 bits to the nearest of 8.
    const most = name.startsWith('16 bits') ? 1 : 0;
    expect(Math.max(...image.data.map((value, i) => Math.abs(value - expected[i]!)))).toBeLessThanOrEqual(most);
  });

  test('takes alpha that is zero everywhere as opaque', () => {
    const file = fileOf('32 bits, alpha, version 4');
    for (let i = 14 + 108 + 3; i < file.length; i += 4) file[i] = 0;
    expect(decodeBmp(file).channels).toBe(3);
  });

  test('leaves pixels that runs skip at the first color', () => {
    const file = fileOf('8 bits, RLE8');
    const start = 14 + 40 + 4 * 256;
    // Skips 2 columns and 1 row, then one pixel of color 4, and the end.
    file.set([0, 2, 2, 1, 1, 4, 0, 0, 1, 0, 0, 1], start);
    const { data } = decodeBmp(file);
    const colorOf = (index: number) => [2, 1, 0].map((channel) => file[14 + 40 + 4 * index + channel]);
    expect([...data.subarray(3 * (11 + 2), 3 * (11 + 3))]).toEqual(colorOf(4));
    expect([...data.subarray(0, 3)]).toEqual(colorOf(0));
  });

  test('refuses truncated files, and headers that ask for too much memory or that are of other compressions', () => {
    const file = fileOf('24 bits');
    expect(() => decodeBmp(file.subarray(0, file.length - 8))).toThrow(/truncated: it has \d+ bytes instead of \d+/);
    expect(() => decodeBmp(fileOf('8 bits, RLE8').subarray(0, 14 + 40 + 1024 + 12))).toThrow('truncated');
    const changed = (offset: number, value: number) => {
      const copy = file.slice();
      new DataView(copy.buffer).setInt32(offset, value, true);
      return () => decodeBmp(copy);
    };
    expect(changed(18, 2 ** 31 - 1)).toThrow('100000000 pixels, not 2147483647×3');
    expect(changed(18, 0)).toThrow('not 0×3');
    expect(changed(30, 5)).toThrow('its compression 5 is not supported');
    expect(changed(14, 3)).toThrow('header of 3 bytes');
  });
});

test('BMP images are cropped and put on white as others are, whatever their ending', async () => {
  const image = await preprocessImage(fileOf('24 bits'), 'a.jpg', { imageSize: 3 });
  const { data } = decodeBmp(fileOf('24 bits'));
  // The middle 3 of 11 columns.
  const middle = [0, 1, 2].flatMap((y) => [...data.subarray(3 * (11 * y + 4), 3 * (11 * y + 7))]);
  expect([...image.data]).toEqual(middle);
  const clear = fileOf('32 bits, alpha, version 4');
  for (let i = 14 + 108 + 3; i < clear.length; i += 4) clear[i] = i < 14 + 108 + 8 ? 255 : 0;
  const { data: onWhite } = await preprocessImage(clear, 'b.bmp', { imageSize: 3 });
  expect([...onWhite]).toEqual(new Array(27).fill(255));
  const cut = fileOf('24 bits').subarray(0, 90);
  await expect(preprocessImage(cut, 'c.bmp', { imageSize: 3 })).rejects.toThrow(
    /^Cannot decode the image c\.bmp: it is truncated: it has 90 bytes instead of 159\. Replace the file/,
  );
});

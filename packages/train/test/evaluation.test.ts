import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RgbImage } from '@dalle-mini/core';
import { writeSampleSheet } from '@dalle-mini/train';
import sharp from 'sharp';
import { afterAll, describe, expect, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'evaluation-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const filled = (value: number, width = 4, height = 4): RgbImage => ({
  width,
  height,
  data: new Uint8Array(3 * width * height).fill(value),
});

describe('a sheet of samples', () => {
  test('shows the images row by row, with a margin of two pixels', async () => {
    const path = join(folder, 'sheet.png');
    await writeSampleSheet(path, [filled(10), filled(20), filled(30)], 2);
    const { data, info } = await sharp(path).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, info.channels]).toEqual([2 * (4 + 2) + 2, 2 * (4 + 2) + 2, 3]);
    const at = (x: number, y: number) => data[3 * (y * info.width + x)];
    expect([at(2, 2), at(5, 5), at(8, 2), at(2, 8)]).toEqual([10, 10, 20, 30]);
    const background = at(0, 0);
    expect([at(6, 2), at(7, 5), at(2, 7), at(8, 8)]).toEqual([background, background, background, background]);
  });

  test('is refused without images, and with images of different sizes', async () => {
    const path = join(folder, 'none.png');
    await expect(writeSampleSheet(path, [], 2)).rejects.toThrow('images must be a list of at least one image');
    await expect(writeSampleSheet(path, [filled(0), filled(0, 2, 8)], 2)).rejects.toThrow(
      'images[1] must be 4×4 pixels, as the first, not "2×8".',
    );
  });
});

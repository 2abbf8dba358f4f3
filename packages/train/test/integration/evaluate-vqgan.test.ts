import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { evaluateVqgan } from '@dalle-mini/train/settings';
import sharp from 'sharp';
import { expect, test } from 'vitest';

test('a VQ-GAN is measured on a number of pictures of a folder, and reports its progress', async () => {
  const folder = await temporaryFolder();
  for (const color of ['red', 'green', 'blue']) {
    const drawing = `<svg xmlns="http://www.w3.org/2000/svg" width="96" height="64"><rect width="96" height="64" fill="white"/><circle cx="48" cy="32" r="20" fill="${color}"/></svg>`;
    await writeFile(join(folder, `${color}.png`), await sharp(Buffer.from(drawing)).png().toBuffer());
  }
  const reported: number[] = [];
  const figures = await evaluateVqgan('emoji', folder, {
    count: 2,
    threads: 1,
    onProgress: ({ done }) => reported.push(done),
  });
  expect(figures.images).toBe(2);
  // It was trained on such drawings.
  expect(figures.psnr).toBeGreaterThan(20);
  expect(reported).toEqual([0, 2]);
  const signal = AbortSignal.abort(new Error('stopped'));
  await expect(evaluateVqgan('emoji', folder, { signal })).rejects.toThrow('stopped');
  await expect(evaluateVqgan('emoji', folder, { count: 0 })).rejects.toThrow('count must be');
});

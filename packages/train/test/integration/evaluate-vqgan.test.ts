import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { evaluateVqgan } from '@dalle-mini/train/settings';
import sharp from 'sharp';
import { expect, test } from 'vitest';

test('a VQ-GAN is measured on a number of pictures of a folder, and reports its progress', async () => {
  const folder = await temporaryFolder();
  for (const name of ['red', 'green', 'blue'])
    await writeFile(
      join(folder, `${name}.png`),
      await sharp({ create: { width: 96, height: 64, channels: 3, background: name } })
        .png()
        .toBuffer(),
    );
  const reported: number[] = [];
  const figures = await evaluateVqgan('emoji', folder, {
    count: 2,
    threads: 1,
    onProgress: ({ done }) => reported.push(done),
  });
  expect(figures.images).toBe(2);
  expect(figures.psnr).toBeGreaterThan(20);
  expect(reported).toEqual([0, 2]);
  const signal = AbortSignal.abort(new Error('stopped'));
  await expect(evaluateVqgan('emoji', folder, { signal })).rejects.toThrow('stopped');
  await expect(evaluateVqgan('emoji', folder, { count: 0 })).rejects.toThrow('count must be');
});

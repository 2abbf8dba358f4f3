import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import sharp from 'sharp';
import { beforeEach, expect, test } from 'vitest';
import { dalleMini } from './dalle-mini.js';

let folder: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  await mkdir(join(folder, 'pictures'));
  for (const [i, color] of ['#d22', '#2a4', '#fff'].entries()) {
    const shape = `<svg xmlns="http://www.w3.org/2000/svg" width="80" height="64"><rect width="80" height="64" fill="white"/><circle cx="40" cy="32" r="${16 + 4 * i}" fill="${color}"/></svg>`;
    await writeFile(join(folder, `pictures/${i}.png`), await sharp(Buffer.from(shape)).png().toBuffer());
  }
});

test('the bundled VQ-GAN is measured on a folder of pictures without captions', async () => {
  const json = await dalleMini(folder, ['evaluate', 'emoji', 'pictures', '--sheet', 'sheets/all.png', '--json']);
  expect(json.stderr).toBe('');
  expect(json.code).toBe(0);
  const figures = JSON.parse(json.stdout) as Record<string, number>;
  expect(figures).toMatchObject({ model: 'emoji', pictures: 'pictures', images: 3 });
  // It was trained on such drawings.
  expect(figures.psnr).toBeGreaterThan(20);
  expect(figures.ssim).toBeGreaterThan(0.8);
  expect(figures.lpipsVgg16).toBeLessThan(0.3);
  expect(figures.lpipsAlexNet).toBeLessThan(0.3);
  expect(figures.frechetVgg16).toBeGreaterThan(0);
  // Three grids of 64 tokens, of 2,048 codes.
  expect(figures.codesUsed! * 2048).toBeLessThanOrEqual(3 * 64);
  expect(figures.perplexity).toBeGreaterThan(1);
  const { width, height } = await sharp(join(folder, 'sheets/all.png')).metadata();
  expect([width, height]).toEqual([9 * 130 + 2, 132]);

  const table = await dalleMini(folder, ['evaluate', 'emoji', 'pictures', '--count', '2']);
  expect(table.stdout).toMatch(/^images +2\nPSNR +[\d.]+ dB\nSSIM +0\.\d{4}\nLPIPS \(VGG16\) +0\.\d{4}\n/);
  expect(table.code).toBe(0);
});

test('a wrong option, model or folder is an error, and nothing is written', async () => {
  const sheet = await dalleMini(folder, ['evaluate', 'emoji', 'pictures', '--sheet', 'sheet.jpg']);
  expect(sheet).toEqual({ code: 2, stdout: '', stderr: 'dalle-mini: --sheet must end in .png, not sheet.jpg.\n' });
  const count = await dalleMini(folder, ['evaluate', 'emoji', 'pictures', '--count', '0']);
  expect(count.code).toBe(2);
  expect(count.stderr).toContain('It must be ');
  await mkdir(join(folder, 'empty'));
  const empty = await dalleMini(folder, ['evaluate', 'emoji', 'empty']);
  expect(empty.stderr).toMatch(/^dalle-mini: empty has no images\. .*\n$/);
  expect(empty.code).toBe(1);
  const model = await dalleMini(folder, ['evaluate', './nothing', 'pictures']);
  expect(model.stderr).toContain('nothing');
  expect(model.code).toBe(1);
  expect((await readdir(folder)).sort()).toEqual(['empty', 'pictures']);
});

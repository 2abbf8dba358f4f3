import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { ending, startModule } from '@dalle-mini/testing/processes';
import { expect, test } from 'vitest';
import { twoColoredPng } from '../pictures.js';

/** Scans a folder slowly, and prints the number of scanned images. */
const scan = `
  import { setTimeout } from 'node:timers/promises';
  import { openImageFolder } from '@dalle-mini/data';
  const [folder, scanFolder] = process.argv.slice(1);
  const onProgress = async ({ done }) => {
    console.log(done);
    await setTimeout(100);
  };
  await openImageFolder(folder, { imageSize: 8, scanFolder, onProgress });
`;

test('a scan that is killed has kept what it decoded until the last seconds', async () => {
  const [folder, scanFolder] = [await temporaryFolder(), await temporaryFolder()];
  const png = await twoColoredPng(8, 8, [255, 0, 0], [0, 0, 255]);
  for (let index = 0; index < 2000; index++) {
    await writeFile(join(folder, `${index}.png`), png);
    await writeFile(join(folder, `${index}.txt`), `picture ${index}`);
  }
  const child = startModule(scan, import.meta.dirname, [folder, scanFolder]);
  const ended = ending(child);
  let started: number | undefined;
  let atTwoSeconds = 0;
  child.stdout!.on('data', (text: string) => {
    started ??= Date.now();
    const done = Number(text.trim().split('\n').at(-1));
    if (Date.now() - started < 2000) atTwoSeconds = done;
    else if (Date.now() - started > 5000) child.kill('SIGKILL');
  });
  expect((await ended).code).toBe('SIGKILL');
  const [name] = await readdir(scanFolder);
  const lines = (await readFile(join(scanFolder, name!), 'utf8')).split('\n').filter((line) => line !== '');
  expect(lines.length).toBeGreaterThanOrEqual(Math.max(1, atTwoSeconds));
});

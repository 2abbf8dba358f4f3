import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import type { Ended } from '@dalle-mini/testing/processes';
import { expect, test } from 'vitest';
import { dalleMini } from './dalle-mini.js';

/** Starts `dalle-mini serve` on a free port, and calls it until it is interrupted. */
async function withServer(args: readonly string[], use: (url: string) => Promise<void>): Promise<Ended> {
  let calls: Promise<void> | undefined;
  const ended = await dalleMini(await temporaryFolder(), ['serve', '--port', '0', ...args], (child) => {
    calls = once(child.stdout!, 'data')
      .then(([text]) => use(String(text).trim()))
      .finally(() => child.kill('SIGTERM'));
    calls.catch(() => undefined);
  });
  await calls;
  return ended;
}

test('serves the bytes that generate writes, and ends in order', async () => {
  const folder = await temporaryFolder();
  await dalleMini(folder, ['generate', 'a red apple', '--seed', '7', '--out', 'apple.png']);
  const file = await readFile(join(folder, 'apple.png'));
  const { code, stderr } = await withServer(['--max-images', '2'], async (url) => {
    const ask = (body: object) =>
      fetch(`${url}/api/generate`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json' },
        body: JSON.stringify(body),
      });
    const { images } = (await (await ask({ prompt: 'a red apple', seed: 7 })).json()) as { images: { png: string }[] };
    expect(images[0]!.png === file.toString('base64')).toBe(true);
    expect((await ask({ prompt: 'a red apple', n: 3 })).status).toBe(400);
  });
  expect([code, stderr]).toEqual([
    0,
    'Closing, when the images that are being generated are done. Ctrl-C ends at once.\n',
  ]);
});

test('refuses a port that is out of range', async () => {
  const { code, stderr } = await dalleMini(await temporaryFolder(), ['serve', '--port', '70000']);
  expect([code, stderr]).toEqual([
    2,
    "dalle-mini: option '--port <number>' argument '70000' is invalid. It must be a whole number from 0 to 65535.\n",
  ]);
});

import { appendFile, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { createRandom } from '@dalle-mini/core';
import {
  type DatasetReport,
  openImageFolder,
  openWebDataset,
  type ScanProgress,
  summarizeReport,
  usableIndices,
} from '@dalle-mini/data';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import sharp from 'sharp';
import { pack } from 'tar-stream';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { DataError } from '../src/data-error.js';
import { ImageChecks } from '../src/scan/image-checks.js';

const imageSize = 8;

/** An image of noise, which compresses so badly that a cut takes some of it. */
function noise(seed: number, format: 'png' | 'jpeg' | 'webp' = 'png'): Promise<Buffer> {
  const random = createRandom('noise', seed);
  const data = Uint8Array.from({ length: 3 * 64 * 64 }, () => random.integer(256));
  return sharp(data, { raw: { width: 64, height: 64, channels: 3 } })
    .toFormat(format)
    .toBuffer();
}

const cut = (bytes: Buffer) => bytes.subarray(0, Math.floor(0.6 * bytes.length));

/** Makes a folder of images 00.png, 01.png, … with captions, and some files more. */
async function folderOf(count: number, files: Record<string, string | Uint8Array> = {}): Promise<string> {
  const folder = await temporaryFolder();
  for (let index = 0; index < count; index++) {
    const name = String(index).padStart(2, '0');
    await writeFile(join(folder, `${name}.png`), await noise(index));
    await writeFile(join(folder, `${name}.txt`), `picture ${name}`);
  }
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  return folder;
}

const quiet = { onReport: () => undefined };
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

describe('opening a folder', () => {
  test('leaves out what cannot be used; the others keep their indices', async () => {
    const folder = await folderOf(8, {
      '01.png': cut(await noise(1)),
      '03.png': cut(await noise(3, 'jpeg')),
      '04.png': 'text',
      '06.txt': ' \n',
    });
    const reports: DatasetReport[] = [];
    const dataset = await openImageFolder(folder, { imageSize, onReport: (report) => reports.push(report) });
    expect(dataset.length).toBe(8);
    expect([...dataset.skipped]).toEqual([1, 3, 4, 6]);
    const keys = await Promise.all(usableIndices(dataset).map(async (index) => (await dataset.get(index)).key));
    expect(keys).toEqual(['00.png', '02.png', '05.png', '07.png']);
    await expect(dataset.get(1)).rejects.toThrow(/The sample 1 was left out .*01\.png/);
    expect(() => dataset.describe(1)).toThrow(DataError);
    expect(reports).toEqual([dataset.report]);
    expect(dataset.report).toMatchObject({ source: folder, samples: 4 });
    expect(dataset.report.omissions.map(({ key, reason }) => [key, reason])).toEqual([
      ['01.png', 'unreadable-image'],
      ['03.png', 'unreadable-image'],
      ['04.png', 'unreadable-image'],
      ['06.png', 'empty-caption'],
    ]);
    const summary = summarizeReport(dataset.report);
    expect(summary.split('\n')).toEqual([
      `4 of 8 samples in ${folder} cannot be used:`,
      expect.stringMatching(/^- 3 × image cannot be read, such as: Cannot decode .*01\.png.*[^.]\.$/),
      expect.stringMatching(/^- 1 × empty caption, such as: \S+06\.txt has no caption\. /),
    ]);
  });

  test('warns of what is left out, and of nothing else', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    await openImageFolder(await folderOf(2), { imageSize });
    expect(warn).not.toHaveBeenCalled();
    await openImageFolder(await folderOf(2, { '01.png': 'text' }), { imageSize });
    expect(warn).toHaveBeenCalledExactlyOnceWith(expect.stringMatching(/^1 of 2 samples/), {
      code: 'DALLE_MINI_OMITTED',
    });
  });

  test('refuses with onError: fail, with the number, an example and what to do', async () => {
    const folder = await folderOf(4, { '01.png': 'text', '02.png': 'text', '03.txt': '' });
    const failing = openImageFolder(folder, { imageSize, onError: 'fail' });
    await expect(failing).rejects.toThrow(DataError);
    await expect(failing).rejects.toThrow(
      /^3 of 4 samples .*:\n- 2 × .*, such as: .*01\.png.*\n- 1 × .*, such as: .*03\.txt .*\n.*leave them out with onError: 'skip'\.$/,
    );
    await openImageFolder(await folderOf(2), { imageSize, onError: 'fail' });
  });

  test('refuses a folder in which nothing can be used', async () => {
    const folder = await folderOf(2, { '00.png': 'text', '01.png': 'text' });
    await expect(openImageFolder(folder, { imageSize })).rejects.toThrow(
      /^2 of 2 samples .*:\n- 2 × .*\nAdd images with captions/,
    );
  });

  test('reports progress, and stops at a signal', async () => {
    const folder = await folderOf(40);
    const progress: ScanProgress[] = [];
    await openImageFolder(folder, { imageSize, onProgress: (one) => progress.push(one) });
    expect(progress.map(({ done }) => done)).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
    expect(progress[0]).toMatchObject({ stage: 'scan', unit: 'samples', total: 40 });
    const controller = new AbortController();
    let last = 0;
    const stopped = openImageFolder(folder, {
      imageSize,
      signal: controller.signal,
      onProgress: ({ done }) => {
        last = done;
        if (done === 5) controller.abort(new Error('enough'));
      },
    });
    await expect(stopped).rejects.toThrow('enough');
    expect(last).toBeLessThan(40);
    const failure = new Error('of the callback');
    await expect(openImageFolder(folder, { imageSize, onProgress: () => Promise.reject(failure) })).rejects.toBe(
      failure,
    );
  });

  test('without a scan finds a damaged image only when it is read', async () => {
    const folder = await folderOf(2, { '01.png': 'text' });
    const dataset = await openImageFolder(folder, { imageSize, scan: false });
    expect(dataset.skipped.size).toBe(0);
    expect((await dataset.get(0)).key).toBe('00.png');
    await expect(dataset.get(1)).rejects.toThrow('01.png');
    const before = dataset.describe(1);
    await writeFile(join(folder, '01.png'), 'other text');
    const after = await openImageFolder(folder, { imageSize, scan: false });
    expect(after.describe(1)).not.toEqual(before);
    expect(after.describe(0)).toEqual(dataset.describe(0));
  });

  test('names a file that vanishes afterwards', async () => {
    const folder = await folderOf(2);
    const dataset = await openImageFolder(folder, { imageSize });
    await rm(join(folder, '01.png'));
    await expect(dataset.get(1)).rejects.toThrow(/01\.png: there is no such file/);
    await writeFile(join(folder, '00.txt'), '');
    await expect(dataset.get(0)).rejects.toThrow(/00\.txt has no caption/);
  });
});

describe('samples are described', () => {
  test('by their bytes: copies, and the same captions, are equal', async () => {
    const folder = await folderOf(2, { '02.png': await noise(0), '02.txt': 'picture 01\nanother' });
    const dataset = await openImageFolder(folder, { imageSize });
    const [first, second, copy] = [0, 1, 2].map((index) => dataset.describe(index));
    expect([first!.key, copy!.key]).toEqual(['00.png', '02.png']);
    expect(copy!.image).toBe(first!.image);
    expect(second!.image).not.toBe(first!.image);
    expect(copy!.captions).toHaveLength(2);
    expect(copy!.captions[0]).toBe(second!.captions[0]);
  });
});

describe('the results of a scan', () => {
  // A whole second, which every file system can keep.
  const date = new Date('2026-01-01');

  /** Replaces a file's content by other bytes of the same length, dated as the file was. */
  async function falsify(path: string) {
    await writeFile(path, 'x'.repeat((await stat(path)).size));
    await utimes(path, date, date);
  }

  test('are kept in a folder: only new and changed images are decoded again', async () => {
    const folder = await folderOf(4, { '03.png': 'text' });
    const scanFolder = join(await temporaryFolder(), 'scans');
    const open = () => openImageFolder(folder, { imageSize, scanFolder, ...quiet });
    await utimes(join(folder, '01.png'), date, date);
    const first = await open();
    expect(await readdir(scanFolder)).toHaveLength(1);
    // That it seems to be good shows that it was not read again.
    await falsify(join(folder, '01.png'));
    const second = await open();
    expect([...second.skipped]).toEqual([3]);
    expect(second.describe(1)).toEqual(first.describe(1));
    expect(second.report).toEqual(first.report);

    await writeFile(join(folder, '03.png'), await noise(3));
    await writeFile(join(folder, '02.png'), 'other text');
    await writeFile(join(folder, '00.txt'), '');
    expect([...(await open()).skipped]).toEqual([0, 2]);
    expect([...(await openImageFolder(folder, { imageSize, ...quiet })).skipped]).toEqual([0, 1, 2]);
  });

  test('are kept for shards, by the place in the archive', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'a.tar');
    const archive = async (names: readonly string[]) => {
      const tar = pack();
      for (const name of names) {
        tar.entry({ name: `${name}.png` }, name === 'bad' ? 'text' : await noise(name.length));
        tar.entry({ name: `${name}.txt` }, name);
      }
      tar.finalize();
      await writeFile(path, await buffer(tar));
    };
    await archive(['one', 'bad', 'three']);
    const scanFolder = await temporaryFolder();
    const open = () => openWebDataset(path, { imageSize, scanFolder, ...quiet });
    expect([...(await open()).skipped]).toEqual([1]);
    expect([...(await open()).skipped]).toEqual([1]);
    await archive(['three', 'one', 'bad']);
    const dataset = await open();
    expect([...dataset.skipped]).toEqual([2]);
    expect((await dataset.get(0)).captions).toEqual(['three']);
  });

  test('of a scan that was stopped are kept', async () => {
    const folder = await folderOf(12);
    const scanFolder = await temporaryFolder();
    const controller = new AbortController();
    const stopped = openImageFolder(folder, {
      imageSize,
      scanFolder,
      signal: controller.signal,
      onProgress: ({ done }) => done === 6 && controller.abort(new Error('stopped')),
    });
    await expect(stopped).rejects.toThrow('stopped');
    const [name] = await readdir(scanFolder);
    const lines = (await readFile(join(scanFolder, name!), 'utf8')).trim().split('\n');
    expect(lines.length).toBeGreaterThanOrEqual(6);
  });

  test('are written in parts, so that those of a killed process are kept', async () => {
    const scanFolder = await temporaryFolder();
    const now = vi.spyOn(Date, 'now').mockReturnValue(0);
    const file = (index: number) => ({ name: `${index}.png`, path: `${index}.png`, size: 1, modified: 2 });
    const killed = await ImageChecks.open('pictures', scanFolder);
    for (let index = 0; index < 10; index++) {
      now.mockReturnValue(700 * index);
      await killed.add(file(index), { image: `hash ${index}` });
    }
    // A last line that is cut off, and what another process appends after it.
    const [name] = await readdir(scanFolder);
    await appendFile(join(scanFolder, name!), '{"name":"9.pn');
    const next = await ImageChecks.open('pictures', scanFolder);
    const known = () => Array.from({ length: 11 }, (_, index) => next.find(file(index))?.image);
    expect(known().filter((image) => image !== undefined)).toEqual(Array.from({ length: 10 }, (_, i) => `hash ${i}`));
    now.mockReturnValue(10_000);
    await next.add(file(10), { image: 'hash 10' });
    now.mockRestore();
    const last = await ImageChecks.open('pictures', scanFolder);
    expect(last.find(file(10))?.image).toBe('hash 10');
  });

  test('are ignored if they are damaged, or are those of another folder', async () => {
    const folder = await folderOf(3, { '02.png': 'text' });
    const scanFolder = await temporaryFolder();
    const open = () => openImageFolder(folder, { imageSize, scanFolder, ...quiet });
    await open();
    const path = join(scanFolder, (await readdir(scanFolder))[0]!);
    const lines = (await readFile(path, 'utf8')).split('\n');
    await writeFile(path, ['null', '{}', '{"name": 7', lines[2]!.slice(0, 30), ...lines.slice(0, 1)].join('\n'));
    expect([...(await open()).skipped]).toEqual([2]);
    const moved = join(await temporaryFolder(), 'moved');
    await rename(folder, moved);
    await openImageFolder(moved, { imageSize, scanFolder, ...quiet });
    expect(await readdir(scanFolder)).toHaveLength(2);
  });

  test('are kept in the cache of the user from 100 images', async () => {
    const cache = await temporaryFolder();
    vi.stubEnv('XDG_CACHE_HOME', cache);
    await openImageFolder(await folderOf(99), { imageSize });
    expect(await readdir(cache)).toEqual([]);
    await openImageFolder(await folderOf(100), { imageSize });
    expect(await readdir(join(cache, 'dalle-mini', 'scans'))).toHaveLength(1);
    // A cache that cannot be written is no reason to refuse the pictures.
    vi.stubEnv('XDG_CACHE_HOME', '/dev/null');
    await openImageFolder(await folderOf(100), { imageSize });
    await expect(openImageFolder(await folderOf(1), { imageSize, scanFolder: '/dev/null/x' })).rejects.toThrow(
      '/dev/null/x',
    );
  });
});

import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Dataset, type DatasetReport, usableIndices } from '@dalle-mini/data';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import sharp from 'sharp';
import { describe, expect, test, vi } from 'vitest';
import { recordData, recordOf } from '../src/run/data-record.js';
import { type DataOptions, openData, sampler } from '../src/settings/data.js';

/** Writes images of different grays with captions. */
async function addImages(folder: string, first: number, count: number): Promise<void> {
  for (let index = first; index < first + count; index++) {
    const background = { r: index, g: index, b: index };
    const image = sharp({ create: { width: 8, height: 8, channels: 3, background } });
    await image.png().toFile(join(folder, `${index}.png`));
    await writeFile(join(folder, `${index}.txt`), `gray ${index}`);
  }
}

async function keysOf(dataset: Dataset): Promise<string[]> {
  const samples = await Promise.all(usableIndices(dataset).map((index) => dataset.get(index)));
  return samples.map(({ key }) => key);
}

async function open(path: string, folder: string, options: Partial<DataOptions> = {}) {
  return openData(
    { dataset: { type: 'folder', path }, seed: 1 },
    { imageSize: 8, folder, onReport: () => undefined, ...options },
  );
}

describe('the data of settings', () => {
  test('lack what cannot be used, which a file of the run lists', async () => {
    const [pictures, folder] = [await temporaryFolder(), join(await temporaryFolder(), 'run')];
    await addImages(pictures, 10, 20);
    await writeFile(join(pictures, '12.png'), 'text');
    await writeFile(join(pictures, '13.txt'), '');
    const reports: DatasetReport[] = [];
    const stages = new Set<string>();
    const data = await open(pictures, folder, {
      onReport: (report) => reports.push(report),
      onProgress: ({ stage }) => stages.add(stage),
    });
    expect(reports.map(({ samples, omissions }) => [samples, omissions.length])).toEqual([[18, 2]]);
    expect([...stages]).toEqual(['scan']);
    expect((await keysOf(data.training)).length + (await keysOf(data.evaluation)).length).toBe(18);
    const order = sampler(data, 1);
    const chosen = Array.from({ length: 2 * order.epochLength }, (_, position) => order.at(position));
    expect(chosen.filter((index) => data.training.skipped?.has(index))).toEqual([]);
    const lines = (await readFile(join(folder, 'left-out.jsonl'), 'utf8')).trim().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { source: pictures, key: '12.png', reason: 'unreadable-image', message: expect.stringContaining('12.png') },
      { source: pictures, key: '13.png', reason: 'empty-caption', message: expect.stringContaining('13.txt') },
    ]);
    expect(await readdir(join(folder, 'scans'))).toHaveLength(1);

    await addImages(pictures, 12, 2);
    await open(pictures, folder);
    expect(await readdir(folder)).toEqual(['scans']);
  });

  test('are in both parts if they are copies of one image, with a warning', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    for (const count of [1, 3]) {
      const pictures = await temporaryFolder();
      await addImages(pictures, 10, 1);
      for (let copy = 1; copy < count; copy++) {
        await copyFile(join(pictures, '10.png'), join(pictures, `${copy}.png`));
        await writeFile(join(pictures, `${copy}.txt`), `copy ${copy}`);
      }
      const { training, evaluation } = await open(pictures, await temporaryFolder());
      expect([training.length, evaluation.length]).toEqual([count, count]);
    }
    expect(warn).toHaveBeenCalledTimes(2);
    expect(warn.mock.calls[0]![0]).toMatch(/evaluations measure images of the training\. Set evaluation/);
    warn.mockRestore();
  });

  test('have the encoding of the settings, and no images of the folder of the run', async () => {
    const pictures = await temporaryFolder();
    await addImages(pictures, 10, 4);
    await writeFile(join(pictures, '11.txt'), Buffer.from('caf\xe9', 'latin1'));
    const folder = join(pictures, 'my run');
    await mkdir(folder);
    await addImages(folder, 20, 2);
    const settings = { dataset: { type: 'folder', path: pictures, encoding: 'latin1' }, seed: 1 } as const;
    const data = await openData(settings, { imageSize: 8, folder, onReport: () => undefined });
    const keys = [...(await keysOf(data.training)), ...(await keysOf(data.evaluation))];
    expect(keys.sort()).toEqual(['10.png', '11.png', '12.png', '13.png']);
  });

  test('are refused with onError: fail', async () => {
    const pictures = await temporaryFolder();
    await addImages(pictures, 10, 3);
    await writeFile(join(pictures, '12.png'), 'text');
    const failing = openData(
      { dataset: { type: 'folder', path: pictures, onError: 'fail' }, seed: 1 },
      { imageSize: 8, folder: join(await temporaryFolder(), 'run') },
    );
    await expect(failing).rejects.toThrow(/^1 of 3 samples/);
  });

  test('hold out others for another seed', async () => {
    const [pictures, folder] = [await temporaryFolder(), await temporaryFolder()];
    await addImages(pictures, 10, 40);
    const heldOut = async (seed: number) => {
      const { evaluation } = await openData(
        { dataset: { type: 'folder', path: pictures }, seed },
        { imageSize: 8, folder },
      );
      return keysOf(evaluation);
    };
    expect(await heldOut(1)).toHaveLength(2);
    expect(await heldOut(1)).toEqual(await heldOut(1));
    expect(await heldOut(2)).not.toEqual(await heldOut(1));
  });

  test('never hold out what the run was trained on', async () => {
    const [pictures, folder] = [await temporaryFolder(), await temporaryFolder()];
    await addImages(pictures, 10, 40);
    const before = await open(pictures, folder);
    const trained = await keysOf(before.training);
    await recordData(folder, recordOf(before.training), { resumes: false, accept: false });
    expect(await keysOf((await open(pictures, folder)).evaluation)).toEqual(await keysOf(before.evaluation));
    // One of two held-out pictures is removed, so that others would be chosen, and others are added.
    const [removed, kept] = await keysOf(before.evaluation);
    await rm(join(pictures, removed!));
    await rm(join(pictures, removed!.replace('png', 'txt')));
    await addImages(pictures, 60, 20);
    const evaluation = await keysOf((await open(pictures, folder)).evaluation);
    expect(evaluation.filter((key) => trained.includes(key))).toEqual([]);
    expect(evaluation.length).toBeGreaterThan(0);
    expect([kept, ...Array.from({ length: 20 }, (_, index) => `${60 + index}.png`)]).toEqual(
      expect.arrayContaining(evaluation),
    );
  });
});

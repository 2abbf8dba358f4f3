import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Dataset, SampleDescription, TokenDataset } from '@dalle-mini/data';
import { contentOf, temporaryFolder } from '@dalle-mini/testing/folders';
import { decoderRun, grids, pictures, vqganRun } from '@dalle-mini/testing/tiny-training';
import { ResumeError, readTrainedKeys, trainDecoder, trainVqgan } from '@dalle-mini/train';
import { describe, expect, test } from 'vitest';
import { recordingRuntime } from '../recording-runtime.js';

/** The pictures at some indices, with descriptions. `change` changes the description at an index. */
function described(
  indices: readonly number[],
  change: (index: number) => Partial<SampleDescription> = () => ({}),
): Dataset {
  const all = pictures(100);
  return {
    length: indices.length,
    get: (position, variation) => all.get(indices[position]!, variation),
    describe: (position) => {
      const index = indices[position]!;
      return { key: `${index}.png`, image: `image ${index}`, captions: [`caption ${index}`], ...change(index) };
    },
  };
}

const range = (length: number) => Array.from({ length }, (_, index) => index);

interface Run {
  readonly dataset: Dataset;
  readonly acceptDataChanges?: boolean;
  readonly stopAt?: number;
}

/** Trains for 20 steps of 8 images, or up to `stopAt`. Returns the images that it was given from there on. */
async function train(folder: string, { dataset, stopAt, ...options }: Run) {
  const runtime = recordingRuntime();
  const controller = new AbortController();
  const training = trainVqgan({
    ...vqganRun,
    ...options,
    folder,
    runtime,
    dataset,
    steps: 20,
    evaluateEvery: 20,
    order: (position) => (position * 7) % dataset.length,
    signal: controller.signal,
    onProgress: ({ done }) => done === stopAt && controller.abort(new Error('stopped')),
  });
  await training.catch((error: Error) => {
    if (error.message !== 'stopped') throw error;
  });
  return runtime.runs.map(({ images }) => images!.data);
}

/** A run that has taken ten steps on 20 samples. */
async function stoppedRun(dataset: Dataset = described(range(20))): Promise<string> {
  const folder = await temporaryFolder();
  await train(folder, { dataset, stopAt: 10 });
  return folder;
}

describe('a run that resumes with changed data', () => {
  test.each([
    ['added', described(range(22)), '2 samples were added, such as "20.png"'],
    ['removed', described(range(19)), '1 sample was removed, such as "19.png"'],
    [
      'changed images',
      described(range(20), (index) => (index > 16 ? { image: 'other' } : {})),
      '3 samples were changed, such as "17.png"',
    ],
    ['changed captions', described(range(20), (index) => (index === 4 ? { captions: ['other'] } : {})), '"4.png"'],
    ['moved', described([...range(20)].reverse()), 'the samples are in another order'],
    [
      'removed and added',
      described([...range(18), 30, 31]),
      '2 samples were added, such as "30.png"; 2 samples were removed, such as "18.png".',
    ],
    [
      'damaged',
      { ...described(range(20)), skipped: new Set([3]) },
      '1 sample was removed, such as "3.png". To resume with the data as they are now, set acceptDataChanges',
    ],
  ])('is refused if samples are %s, and names them', async (_, dataset, message) => {
    const folder = await stoppedRun();
    const before = await contentOf(folder);
    await expect(train(folder, { dataset })).rejects.toThrow(ResumeError);
    await expect(train(folder, { dataset })).rejects.toThrow(message);
    expect(await contentOf(folder)).toEqual(before);
  });

  test('resumes when asked to, from the same step, always with the same samples', async () => {
    const dataset = described([...range(18), 30, 31, 32]);
    const folder = await stoppedRun();
    const other = await stoppedRun();
    const images = await train(folder, { dataset, acceptDataChanges: true });
    expect(images).toHaveLength(2);
    // Killed after the changes were accepted and before the next checkpoint, it resumes without asking again.
    await train(other, { dataset, acceptDataChanges: true, stopAt: 15 });
    await rm(join(other, 'checkpoint-00000015.safetensors'));
    expect(await train(other, { dataset })).toEqual(images);
    expect(await contentOf(other)).toEqual(await contentOf(folder));
    expect(await readTrainedKeys(folder)).toEqual(new Set([...range(18), 30, 31, 32].map((index) => `${index}.png`)));
  });

  test('is not refused for the same data, or if they are not described', async () => {
    const folder = await stoppedRun();
    expect(await train(folder, { dataset: described(range(20)) })).toHaveLength(2);
    const plain = await stoppedRun(pictures(20));
    expect(await train(plain, { dataset: pictures(20) })).toHaveLength(2);
    expect(await readTrainedKeys(plain)).toEqual(new Set());
    const longer = await stoppedRun(pictures(20));
    await expect(train(longer, { dataset: pictures(21) })).rejects.toThrow(
      'there were 20 samples, and now there are 21.',
    );
    expect(await train(longer, { dataset: pictures(21), acceptDataChanges: true })).toHaveLength(2);
  });

  test('knows the number of samples of a run that an older version began', async () => {
    const folder = await stoppedRun();
    await rm(join(folder, 'dataset.jsonl'));
    await expect(train(folder, { dataset: described(range(21)) })).rejects.toThrow('there were 20 samples');
    expect(await train(folder, { dataset: described(range(20)) })).toHaveLength(2);
  });

  test('names the damaged line of its record', async () => {
    const folder = await stoppedRun();
    const path = join(folder, 'dataset.jsonl');
    await writeFile(path, (await readFile(path, 'utf8')).replace('"key":"1.png"', '"kex":"1.png"'));
    await expect(train(folder, { dataset: described(range(20)) })).rejects.toThrow(
      `${path}, line 3: kex is not known. The known ones are key, fingerprint. Delete`,
    );
  });
});

test('a decoder notices changed tokens and captions', async () => {
  const run = async (folder: string, dataset: TokenDataset, options: object = {}) => {
    const runtime = recordingRuntime();
    const order = (position: number) => position % dataset.length;
    await trainDecoder({ ...decoderRun, folder, runtime, dataset, order, steps: 10, evaluateEvery: 10, ...options });
  };
  const changed = (change: object): TokenDataset => ({
    ...grids(20),
    get: async (index) => ({ ...(await grids(20).get(index)), ...(index === 2 ? change : {}) }),
  });
  const folder = await temporaryFolder();
  await run(folder, grids(20));
  await run(folder, grids(20));
  const refused = '1 sample was changed, such as "grid-2"';
  await expect(run(folder, changed({ captions: ['other'] }))).rejects.toThrow(refused);
  await expect(run(folder, changed({ tokens: new Int32Array(16) }))).rejects.toThrow(refused);
  await run(folder, changed({ captions: ['other'] }), { acceptDataChanges: true });
});

test('a skipped sample is never read, and all others keep their places', async () => {
  const plain = described(range(20));
  const read: number[] = [];
  const get = (index: number, variation?: number) => {
    read.push(index);
    return plain.get(index, variation);
  };
  const skipped = new Set([3, 12]);
  const some = await train(await temporaryFolder(), { dataset: { ...plain, get, skipped } });
  expect(read.filter((index) => skipped.has(index))).toEqual([]);
  const whole = await train(await temporaryFolder(), { dataset: plain });
  const length = 3 * 16 * 16;
  let replaced = 0;
  for (const [run, images] of whole.entries()) {
    for (let start = 0; start < images.length; start += length) {
      const position = run * 40 + start / length;
      const isEqual = images.subarray(start, start + length).every((value, i) => value === some[run]![start + i]);
      if (!isEqual) replaced++;
      if (!skipped.has((position * 7) % 20)) expect(isEqual).toBe(true);
    }
  }
  expect(replaced).toBeGreaterThan(0);
  const evaluation = { ...pictures(16, 96), skipped: new Set([0]), get };
  read.length = 0;
  await trainVqgan({ ...vqganRun, folder: await temporaryFolder(), runtime: recordingRuntime(), evaluation });
  expect(read).not.toContain(0);
});

import { readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { type Dataset, openImageFolder, openTokenShards, openWebDataset, writeTokenShards } from '@dalle-mini/data';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { decoderRun, size, vqganRun } from '@dalle-mini/testing/tiny-training';
import { trainDecoder, trainVqgan } from '@dalle-mini/train';
import sharp from 'sharp';
import { pack } from 'tar-stream';
import { expect, test } from 'vitest';
import { recordingRuntime } from './recording-runtime.js';
import { grayTokenizer } from './tiny-trainers.js';

const openOptions = { imageSize: size, onReport: () => undefined };
const png = (gray: number) =>
  sharp({ create: { width: size, height: size, channels: 3, background: { r: gray, g: gray, b: gray } } })
    .png()
    .toBuffer();

/** Writes eight gray images with captions. */
async function imageFolder(): Promise<string> {
  const folder = await temporaryFolder();
  for (let i = 0; i < 8; i++) {
    await writeFile(join(folder, `${i}.png`), await png(20 * i));
    await writeFile(join(folder, `${i}.txt`), `gray ${i}`);
  }
  return folder;
}

/** Trains for 20 steps, and calls `change` after 10. Returns the number of steps that were computed. */
async function trainOn(dataset: Dataset, folder: string, change?: () => Promise<void>, acceptDataChanges = false) {
  const runtime = recordingRuntime();
  const training = trainVqgan({
    ...vqganRun,
    folder,
    runtime,
    dataset,
    steps: 20,
    checkpointEvery: 20,
    evaluateEvery: 20,
    acceptDataChanges,
    order: (position) => position % dataset.length,
    onProgress: async ({ done }) => {
      if (done === 10) await change?.();
    },
  });
  const error = await training.then(
    () => undefined,
    (reason: Error) => reason.message,
  );
  return { error, runs: runtime.runs.length };
}

const checkpoints = async (folder: string) => (await readdir(folder)).filter((name) => name.startsWith('checkpoint'));

test('an image that vanishes ends a run with its name and a checkpoint, from which it resumes without the image', async () => {
  const [pictures, folder] = [await imageFolder(), await temporaryFolder()];
  const remove = () => rm(join(pictures, '3.png'));
  const { error } = await trainOn(await openImageFolder(pictures, openOptions), folder, remove);
  expect(error).toMatch(/^Cannot read .*3\.png: there is no such file\./);
  expect(await checkpoints(folder)).toHaveLength(1);

  const without = await openImageFolder(pictures, openOptions);
  expect(without.length).toBe(7);
  expect((await trainOn(without, folder)).error).toMatch(/1 sample was removed, such as "3\.png"/);
  expect((await trainOn(without, folder, undefined, true)).error).toBeUndefined();
});

test('an archive that is replaced ends a run, and is not read at the old offsets', async () => {
  const folder = await temporaryFolder();
  const archive = pack();
  for (let i = 0; i < 8; i++) {
    archive.entry({ name: `${i}.png` }, await png(20 * i));
    archive.entry({ name: `${i}.txt` }, `gray ${i}`);
  }
  archive.finalize();
  const path = join(await temporaryFolder(), '0.tar');
  await writeFile(path, await buffer(archive));
  const dataset = await openWebDataset(path, openOptions);
  const { error } = await trainOn(dataset, folder, () => utimes(path, 1e9, 1e9));
  expect(error).toMatch(/0\.tar has changed since the dataset was opened\. Open the dataset again\.$/);
  expect(await checkpoints(folder)).toHaveLength(1);
});

test('token shards that vanish end the training of a decoder with their name', async () => {
  const shards = await temporaryFolder();
  const { gridSize } = grayTokenizer;
  const encode = async (images: readonly unknown[]) => images.map(() => new Int32Array(gridSize ** 2));
  const images = await openImageFolder(await imageFolder(), { ...openOptions, imageSize: gridSize });
  await writeTokenShards(images, { ...grayTokenizer, encode }, shards, { shardSize: 2 });
  const dataset = await openTokenShards(shards, { cacheBytes: 0 });
  const training = trainDecoder({
    ...decoderRun,
    folder: await temporaryFolder(),
    runtime: recordingRuntime(),
    dataset,
    evaluation: dataset,
    steps: 40,
    evaluateEvery: 40,
    checkpointEvery: 40,
    order: (position) => position % dataset.length,
    onProgress: async ({ done }) => {
      if (done === 10) for (const name of await readdir(shards)) await rm(join(shards, name));
    },
  });
  await expect(training).rejects.toThrow(/^Cannot read .*\.(tokens|jsonl): there is no such file\./);
});

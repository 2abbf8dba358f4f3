import { execFileSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { contentOf, temporaryFolder } from '@dalle-mini/testing/folders';
import { tinyVqgan } from '@dalle-mini/testing/tiny-vqgan';
import { trainVqganFromSettings, type VqganSettings } from '@dalle-mini/train/settings';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';

// One thread, because rounding differs with several threads.
const runtime = new OnnxRuntime({ threads: 1 });
let server: Server;
let folder: string;
const visits: string[] = [];

beforeAll(async () => {
  folder = await temporaryFolder();
  for (const shard of ['00000', '00001', '00002']) {
    await mkdir(join(folder, shard));
    for (let i = 0; i < 4; i++) {
      const background = { r: 60 * i, g: 80 * Number(shard), b: 99 };
      const image = sharp({ create: { width: 16, height: 16, channels: 3, background } });
      await image.png().toFile(join(folder, shard, `${i}.png`));
      await writeFile(join(folder, shard, `${i}.txt`), `caption ${i}`);
    }
    execFileSync('tar', ['-czf', join(folder, `${shard}.tar.gz`), '-C', join(folder, shard), '.']);
  }
  server = createServer(async ({ url }, response) => {
    visits.push(url!);
    const bytes = await readFile(join(folder, url!)).catch(() => undefined);
    response.writeHead(bytes ? 200 : 404).end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  await runtime.dispose();
});

test('a VQ-GAN is trained on archives of a web server, resumes to the same bytes, and as on those of a folder', async () => {
  const web = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const train = async (run: string, place: string, signal?: AbortSignal, onStep?: (step: number) => void) => {
    const settings: VqganSettings = {
      folder: join(folder, run),
      seed: 1,
      steps: 8,
      checkpointEvery: 4,
      evaluateEvery: 4,
      dataset: { type: 'webdataset', path: `${place}/{00000..00001}.tar.gz`, shuffleShards: 1, crop: 'random' },
      evaluation: { type: 'webdataset', path: `${place}/00002.tar.gz`, shuffleShards: 1 },
      model: tinyVqgan,
      training: { batchSize: 2, stepsPerRun: 2, learningRate: 1e-3, warmUpSteps: 1 },
    };
    await trainVqganFromSettings(settings, {
      runtime,
      signal,
      onProgress: ({ stage, done }) => stage === 'train' && onStep?.(done),
    });
    return contentOf(join(folder, run, 'vqgan'));
  };
  const expected = await train('local', folder);
  expect(await train('web', web)).toEqual(expected);
  const stop = new AbortController();
  const stopping = train('stopped', web, stop.signal, (step) => step === 4 && stop.abort(new Error('enough')));
  await expect(stopping).rejects.toThrow('enough');
  visits.length = 0;
  expect(await train('stopped', web)).toEqual(expected);
  // The numbers of samples are known, so that nothing is asked for but what the second epoch and the evaluation read.
  expect(visits.filter((path) => path.includes('stats'))).toEqual([]);
  await expect(
    trainVqganFromSettings({
      folder: join(folder, 'refused'),
      seed: 1,
      steps: 8,
      dataset: { type: 'webdataset', path: `${web}/00000.tar.gz` },
      model: tinyVqgan,
      training: { batchSize: 2, learningRate: 1e-3, warmUpSteps: 1 },
    }),
  ).rejects.toThrow(/evaluation must be other images than those of archives/);
});

import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClipRanker, importClip, loadClipTokenizer } from '@dalle-mini/clip';
import { openClipRanker } from '@dalle-mini/clip/node';
import { ConfigError } from '@dalle-mini/core';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { FakeHub } from '@dalle-mini/testing/fake-hub';
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest';
import { fixtureFile, pictures, tinyClip, tokenizerFiles } from './fixtures.js';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const { file, config, weights } = tinyClip('patch-16');
const images = pictures.slice(0, 2).map(({ input }) => input);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clip-'));
  for (const path of [
    'patch-16/config.json',
    'patch-16/model.safetensors',
    'tokenizer/vocab.json',
    'tokenizer/merges.txt',
  ])
    await copyFile(fixtureFile(path), join(folder, path.split('/')[1]!));
});
afterEach(() => rm(folder, { recursive: true }));

test('a folder is opened, and scores images as a ranker that was made', async () => {
  const opened = await openClipRanker(folder, { runtime });
  const made = new ClipRanker(config, importClip(weights, config), {
    runtime,
    tokenizer: await loadClipTokenizer(tokenizerFiles.tokenizer),
  });
  expect(await opened.rank('a red square', images)).toEqual(await made.rank('a red square', images));
  await opened.dispose();
  await made.dispose();
});

test('a model of the hub is downloaded by its name', async () => {
  const hub = new FakeHub();
  await hub.start();
  for (const name of await readdir(folder)) hub.add(name, await readFile(join(folder, name)));
  const opened = await openClipRanker('org/name', { runtime, endpoint: hub.url, cacheDir: join(folder, 'cache') });
  await hub.stop();
  expect(await opened.rank('a red square', images)).toHaveLength(2);
  await opened.dispose();
});

test('a given runtime stays, and its own one is disposed of with the ranker', async () => {
  const dispose = vi.spyOn(OnnxRuntime.prototype, 'dispose');
  await (await openClipRanker(folder, { runtime }))[Symbol.asyncDispose]();
  expect(dispose).not.toHaveBeenCalled();
  await (await openClipRanker(folder, { threads: 1 }))[Symbol.asyncDispose]();
  expect(dispose).toHaveBeenCalledTimes(1);
  dispose.mockRestore();
});

test('a wrong field of config.json is refused with its path', async () => {
  const path = join(folder, 'config.json');
  await writeFile(path, JSON.stringify({ ...file, projection_dim: 1e9 }));
  await expect(openClipRanker(folder)).rejects.toThrow(ConfigError);
  await expect(openClipRanker(folder)).rejects.toThrow(`${path}: projection_dim must be a whole number`);
});

test('unknown options and an aborted signal are refused', async () => {
  await expect(openClipRanker(folder, { thread: 1 } as object)).rejects.toThrow('Did you mean threads?');
  await expect(openClipRanker(folder, { signal: AbortSignal.abort('enough') })).rejects.toBe('enough');
});

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, type TextEncoding } from '@dalle-mini/core';
import {
  type AnyDecoderConfig,
  createDecoder,
  DalleMiniDecoder,
  exportConfig,
  exportDecoder,
} from '@dalle-mini/decoder';
import { openDecoder } from '@dalle-mini/decoder/node';
import type { TensorData } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { FakeHub } from '@dalle-mini/testing/fake-hub';
import { randomParameters, randomText, tinyDecoder as tiny, tinyMaskedDecoder } from '@dalle-mini/testing/tiny-decoder';
import { fromFloat32 } from '@dalle-mini/weights';
import { writeCheckpointFile, writeFlaxCheckpointFile } from '@dalle-mini/weights/node';
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const config = { ...tiny, textWidth: 16, textLength: 5 };
const parameters = randomParameters(config, 1);
const stored = (values: ReadonlyMap<string, TensorData>) =>
  new Map([...values].map(([name, { data, shape }]) => [name, fromFloat32(data as Float32Array, shape)]));
const weights = stored(parameters);
const text = randomText(2, 3, { width: 16 });

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'decoder-'));
});
afterEach(() => rm(folder, { recursive: true }));

const writePart = async () => {
  await writeFile(join(folder, 'config.json'), JSON.stringify(config));
  await writeCheckpointFile(join(folder, 'model.safetensors'), weights);
};
const writePublished = async () => {
  const { width, layers, heads, feedForwardWidth, textLength } = config;
  const textEncoder = { vocabularySize: 9, maxLength: textLength, width, layers, heads, feedForwardWidth };
  await writeFile(join(folder, 'config.json'), JSON.stringify(exportConfig(textEncoder, config)));
  await writeFlaxCheckpointFile(join(folder, 'flax_model.msgpack'), exportDecoder(weights, config));
};

test.each([
  ['a part of a model', writePart],
  ['the files of a published model', writePublished],
])('openDecoder opens the folder of %s, and generates as a decoder that was made', async (_, write) => {
  await write();
  const made = new DalleMiniDecoder(config, parameters, { runtime });
  const opened = await openDecoder(folder, { runtime });
  expect(await opened.generate(text, { seed: 2 })).toEqual(await made.generate(text, { seed: 2 }));
  await opened.dispose();
  await made.dispose();
});

const sizes = { vocabularySize: 24, gridSize: 4, width: 16, layers: 2, heads: 2 };
const tokens = { ...randomText(2, 3), width: 0, hiddenStates: new Float32Array(), tokens: new Int32Array(10).fill(3) };
test.each<[AnyDecoderConfig, TextEncoding]>([
  [tinyMaskedDecoder, randomText(2, 3)],
  [{ ...sizes, kind: 'decoder-only', textVocabularySize: 9, textLength: 5 }, tokens],
  [{ ...sizes, kind: 'llama-gen', textWidth: 12, textLength: 5 }, randomText(2, 3)],
])('openDecoder opens a decoder of the kind $kind', async (config, captions) => {
  const parameters = randomParameters(config, 1);
  await writeFile(join(folder, 'config.json'), JSON.stringify(config));
  await writeCheckpointFile(join(folder, 'model.safetensors'), stored(parameters));
  const made = createDecoder(config, parameters, { runtime });
  const opened = await openDecoder(folder, { runtime });
  expect(await opened.generate(captions, { seed: 2 })).toEqual(await made.generate(captions, { seed: 2 }));
  await opened.dispose();
  await made.dispose();
});

test('openDecoder downloads a model of the hub by its name', async () => {
  await writePart();
  const hub = new FakeHub();
  await hub.start();
  for (const name of ['config.json', 'model.safetensors']) hub.add(name, await readFile(join(folder, name)));
  const opened = await openDecoder('org/name', { runtime, endpoint: hub.url, cacheDir: join(folder, 'cache') });
  await hub.stop();
  expect(opened.gridSize).toBe(4);
  await opened.dispose();
});

test('openDecoder refuses a wrong field of the configuration before it reads the weights', async () => {
  await writeFile(join(folder, 'config.json'), JSON.stringify({ ...config, layers: 1e6 }));
  const refused = openDecoder(folder, { runtime });
  await expect(refused).rejects.toThrow(ConfigError);
  await expect(refused).rejects.toThrow(
    `${join(folder, 'config.json')}: layers must be a whole number from 1 to 1024, not 1000000.`,
  );
});

test('a decoder disposes of its default runtime, and not of the caller’s', async () => {
  await writePart();
  const dispose = vi.spyOn(OnnxRuntime.prototype, 'dispose');
  await (await openDecoder(folder, { runtime }))[Symbol.asyncDispose]();
  expect(dispose).not.toHaveBeenCalled();
  await (await openDecoder(folder, { threads: 1 }))[Symbol.asyncDispose]();
  expect(dispose).toHaveBeenCalledTimes(1);
  dispose.mockRestore();
});

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigError } from '@dalle-mini/core';
import type { TensorData } from '@dalle-mini/graph';
import { initializeParameters } from '@dalle-mini/graph/initializers';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { dequantize, quantize } from '@dalle-mini/graph/stored';
import { FakeHub } from '@dalle-mini/testing/fake-hub';
import { randomImages, randomParameters, attentiveVqgan as tiny } from '@dalle-mini/testing/tiny-vqgan';
import { discriminatorParameters, VqganTokenizer } from '@dalle-mini/vqgan';
import {
  discriminatorFile,
  openVqganTokenizer,
  readDiscriminator,
  readVqganFiles,
  readYamlFile,
  writeDiscriminator,
} from '@dalle-mini/vqgan/node';
import { type Checkpoint, CheckpointError, fromFloat32 } from '@dalle-mini/weights';
import { writeCheckpointFile } from '@dalle-mini/weights/node';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

const runtime = new OnnxRuntime();
afterAll(() => runtime.dispose());
const parameters = randomParameters(tiny, 1);
const images = randomImages(2, 16, 1);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vqgan-'));
});
afterEach(() => rm(folder, { recursive: true }));

const stored = (values: ReadonlyMap<string, TensorData> = parameters, dtype: 'F32' | 'F16' = 'F32'): Checkpoint =>
  new Map([...values].map(([name, { shape, data }]) => [name, fromFloat32(data as Float32Array, shape, dtype)]));

async function write(config: unknown = tiny, weights: Checkpoint = stored()): Promise<void> {
  await writeFile(join(folder, 'config.json'), typeof config === 'string' ? config : JSON.stringify(config));
  await writeCheckpointFile(join(folder, 'model.safetensors'), weights);
}

const path = (file: string) => join(folder, file);

/** What opening the folder fails with. */
async function failure(): Promise<Error> {
  return openVqganTokenizer(folder, { runtime }).then(
    () => expect.fail('it opened'),
    (error: Error) => error,
  );
}

describe('openVqganTokenizer', () => {
  test('opens config.json and model.safetensors of a folder', async () => {
    await write();
    const opened = await openVqganTokenizer(folder, { runtime });
    const made = new VqganTokenizer(tiny, parameters, { runtime });
    const grids = await opened.encode(images);
    expect(grids).toEqual(await made.encode(images));
    expect(await opened.decode(grids)).toEqual(await made.decode(grids));
    await opened.dispose();
    await made.dispose();
  });

  test('reads half precision and 8 bits too, and images come out almost the same', async () => {
    await write();
    const exact = await openVqganTokenizer(folder, { runtime });
    const grids = await exact.encode(images);
    const expected = await exact.decode(grids);
    // In float32 a byte is exact except for rounding. Half precision has 11 bits; 8-bit rows have errors up to 1/254 of their largest
    // element, which the layers add up to some bytes.
    for (const [weights, tolerance] of [
      [stored(parameters, 'F16'), 1],
      [quantize(stored()), 6],
    ] as const) {
      await write(tiny, weights);
      const opened = await openVqganTokenizer(folder, { runtime });
      for (const [i, { data }] of (await opened.decode(grids)).entries()) {
        const differences = [...data].map((byte, at) => Math.abs(byte - expected[i]!.data[at]!));
        expect(Math.max(...differences)).toBeLessThanOrEqual(tolerance);
      }
      await opened.dispose();
    }
    await exact.dispose();
  });

  test.each(['loss.discriminator.main.0.weight', 'loss.perceptual_loss.lin0.model.1.weight', 'colorize'])(
    'ignores %s, which only training needs',
    async (name) => {
      await write(tiny, new Map([...stored(), [name, fromFloat32(new Float32Array(4), [4])]]));
      const opened = await openVqganTokenizer(folder, { runtime });
      expect(await opened.encode(images)).toHaveLength(2);
      await opened.dispose();
    },
  );

  test('refuses a tensor that it does not know, which could change what the model computes', async () => {
    await write(tiny, new Map([...stored(), ['decoder.mid.attn_2.q.weight', fromFloat32(new Float32Array(4), [4])]]));
    const error = await failure();
    expect(error).toBeInstanceOf(CheckpointError);
    expect(error.message).toMatch(
      /model\.safetensors: .*decoder\.mid\.attn_2\.q\.weight is not a tensor of this model/,
    );
  });

  test('refuses options that it does not have, and a source that is neither a folder nor a name', async () => {
    await write();
    const open = (options: object) => openVqganTokenizer(folder, options);
    await expect(open({ thread: 1 })).rejects.toThrow(
      'The option thread of openVqganTokenizer is not known. Did you mean threads?',
    );
    await expect(open({ threads: 0 })).rejects.toThrow('threads must be a whole number from 1 to 1024, not 0.');
    await expect(openVqganTokenizer(path('absent'))).rejects.toThrow(
      'source must be a folder that exists, or a hub name',
    );
  });

  test('downloads a model of the hub by its name, and none but the files that it needs', async () => {
    await write();
    const hub = new FakeHub();
    await hub.start();
    for (const name of ['config.json', 'model.safetensors']) hub.add(name, await readFile(path(name)));
    hub.add('flax_model.msgpack', Buffer.from('not needed'));
    const opened = await openVqganTokenizer('org/name', { runtime, endpoint: hub.url, cacheDir: path('cache') });
    await hub.stop();
    const made = new VqganTokenizer(tiny, parameters, { runtime });
    expect(await opened.encode(images)).toEqual(await made.encode(images));
    expect(hub.received.map(({ path }) => path).join()).not.toContain('msgpack');
    await opened.dispose();
    await made.dispose();
  });

  test('stops when its signal aborts', async () => {
    await write();
    await expect(openVqganTokenizer(folder, { signal: AbortSignal.abort('enough') })).rejects.toBe('enough');
  });

  test('leaves a given runtime running', async () => {
    await write();
    const opened = await openVqganTokenizer(folder, { runtime });
    const dispose = vi.spyOn(runtime, 'dispose');
    await opened.encode(images);
    await opened.dispose();
    expect(dispose).not.toHaveBeenCalled();
    dispose.mockRestore();
  });

  test('makes a runtime if none is given, and disposes of it with the tokenizer', async () => {
    await write();
    const dispose = vi.spyOn(OnnxRuntime.prototype, 'dispose');
    const opened = await openVqganTokenizer(folder, { threads: 1 });
    expect(await opened.encode(images)).toHaveLength(2);
    expect(dispose).not.toHaveBeenCalled();
    await opened[Symbol.asyncDispose]();
    expect(dispose).toHaveBeenCalledTimes(1);
    dispose.mockRestore();
  });

  test.each(['config.json', 'model.safetensors'])('names %s if it is missing', async (file) => {
    await write();
    await rm(path(file));
    expect((await failure()).message).toMatch(`Cannot read ${path(file)}: there is no such file.`);
  });

  test('names config.json if it is not JSON, not an object, or has a wrong field', async () => {
    for (const [content, problem] of [
      ['{"resolution": 16,', 'the text must be JSON'],
      ['null', 'the text must be a JSON object, not null.'],
      [{ ...tiny, nEmbed: -1 }, 'nEmbed must be a whole number from 1 to 16777216, not -1.'],
      [{ ...tiny, inChannels: 0 }, 'inChannels must be a whole number'],
    ] as const) {
      await write(content);
      const error = await failure();
      expect(error).toBeInstanceOf(ConfigError);
      expect(error.message).toContain(`${path('config.json')}: ${problem}`);
    }
  });

  test.each([
    ['numResBlocks', 1e5],
    ['ch', 1e9],
    ['resolution', 2 ** 40],
    ['nEmbed', 1e12],
  ])('refuses a config.json with %s of %i before it reads the weights', async (field, value) => {
    await write({ ...tiny, [field]: value });
    await rm(path('model.safetensors'));
    const error = await failure();
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toContain(`${path('config.json')}: ${field} must be`);
  });

  test('names model.safetensors and the tensor if one is missing or has another shape', async () => {
    const weights = stored();
    weights.delete('post_quant_conv.bias');
    await write(tiny, weights);
    const missing = await failure();
    expect(missing).toBeInstanceOf(CheckpointError);
    expect(missing.message).toBe(
      `${path('model.safetensors')}: The weights must be those that the configuration describes: post_quant_conv.bias is missing. Pass the weights and the configuration of the same model.`,
    );
    await write({ ...tiny, nEmbed: 64 });
    expect((await failure()).message).toBe(
      `${path('model.safetensors')}: The weights must be those that the configuration describes: quantize.embedding.weight must have shape [64, 4], not [32, 4]. Pass the weights and the configuration of the same model.`,
    );
  });

  test('names model.safetensors if it is damaged', async () => {
    await write();
    await writeFile(path('model.safetensors'), 'not tensors');
    const error = await failure();
    expect(error).toBeInstanceOf(CheckpointError);
    expect(error.message).toContain(path('model.safetensors'));
    const weights = quantize(stored());
    weights.delete('quant_conv.weight.scale');
    await write(tiny, weights);
    expect((await failure()).message).toContain(`${path('model.safetensors')}: `);
  });
});

describe('readVqganFiles', () => {
  test('reads the tensors in the types in which they are stored', async () => {
    const weights = stored(parameters, 'F16');
    await write(tiny, weights);
    const read = await readVqganFiles(folder);
    expect(read.config).toEqual(tiny);
    expect(new Map([...read.weights].sort())).toEqual(new Map([...weights].sort()));
  });

  test('refuses a wrong configuration before it looks for weights', async () => {
    const files = { config: { ...tiny, numResBlocks: 1e6 }, weights: path('none.safetensors') };
    await expect(readVqganFiles(files)).rejects.toThrow(/numResBlocks must be a whole number from/);
  });
});

describe('readDiscriminator', () => {
  const parameters = initializeParameters(discriminatorParameters({ layers: 1, width: 2 }), 1);

  test('reads what writeDiscriminator wrote next to the VQ-GAN', async () => {
    await write();
    await writeDiscriminator(folder, new Map([...parameters, ['other', parameters.values().next().value!]]));
    expect(dequantize(await readDiscriminator(folder))).toEqual(parameters);
    await rm(path(discriminatorFile));
  });

  test('reads it from the checkpoint of a training', async () => {
    const tensors = [...parameters].map(
      ([name, { data, shape }]) => [name, fromFloat32(data as Float32Array, shape)] as const,
    );
    await write(tiny, new Map([...stored(), ...tensors]));
    expect(dequantize(await readDiscriminator(folder))).toEqual(parameters);
  });

  test('reads it from a checkpoint that Taming Transformers saved', async () => {
    const weights = fileURLToPath(new URL('fixtures/published/taming/last.ckpt', import.meta.url));
    const tensors = dequantize(await readDiscriminator({ config: tiny, weights }));
    const declared = discriminatorParameters({ layers: 1, width: 1 });
    expect([...tensors].map(([name, { shape }]) => [name, [...shape]]).sort()).toEqual(
      [...declared].map(([name, { shape }]) => [name, [...shape]]).sort(),
    );
  });

  test('finds none in other weights, and then none is written', async () => {
    await write();
    expect((await readDiscriminator(folder)).size).toBe(0);
    await writeDiscriminator(folder, new Map());
    expect(await readdir(folder)).not.toContain(discriminatorFile);
  });
});

describe('a YAML file', () => {
  const read = async (text: string) => {
    await writeFile(join(folder, 'model.yaml'), text);
    return readYamlFile(join(folder, 'model.yaml'));
  };

  test('is read as a map of fields', async () => {
    expect(await read('model:\n  ch_mult: [1, 2]\n  name: taming\n')).toEqual({
      model: { ch_mult: [1, 2], name: 'taming' },
    });
  });

  test.each(['a: [1', '7', ''])('is refused with the text %j', async (text) => {
    await expect(read(text)).rejects.toThrow(ConfigError);
    await expect(read(text)).rejects.toThrow(/model\.yaml.*the text must/);
  });
});

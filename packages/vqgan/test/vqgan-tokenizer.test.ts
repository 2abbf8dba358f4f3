import { createRandom, OptionError, type RgbImage } from '@dalle-mini/core';
import type { CompileOptions, Executable, Graph, RunOptions, Runtime, TensorValues } from '@dalle-mini/graph';
import { input, ParameterScope } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { randomImages, randomParameters, attentiveVqgan as tiny } from '@dalle-mini/testing/tiny-vqgan';
import { decodeTokens, reconstruct, type VqganConfig, VqganTokenizer } from '@dalle-mini/vqgan';
import { afterAll, describe, expect, test } from 'vitest';

const runtime = new OnnxRuntime();
afterAll(() => runtime.dispose());
const parameters = randomParameters(tiny, 1);
const tokenizer = new VqganTokenizer(tiny, parameters, { runtime });
const bytes = (images: readonly RgbImage[]) => images.map(({ data }) => [...data]);
const lists = (grids: readonly Int32Array[]) => grids.map((grid) => [...grid]);

function randomGrids(count: number, seed: number): Int32Array[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => Int32Array.from({ length: 64 }, () => random.integer(32)));
}

/** A runtime that records the numbers of images of its runs and what is still open, and can be told to fail once or to call back. */
class Recorder implements Runtime {
  readonly name = 'recorder';
  readonly runs: number[] = [];
  compiled = 0;
  open = 0;
  failNext = false;
  afterRun: (() => void) | undefined;

  async compile(graph: Graph, options?: CompileOptions): Promise<Executable> {
    if (this.failNext) {
      this.failNext = false;
      throw new Error('no memory left');
    }
    const executable = await runtime.compile(graph, options);
    this.compiled++;
    this.open++;
    return {
      run: async (inputs: TensorValues, options?: RunOptions) => {
        const result = await executable.run(inputs, options);
        this.runs.push(Object.values(inputs)[0]!.shape[0]!);
        this.afterRun?.();
        return result;
      },
      bind: (inputs: TensorValues) => executable.bind(inputs),
      dispose: async () => {
        this.open--;
        await executable.dispose();
      },
    };
  }

  async dispose(): Promise<void> {}
}

const recorded = () => {
  const recorder = new Recorder();
  return { recorder, tokenizer: new VqganTokenizer(tiny, parameters, { runtime: recorder }) };
};

test('a VQ-GAN whose decoder has more levels reads the means of squares of pixels, and writes larger images', async () => {
  const larger = { ...tiny, resolution: 32, decoderChMult: [1, ...tiny.chMult] };
  const weights = new Map([
    ...randomParameters(larger, 2),
    ...[...parameters].filter(([name]) => !/^decoder/.test(name)),
  ]);
  const of = new VqganTokenizer(larger, weights, { runtime });
  const images = randomImages(2, tiny.resolution, 3);
  const enlarged = images.map(({ width, height, data }) => ({
    width: 2 * width,
    height: 2 * height,
    data: Uint8ClampedArray.from({ length: 4 * data.length }, (_, i) => {
      const pixel = Math.floor(i / 3);
      const [x, y] = [(pixel % (2 * width)) >> 1, Math.floor(pixel / (2 * width)) >> 1];
      return data[3 * (y * width + x) + (i % 3)]!;
    }),
  }));
  const tokens = await of.encode(enlarged);
  expect(lists(tokens)).toEqual(lists(await tokenizer.encode(images)));
  const [first, second] = await of.decode(tokens);
  expect([first!.width, first!.height, of.gridSize]).toEqual([32, 32, tokenizer.gridSize]);
  expect(bytes([first!])).not.toEqual(bytes([second!]));
});

describe('VqganTokenizer', () => {
  test('has the sizes of images, grids and codebook', () => {
    const { imageSize, gridSize, vocabularySize } = tokenizer;
    expect({ imageSize, gridSize, vocabularySize }).toEqual({ imageSize: 16, gridSize: 8, vocabularySize: 32 });
  });

  test('decodes grids together, as a model of larger images decodes them', async () => {
    const grids = randomGrids(6, 7);
    const images = await tokenizer.decode(grids, { columns: 3 });
    // Three grids of 8 × 8 side by side, twice: the same parameters in a model of 48 × 48 pixels, whose third row is cut off.
    const larger = {
      ...tiny,
      resolution: 3 * tiny.resolution,
      attnResolutions: tiny.attnResolutions.map((size) => 3 * size),
    };
    const tokens = input('tokens', [1, 16, 24], 'int32');
    const executable = await runtime.compile(
      { inputs: { tokens }, outputs: { images: decodeTokens(new ParameterScope(), tokens, larger) } },
      { parameters },
    );
    const data = new Int32Array(16 * 24);
    for (let y = 0; y < 16; y++)
      for (let x = 0; x < 24; x++)
        data[24 * y + x] = grids[3 * Math.floor(y / 8) + Math.floor(x / 8)]![8 * (y % 8) + (x % 8)]!;
    const whole = (await executable.run({ tokens: { dtype: 'int32', shape: [1, 16, 24], data } })).images!;
    expect(whole.shape).toEqual([1, 3, 32, 48]);
    const byte = (value: number) => Uint8ClampedArray.of((value + 1) * 127.5)[0]!;
    for (const [i, image] of images.entries()) {
      const [top, left] = [16 * Math.floor(i / 3), 16 * (i % 3)];
      const expected = Array.from({ length: 16 * 16 * 3 }, (_, k) => {
        const [y, x, channel] = [top + Math.floor(k / 48), left + (Math.floor(k / 3) % 16), k % 3];
        return byte(whole.data[(channel * 32 + y) * 48 + x]!);
      });
      expect([...image.data]).toEqual(expected);
    }
    await expect(tokenizer.decode(grids, { columns: 4 })).rejects.toThrow(
      'columns must be a divisor of the number of grids, 6, not 4.',
    );
  });

  test('encodes each image to a grid of tokens, and decodes each grid to an image', async () => {
    const grids = await tokenizer.encode(randomImages(3, 16, 1));
    expect(grids.map((grid) => [grid.constructor.name, grid.length])).toEqual(Array(3).fill(['Int32Array', 64]));
    expect(grids.every((grid) => grid.every((token) => token >= 0 && token < 32))).toBe(true);
    // Otherwise the tests below would compare little.
    expect(new Set(lists(grids).flat()).size).toBeGreaterThan(8);
    const images = await tokenizer.decode(grids);
    expect(images.map(({ width, height, data }) => [width, height, data.length])).toEqual(Array(3).fill([16, 16, 768]));
    expect(new Set(bytes(images).flat()).size).toBeGreaterThan(8);
  });

  test('accepts empty lists of images and grids', async () => {
    expect(await tokenizer.encode([])).toEqual([]);
    expect(await tokenizer.decode([])).toEqual([]);
  });

  test('reads bytes as [−1, 1], red first, and writes them rounded and clipped: as the graph of training does', async () => {
    const images = randomImages(2, 16, 2);
    const values = new Float32Array(2 * 768);
    for (let i = 0; i < values.length; i++) {
      const [image, channel, pixel] = [Math.floor(i / 768), Math.floor((i % 768) / 256), i % 256];
      values[i] = images[image]!.data[3 * pixel + channel]! / 127.5 - 1;
    }
    const pixels = input('images', [2, 3, 16, 16]);
    const result = reconstruct(new ParameterScope(), pixels, tiny);
    const executable = await runtime.compile(
      { inputs: { images: pixels }, outputs: { tokens: result.tokens, restored: result.images } },
      { parameters },
    );
    const expected = await executable.run({ images: { dtype: 'float32', shape: pixels.shape, data: values } });
    const grids = await tokenizer.encode(images);
    expect(lists(grids).flat()).toEqual([...expected.tokens!.data]);
    const restored = bytes(await tokenizer.decode(grids));
    for (const [i, value] of expected.restored!.data.entries()) {
      const [image, channel, pixel] = [Math.floor(i / 768), Math.floor((i % 768) / 256), i % 256];
      const byte = Math.min(255, Math.max(0, (value + 1) * 127.5));
      // Half a step for rounding, and a little for the straight-through sum, vector + (code − vector), of training.
      expect(Math.abs(restored[image]![3 * pixel + channel]! - byte)).toBeLessThan(0.51);
    }
  });

  test('gives the same tokens and bytes for the same input, independent of the rest of the batch', async () => {
    const images = randomImages(5, 16, 3);
    const grids = lists(await tokenizer.encode(images));
    expect(lists(await tokenizer.encode(images))).toEqual(grids);
    expect(lists(await tokenizer.encode([images[4]!, images[0]!]))).toEqual([grids[4], grids[0]]);
    const tokens = randomGrids(5, 4);
    const restored = bytes(await tokenizer.decode(tokens));
    expect(bytes(await tokenizer.decode(tokens))).toEqual(restored);
    const again = bytes(await tokenizer.decode([tokens[3]!, tokens[2]!]));
    // Another number of images may be added up in another order: a value at the edge of rounding may fall to either side.
    for (const [i, byte] of again.flat().entries())
      expect(Math.abs(byte - [restored[3]!, restored[2]!].flat()[i]!)).toBeLessThanOrEqual(1);
  });

  test('encodes and decodes more than eight images in runs of eight, in order', async () => {
    const { recorder, tokenizer: own } = recorded();
    const images = randomImages(19, 16, 5);
    const grids = await own.encode(images);
    const restored = await own.decode(grids);
    expect(recorder.runs).toEqual([8, 8, 3, 8, 8, 3]);
    const [first, ninth, last] = await tokenizer.encode([images[0]!, images[8]!, images[18]!]);
    expect([grids[0], grids[8], grids[18]]).toEqual([first, ninth, last]);
    expect(restored).toHaveLength(19);
    expect(recorder.compiled).toBe(4);
    await own.dispose();
  });

  test('encodes larger images in smaller runs, and those of 256 × 256 one by one', async () => {
    for (const [resolution, runs] of [
      [64, [3]],
      [192, [1, 1, 1]],
      [128, [3]],
      [256, [1, 1, 1]],
    ] as const) {
      const recorder = new Recorder();
      const config: VqganConfig = { ...tiny, resolution, chMult: [1, 1, 1, 1, 1], attnResolutions: [] };
      const own = new VqganTokenizer(config, randomParameters(config, 1), { runtime: recorder });
      await own.encode(randomImages(3, resolution, 1));
      expect(recorder.runs).toEqual(runs);
      await own.dispose();
    }
  });

  test('leaves images and grids as they were', async () => {
    const images = randomImages(1, 16, 6);
    const grids = randomGrids(1, 7);
    const copies = structuredClone({ images, grids });
    await tokenizer.encode(images);
    await tokenizer.decode(grids);
    expect({ images, grids }).toEqual(copies);
  });

  test('compiles again after a failure', async () => {
    const { recorder, tokenizer: own } = recorded();
    recorder.failNext = true;
    await expect(own.encode(randomImages(1, 16, 1))).rejects.toThrow('no memory left');
    expect(await own.encode(randomImages(1, 16, 1))).toHaveLength(1);
    await own.dispose();
    expect(recorder.open).toBe(0);
  });

  test('frees what it compiled when it is disposed of, leaves the runtime alone, and then refuses', async () => {
    const { recorder, tokenizer: own } = recorded();
    await own.decode(await own.encode(randomImages(1, 16, 1)));
    expect(recorder.open).toBe(2);
    await own.dispose();
    await own.dispose();
    expect(recorder.open).toBe(0);
    await expect(own.encode(randomImages(1, 16, 1))).rejects.toThrow('Create another one to encode.');
    await expect(own.decode(randomGrids(1, 1))).rejects.toThrow('Create another one to decode.');
    expect(await tokenizer.encode(randomImages(1, 16, 1))).toHaveLength(1);
  });
});

describe('a signal', () => {
  test.each(['encode', 'decode'] as const)(
    'cancels %s between two runs: the promise rejects with its reason',
    async (kind) => {
      const { recorder, tokenizer: own } = recorded();
      const controller = new AbortController();
      recorder.afterRun = () => controller.abort('enough');
      const { signal } = controller;
      const work =
        kind === 'encode'
          ? own.encode(randomImages(20, 16, 1), { signal })
          : own.decode(randomGrids(20, 1), { signal });
      await expect(work).rejects.toBe('enough');
      expect(recorder.runs).toEqual([8]);
      await own.dispose();
    },
  );

  test('that has aborted before starts nothing', async () => {
    const { recorder, tokenizer: own } = recorded();
    const signal = AbortSignal.abort('too late');
    await expect(own.encode(randomImages(1, 16, 1), { signal })).rejects.toBe('too late');
    await expect(own.decode(randomGrids(1, 1), { signal })).rejects.toBe('too late');
    expect(recorder.compiled).toBe(0);
  });
});

describe('what does not fit is refused:', () => {
  const image = (width: number, height: number, length = 3 * width * height) => ({
    width,
    height,
    data: new Uint8Array(length),
  });

  test.each([
    [image(8, 8), 'images[1] must have 16 × 16 pixels, the size of this model, not 8 × 8. Resize it first.'],
    [image(16, 8), 'images[1] must have 16 × 16 pixels, the size of this model, not 16 × 8. Resize it first.'],
    [image(8, 32), 'images[1] must have 16 × 16 pixels, the size of this model, not 8 × 32. Resize it first.'],
    [image(16, 16, 4 * 256), 'images[1].data must have 768 bytes'],
    [image(16, 16, 256), 'images[1].data must have 768 bytes'],
  ])('images of another size, %#', async (wrong, message) => {
    const work = tokenizer.encode([image(16, 16), wrong]);
    await expect(work).rejects.toThrow(OptionError);
    await expect(work).rejects.toThrow(message);
  });

  test('grids of another length', async () => {
    for (const length of [0, 63, 65, 256]) {
      await expect(tokenizer.decode([new Int32Array(64), new Int32Array(length)])).rejects.toThrow(
        `grids[1].length must be 64: 8 × 8 tokens, not ${length}.`,
      );
    }
  });

  test('tokens that are not in the codebook', async () => {
    for (const token of [-1, 32, 16384]) {
      await expect(tokenizer.decode([new Int32Array(64).fill(token, 63)])).rejects.toThrow(
        `grids[0][63] must be a token from 0 to 31, not ${token}.`,
      );
    }
    expect(await tokenizer.decode([new Int32Array(64).fill(31)])).toHaveLength(1);
  });

  test('unknown options', async () => {
    await expect(tokenizer.encode([], { sginal: undefined } as object)).rejects.toThrow(
      'sginal of encode is not known',
    );
    await expect(tokenizer.decode([], { columns: 1.5 })).rejects.toThrow('columns must be a whole number');
    expect(() => new VqganTokenizer(tiny, parameters, runtime as never)).toThrow(OptionError);
  });

  test('an unsound configuration, and one of images that are not RGB, when the tokenizer is made', () => {
    expect(() => new VqganTokenizer({ ...tiny, ch: 0 }, parameters, { runtime })).toThrow('VQ-GAN config: ch must be');
    expect(() => new VqganTokenizer({ ...tiny, inChannels: 1 }, parameters, { runtime })).toThrow(
      'VQ-GAN config: inChannels must be 3, for RGB images, not 1.',
    );
  });

  test('weights that lack a parameter, by its name', async () => {
    const some = new Map([...parameters].filter(([name]) => name !== 'decoder.up.1.block.0.conv1.weight'));
    const own = new VqganTokenizer(tiny, some, { runtime });
    // The encoder is whole.
    expect(await own.encode(randomImages(1, 16, 1))).toHaveLength(1);
    await expect(own.decode(randomGrids(1, 1))).rejects.toThrow('decoder.up.1.block.0.conv1.weight');
    await own.dispose();
  });
});

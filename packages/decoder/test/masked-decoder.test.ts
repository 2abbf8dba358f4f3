import { createRandom, type DecodeOptions, type DecodeProgress } from '@dalle-mini/core';
import {
  checkMaskedDecoderConfig,
  decoderGraphs,
  decoderParameters,
  MaskedDecoder,
  maskedModel,
  maskTokens,
} from '@dalle-mini/decoder';
import { parametersOf } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { pick, randomParameters, randomText, tinyMaskedDecoder as tiny } from '@dalle-mini/testing/tiny-decoder';
import { afterAll, describe, expect, test } from 'vitest';
import { choiceTemperatureAt, leastConfident, maskedNext, maskedShare, randomPlaces } from '../src/masked/schedule.js';

const runtime = new OnnxRuntime({ threads: 1 });
const decoder = new MaskedDecoder(maskedModel(tiny), randomParameters(tiny, 1), { runtime });
afterAll(() => runtime.dispose());

const text = randomText(3, 2);
const unconditional = randomText(1, 3);
const lists = (grids: readonly Int32Array[]) => grids.map((grid) => [...grid]);
const generate = async (options: DecodeOptions = {}, of = text) => lists(await decoder.generate(of, options));

describe('the schedule', () => {
  test('masks a share of the tokens that falls with the cosine', () => {
    expect([0, 1 / 3, 2 / 3, 1].map((progress) => maskedShare(progress))).toEqual([
      1,
      expect.closeTo(Math.sqrt(3) / 2),
      expect.closeTo(0.5),
      expect.closeTo(0),
    ]);
  });

  test('masks fewer tokens after each pass, and at least one', () => {
    const counts = [256];
    for (let pass = 1; pass < 8; pass++) counts.push(maskedNext(256, counts.at(-1)!, pass / 8));
    // 256 · cos(π/2 · pass / 8), rounded down.
    expect(counts).toEqual([256, 251, 236, 212, 181, 142, 97, 49]);
    // In float32 the share is just below a half.
    expect(maskedNext(16, 16, 2 / 3)).toBe(7);
    expect(maskedNext(16, 2, 0.01)).toBe(1);
    expect(maskedNext(16, 1, 0.99)).toBe(1);
  });

  test('lowers the temperature of the choice to 0 at the last pass', () => {
    expect([0, 1, 2, 3, 4].map((pass) => choiceTemperatureAt(2, pass, 5))).toEqual([2, 1.5, 1, 0.5, 0]);
    expect(choiceTemperatureAt(2, 0, 1)).toBe(0);
  });

  test('masks the least likely tokens again at temperature 0, and others with chance', () => {
    const logProbabilities = Float32Array.of(-9, -1, -3, -3, -2, -4);
    const places = [1, 2, 3, 4, 5];
    const choose = (count: number, temperature: number, seed = 1) =>
      leastConfident(places, logProbabilities, count, temperature, createRandom(seed));
    expect(choose(1, 0)).toEqual([5]);
    expect(choose(2, 0)).toEqual([5, 3]);
    expect(choose(5, 0)).toEqual([5, 3, 2, 4, 1]);
    const chosen = Array.from({ length: 40 }, (_, seed) => choose(1, 5, seed)[0]);
    expect(new Set(chosen)).toEqual(new Set(places));
  });

  test('chooses a share of places, each as often as the others', () => {
    const counts = new Map<number, number>();
    for (let seed = 0; seed < 400; seed++) {
      const chosen = randomPlaces([3, 5, 7, 9], 0.3, seed);
      expect(new Set(chosen).size).toBe(2);
      for (const place of chosen) counts.set(place, (counts.get(place) ?? 0) + 1);
    }
    // Half of 400, within five standard deviations.
    for (const place of [3, 5, 7, 9]) expect(Math.abs(counts.get(place)! - 200)).toBeLessThan(50);
  });
});

describe('generate', () => {
  test('generates a grid of image tokens for each caption, without the mask token', async () => {
    const grids = await decoder.generate(text, { passes: 3 });
    expect(grids.map((grid) => grid.length)).toEqual([16, 16, 16]);
    expect(grids.every((grid) => grid.every((token) => token >= 0 && token < 24))).toBe(true);
    expect(new Set(lists(grids).map(String)).size).toBe(3);
  });

  test('generates the same tokens for the same seed, independent of the other images', async () => {
    const options = { seed: 7, guidanceScale: 2, unconditional, passes: 4 };
    const [first, second, third] = await generate(options);
    expect(await generate(options)).toEqual([first, second, third]);
    expect(await generate({ ...options, seed: 8 })).not.toEqual([first, second, third]);
    expect(await generate(options, pick(text, [0]))).toEqual([first]);
    expect(await generate({ ...options, firstIndex: 1 }, pick(text, [1, 2]))).toEqual([second, third]);
  });

  test('takes the most likely tokens at temperature 0, whatever the seed is', async () => {
    const greedy = { temperature: 0, choiceTemperature: 0, passes: 4 };
    expect(await generate({ ...greedy, seed: 1 })).toEqual(await generate({ ...greedy, seed: 2 }));
    expect(await generate({ ...greedy, temperature: 1, topK: 1, seed: 3 })).toEqual(await generate(greedy));
    expect(await generate({ ...greedy, passes: 5 })).not.toEqual(await generate(greedy));
    const free = { seed: 1, passes: 4 };
    expect(await generate({ ...free, choiceTemperature: 0 })).not.toEqual(await generate(free));
  });

  test('samples among the most likely tokens with topK and topP', async () => {
    const one = { passes: 1, seed: 5 };
    const greedy = await generate({ ...one, temperature: 0 });
    expect(await generate({ ...one, topP: Number.MIN_VALUE })).toEqual(greedy);
    const among = await generate({ ...one, topK: 2 });
    const all = await generate(one);
    const differing = (grids: number[][]) => grids.flat().filter((token, i) => token !== greedy.flat()[i]).length;
    expect(differing(among)).toBeGreaterThan(0);
    expect(differing(among)).toBeLessThan(differing(all));
  });

  test('with guidance 0 generates from the unconditional caption', async () => {
    const options = { seed: 2, passes: 3 };
    expect(await generate({ ...options, guidanceScale: 0, unconditional })).toEqual(
      await generate(options, pick(unconditional, [0, 0, 0])),
    );
  });

  test('reports each pass with all tokens, and can be canceled between two', async () => {
    const calls: DecodeProgress[] = [];
    const grids = await decoder.generate(text, { passes: 3, onProgress: (progress) => calls.push(progress) });
    expect(calls.map(({ tokens, ...progress }) => progress)).toEqual(
      [1, 2, 3].map((done) => ({ stage: 'generate', unit: 'passes', done, total: 3 })),
    );
    expect(lists(calls[2]!.tokens)).toEqual(lists(grids));
    expect(lists(calls[0]!.tokens)).not.toEqual(lists(grids));

    const controller = new AbortController();
    const onProgress = ({ done }: DecodeProgress) => done === 2 && controller.abort('enough');
    await expect(decoder.generate(text, { signal: controller.signal, onProgress })).rejects.toBe('enough');
  });
});

describe('initial', () => {
  const grids = [5, 6, 7].map((seed) => Int32Array.from({ length: 16 }, (_, i) => (seed * i + 3) % 24));
  const keep = Uint8Array.from({ length: 16 }, (_, i) => (i % 3 === 0 ? 1 : 0));

  test('keeps any tokens exactly, and the others depend on them', async () => {
    const fill = await generate({ seed: 4, initial: { grids, keep } });
    for (const [i, grid] of fill.entries()) {
      for (const [place, token] of grid.entries()) if (keep[place]) expect(token).toBe(grids[i]![place]);
    }
    const others = grids.map((grid) => grid.map((token) => (token + 1) % 24));
    const free = (tokens: number[][]) => tokens.map((grid) => grid.filter((_, place) => !keep[place]));
    expect(free(await generate({ seed: 4, initial: { grids: others, keep } }))).not.toEqual(free(fill));
    // Without strength, the tokens that are not kept have no influence.
    const changed = grids.map((grid) => grid.map((token, place) => (keep[place] ? token : 0)));
    expect(await generate({ seed: 4, initial: { grids: changed, keep } })).toEqual(fill);
  });

  test('with a strength keeps a part of the other tokens, and more of them the lower it is', async () => {
    const kept = async (strength: number) => {
      const initial = { grids, keep: new Uint8Array(16), strength };
      const tokens = await generate({ seed: 4, passes: 10, initial });
      return tokens.flat().filter((token, i) => token === grids[Math.floor(i / 16)]![i % 16]).length;
    };
    const counts = [await kept(0.1), await kept(0.5), await kept(1)];
    // Of 48 tokens cos(0.9 · π/2) = 16 % and cos(0.5 · π/2) = 71 % are generated: 9 and 36, a few of which are the same by chance.
    expect(counts[0]).toBeGreaterThanOrEqual(39);
    expect(counts[1]).toBeGreaterThanOrEqual(12);
    expect(counts[1]).toBeLessThan(24);
    expect(counts[2]).toBeLessThan(counts[1]!);
  });

  test('counts the passes that a strength leaves', async () => {
    const totals: number[] = [];
    const onProgress = ({ total }: DecodeProgress) => totals.push(total);
    await decoder.generate(text, { passes: 4, onProgress, initial: { grids, keep, strength: 0.5 } });
    expect(totals).toEqual([2, 2]);
  });

  test('with all tokens kept gives them back', async () => {
    expect(await generate({ initial: { grids, keep: new Uint8Array(16).fill(1) } })).toEqual(lists(grids));
  });

  test('is refused with a strength out of its range', async () => {
    await expect(decoder.generate(text, { initial: { grids, keep, strength: 0 } })).rejects.toThrow(
      'initial.strength must be a number above 0 and of at most 1, not 0.',
    );
  });
});

test('wrong encodings and options are refused with their names', async () => {
  await expect(decoder.generate(randomText(1, 1, { width: 16 }))).rejects.toThrow('text.width must be 12');
  await expect(decoder.generate(text, { guidanceScale: 2 })).rejects.toThrow('unconditional must be the encoding');
  await expect(decoder.generate(text, { passes: 0 })).rejects.toThrow('passes must be a whole number from 1 to 1024');
  await expect(decoder.generate(text, { choiceTemperature: -1 })).rejects.toThrow('choiceTemperature must be');
  await expect(decoder.prepare(0)).rejects.toThrow('images must be a whole number of at least 1, not 0.');
});

test('a configuration is refused with the name of its field, and relative positions are', () => {
  expect(checkMaskedDecoderConfig({ ...tiny })).toEqual(tiny);
  expect(() => checkMaskedDecoderConfig({ ...tiny, layers: 0 }, 'config.json')).toThrow('config.json: layers must be');
  expect(() => checkMaskedDecoderConfig({ ...tiny, relativePositions: true })).toThrow(
    'relativePositions must be left out or false in a masked decoder, not true.',
  );
});

test('one graph generates, with all parameters of the decoder', () => {
  const graphs = decoderGraphs(tiny, { images: 2, guided: true, textLength: 5 });
  expect(graphs).toHaveLength(1);
  const names = [...parametersOf(Object.values(graphs[0]!.outputs)).keys()];
  expect(names.sort()).toEqual([...decoderParameters(tiny).keys()].sort());
  expect(names).toContain('lm_head.weight');
});

test('tokens are masked for training at random places of a name, at least one of them', () => {
  const grid = Int32Array.from({ length: 16 }, (_, i) => i);
  const counts = Array.from({ length: 200 }, (_, seed) => {
    const masked = maskTokens(grid, 24, 'mask', seed);
    for (const [place, token] of masked.entries()) if (token !== 24) expect(token).toBe(place);
    return masked.filter((token) => token === 24).length;
  });
  expect(Math.min(...counts)).toBeGreaterThanOrEqual(1);
  expect(Math.max(...counts)).toBe(16);
  expect(maskTokens(grid, 24, 'mask', 3)).toEqual(maskTokens(grid, 24, 'mask', 3));
  expect(grid[5]).toBe(5);
});

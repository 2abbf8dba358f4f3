import { mkdirSync, renameSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as g from '@dalle-mini/graph';
import { type CompiledModelCache, OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { float32 } from '@dalle-mini/testing/values';
import { beforeEach, describe, expect, test } from 'vitest';
import { compute, emptyCache, keptIn, matrixOf, products, temporary, width } from './compiled.js';

let cache: CompiledModelCache;
beforeEach(() => {
  cache = emptyCache();
});
const kept = () => keptIn(cache);

describe('a cache of compiled models', () => {
  test('returns the compiled model to a later runtime', async () => {
    expect(await compute(cache, 1)).toBe(32);
    const [ofOne] = kept();
    expect(await compute(cache, 2)).toBe(64);
    const ofTwo = kept().find((name) => name !== ofOne)!;
    expect(kept()).toHaveLength(2);
    // After swapping the two entries, each runtime finds the other's model.
    const place = (name: string) => join(cache.folder, name);
    renameSync(place(ofOne!), place('moved'));
    renameSync(place(ofTwo), place(ofOne!));
    renameSync(place('moved'), place(ofTwo));
    expect(await compute(cache, 1)).toBe(64);
    expect(await compute(cache, 2)).toBe(32);
  });

  test('compiles again for another graph, and for a changed file', async () => {
    await compute(cache, 1);
    expect(await compute(cache, 1, 2)).toBe(32 ** 2);
    expect(kept()).toHaveLength(2);
    const later = new Date(Date.now() + 5000);
    utimesSync(join(temporary, '1.bin'), later, later);
    await compute(cache, 1);
    expect(kept().length).toBeGreaterThan(2);
  });

  test.each(['model.onnx', 'weights.bin'])('compiles again if %s is damaged', async (file) => {
    await compute(cache, 1);
    const [name] = kept();
    const path = join(cache.folder, name!, file);
    const { size } = statSync(path);
    truncateSync(path, 10);
    expect(await compute(cache, 1)).toBe(32);
    expect(statSync(path).size).toBe(size);
  });

  test('is not used if its folder cannot be written', async () => {
    const taken = join(temporary, 'taken');
    writeFileSync(taken, '');
    expect(await compute({ folder: join(taken, 'compiled'), maxBytes: 1e6 }, 1)).toBe(32);
  });

  test('deletes the least recently used models, and the leftovers of a killed process', async () => {
    await compute(cache, 1);
    const [first] = kept();
    const { size } = statSync(join(cache.folder, first!, 'weights.bin'));
    const long = new Date(Date.now() - 2 * 3600e3);
    for (const [name, time] of [
      ['old.tmp', long],
      ['new.tmp', new Date()],
    ] as const) {
      mkdirSync(join(cache.folder, name));
      writeFileSync(join(cache.folder, name, 'weights.bin'), 'part');
      utimesSync(join(cache.folder, name, 'weights.bin'), time, time);
    }
    // A folder that another thread has just created.
    mkdirSync(join(cache.folder, 'begun.tmp'));
    await compute(cache, 2);
    expect(kept()).toHaveLength(4);
    // The first model is used again, so it stays when there is no room for three.
    await compute(cache, 1);
    await compute({ ...cache, maxBytes: 2.9 * size }, 3);
    expect(kept()).toContain(first);
    expect(kept()).toContain('new.tmp');
    expect(kept()).toContain('begun.tmp');
    expect(kept()).toHaveLength(4);
  });

  test('does not contain models that run once', async () => {
    const runtime = new OnnxRuntime({ threads: 1, cache });
    const executable = await runtime.compile(products(2), { parameters: matrixOf(1), runsOnce: true });
    const { y } = await executable.run({ x: float32([1, width], new Array(width).fill(1)) });
    expect(y!.data[0]).toBe(width ** 2);
    await runtime.dispose();
    expect(() => kept()).toThrow('ENOENT');
  });

  test('does not contain models with parameters in memory', async () => {
    const runtime = new OnnxRuntime({ threads: 1, cache });
    const matrix = float32([width, width], new Array(width ** 2).fill(1));
    await runtime.compile(products(1), { parameters: new Map([['matrix', matrix]]) });
    await runtime.dispose();
    expect(() => kept()).toThrow('ENOENT');
  });
});

test('a graph of any depth can be compiled', async () => {
  const runtime = new OnnxRuntime({ threads: 1 });
  const x = g.input('x', [1]);
  const deep = (x: g.Tensor) => Array.from({ length: 3000 }).reduce<g.Tensor>((y) => g.sin(y), x);
  const { carried } = g.loop(1, [deep(x)], (_, [state]) => ({ carried: [deep(state!)] }));
  const executable = await runtime.compile({ inputs: { x }, outputs: { y: carried[0]! } });
  const { y } = await executable.run({ x: float32([1], [1]) });
  const expected = Array.from({ length: 6000 }).reduce<number>((y) => Math.fround(Math.sin(y)), 1);
  expect(y!.data[0]).toBeCloseTo(expected, 4);
  await runtime.dispose();
});

import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as g from '@dalle-mini/graph';
import { type CompiledModelCache, OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { float32 } from './values.js';

const temporary = mkdtempSync(join(tmpdir(), 'graph-compiled-'));
afterAll(() => rmSync(temporary, { recursive: true }));

const width = 32;

/** A loop of products with a matrix, which ONNX Runtime packs. */
function products(steps: number): g.Graph {
  const x = g.input('x', [1, width]);
  const matrix = new g.ParameterScope().parameter('matrix', [width, width], { kind: 'zeros', scale: 0 });
  const { carried } = g.loop(steps, [x], (_, [state]) => ({ carried: [g.matmul(state!, matrix)] }));
  return { inputs: { x }, outputs: { y: carried[0]! } };
}

/** The matrix in a file, all of one value. */
function matrixOf(value: number): ReadonlyMap<string, g.StoredParameter> {
  const file = `${value}.bin`;
  const path = join(temporary, file);
  if (!existsSync(path)) writeFileSync(path, new Float32Array(width * width).fill(value));
  const data = { folder: temporary, file, offset: 0 };
  return new Map([['matrix', { dtype: 'float32', shape: [width, width], data }]]);
}

let cache: CompiledModelCache;
beforeEach(() => {
  cache = { folder: join(mkdtempSync(join(temporary, 'cache-')), 'compiled'), maxBytes: 1e6 };
});
const kept = () => readdirSync(cache.folder).sort();

/** One of the elements, which are all alike, computed by a runtime of its own. */
async function compute(value: number, steps = 1, options = cache, Runtime = OnnxRuntime): Promise<number> {
  const runtime = new Runtime({ threads: 1, cache: options });
  try {
    const executable = await runtime.compile(products(steps), { parameters: matrixOf(value) });
    const { y } = await executable.run({ x: float32([1, width], new Array(width).fill(1)) });
    return y!.data[0]!;
  } finally {
    await runtime.dispose();
  }
}

describe('a cache of compiled models', () => {
  test('gives a later runtime what was compiled', async () => {
    expect(await compute(1)).toBe(32);
    const [ofOne] = kept();
    expect(await compute(2)).toBe(64);
    const ofTwo = kept().find((name) => name !== ofOne)!;
    expect(kept()).toHaveLength(2);
    // Exchanged, the one is found in the other's place.
    const place = (name: string) => join(cache.folder, name);
    renameSync(place(ofOne!), place('moved'));
    renameSync(place(ofTwo), place(ofOne!));
    renameSync(place('moved'), place(ofTwo));
    expect(await compute(1)).toBe(64);
    expect(await compute(2)).toBe(32);
  });

  test('compiles again for another graph, and for a file that changed', async () => {
    await compute(1);
    expect(await compute(1, 2)).toBe(32 ** 2);
    expect(kept()).toHaveLength(2);
    const later = new Date(Date.now() + 5000);
    utimesSync(join(temporary, '1.bin'), later, later);
    await compute(1);
    expect(kept().length).toBeGreaterThan(2);
  });

  test.each(['model.onnx', 'weights.bin'])('compiles again where %s is damaged', async (file) => {
    await compute(1);
    const [name] = kept();
    const path = join(cache.folder, name!, file);
    const { size } = statSync(path);
    truncateSync(path, 10);
    expect(await compute(1)).toBe(32);
    expect(statSync(path).size).toBe(size);
  });

  test('does without where nothing can be written', async () => {
    const taken = join(temporary, 'taken');
    writeFileSync(taken, '');
    expect(await compute(1, 1, { folder: join(taken, 'compiled'), maxBytes: 1e6 })).toBe(32);
  });

  test('deletes what was used least recently, and what a killed process left', async () => {
    await compute(1);
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
    // What another thread has just begun to write.
    mkdirSync(join(cache.folder, 'begun.tmp'));
    await compute(2);
    expect(kept()).toHaveLength(4);
    // The first is used again, and stays when there is no room for three.
    await compute(1);
    await compute(3, 1, { ...cache, maxBytes: 2.9 * size });
    expect(kept()).toContain(first);
    expect(kept()).toContain('new.tmp');
    expect(kept()).toContain('begun.tmp');
    expect(kept()).toHaveLength(4);
  });

  test('compiles again where the code that emits models changed, and in another release', async () => {
    await compute(1);
    const package_ = mkdtempSync(join(temporary, 'package-'));
    cpSync(fileURLToPath(new URL('../dist', import.meta.url)), join(package_, 'dist'), { recursive: true });
    symlinkSync(
      fileURLToPath(new URL('../../../node_modules', import.meta.url)),
      join(package_, 'node_modules'),
      'junction',
    );
    const description = join(package_, 'package.json');
    cpSync(fileURLToPath(new URL('../package.json', import.meta.url)), description);
    const { OnnxRuntime: Copy } = (await import(
      pathToFileURL(join(package_, 'dist/runtimes/onnxruntime.js')).href
    )) as typeof import('@dalle-mini/graph/onnxruntime');
    expect(await compute(1, 1, cache, Copy as typeof OnnxRuntime)).toBe(32);
    expect(kept()).toHaveLength(1);
    // The one file that has the operators' names in ONNX.
    const emitting = readdirSync(join(package_, 'dist'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.js'))
      .map((name) => join(package_, 'dist', name))
      .filter((path) => readFileSync(path, 'utf8').includes('LayerNormalization'));
    expect(emitting).toHaveLength(1);
    appendFileSync(emitting[0]!, '// Another version.');
    expect(await compute(1, 1, cache, Copy as typeof OnnxRuntime)).toBe(32);
    expect(kept()).toHaveLength(2);
    writeFileSync(description, readFileSync(description, 'utf8').replace(/"version": "[^"]*"/, '"version": "999.0.0"'));
    expect(await compute(1, 1, cache, Copy as typeof OnnxRuntime)).toBe(32);
    expect(kept()).toHaveLength(3);
  });

  test('has nothing of parameters in memory', async () => {
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

import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as g from '@dalle-mini/graph';
import { type CompiledModelCache, OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import type { StoredParameter } from '@dalle-mini/graph/stored';
import { float32 } from '@dalle-mini/testing/values';
import { afterAll } from 'vitest';

export const temporary = mkdtempSync(join(tmpdir(), 'graph-compiled-'));
afterAll(() => rmSync(temporary, { recursive: true }));

export const emptyCache = (): CompiledModelCache => ({
  folder: join(mkdtempSync(join(temporary, 'cache-')), 'compiled'),
  maxBytes: 1e6,
});

/** Returns the names of the models in a cache. */
export const keptIn = (cache: CompiledModelCache) => readdirSync(cache.folder).sort();

export const width = 32;

/** A loop of matrix products. ONNX Runtime prepacks the matrix. */
export function products(steps: number): g.Graph {
  const x = g.input('x', [1, width]);
  const matrix = new g.ParameterScope().parameter('matrix', [width, width], { kind: 'zeros', scale: 0 });
  const { carried } = g.loop(steps, [x], (_, [state]) => ({ carried: [g.matmul(state!, matrix)] }));
  return { inputs: { x }, outputs: { y: carried[0]! } };
}

/** Writes the matrix, with all elements equal, to a file. */
export function matrixOf(value: number): ReadonlyMap<string, StoredParameter> {
  const file = `${value}.bin`;
  const path = join(temporary, file);
  if (!existsSync(path)) writeFileSync(path, new Float32Array(width * width).fill(value));
  const data = { folder: temporary, file, offset: 0 };
  return new Map([['matrix', { dtype: 'float32', shape: [width, width], data }]]);
}

/** Computes one of the elements, which are all equal, with a new runtime. */
export async function compute(
  cache: CompiledModelCache,
  value: number,
  steps = 1,
  Runtime = OnnxRuntime,
): Promise<number> {
  const runtime = new Runtime({ threads: 1, cache });
  try {
    const executable = await runtime.compile(products(steps), { parameters: matrixOf(value) });
    const { y } = await executable.run({ x: float32([1, width], new Array(width).fill(1)) });
    return y!.data[0]!;
  } finally {
    await runtime.dispose();
  }
}

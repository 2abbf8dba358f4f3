import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as g from '@dalle-mini/graph';
import * as initializers from '@dalle-mini/graph/initializers';
import { readParameter, writeOnnx } from '@dalle-mini/graph/node';
import { emitOnnx } from '@dalle-mini/graph/onnx';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import type { StoredParameter } from '@dalle-mini/graph/stored';
import * as stored from '@dalle-mini/graph/stored';
import { loadTfjs, TfjsRuntime } from '@dalle-mini/graph/tfjs';
import { Values } from '@dalle-mini/testing/values';
import { afterAll, describe, expect, test } from 'vitest';
import { readModel } from './onnx-model.js';

const onnx = new OnnxRuntime({ threads: 1 });
const runtimes = [onnx, new TfjsRuntime(await loadTfjs())];
const folder = mkdtempSync(join(tmpdir(), 'parameter-files-'));
afterAll(async () => {
  await Promise.all(runtimes.map((runtime) => runtime.dispose()));
  rmSync(folder, { recursive: true });
});

/** Writes arrays to a file, after a header, and returns the place of each. */
function write(file: string, ...arrays: readonly ArrayBufferView[]): stored.FileRegion[] {
  const chunks = [new TextEncoder().encode('head')];
  const regions = arrays.map(({ buffer, byteOffset, byteLength }) => {
    const offset = chunks.reduce((sum, { length }) => sum + length, 0);
    chunks.push(new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength));
    return { folder, file, offset };
  });
  writeFileSync(join(folder, file), Buffer.concat(chunks));
  return regions;
}

/** Returns the values of a parameter in a graph on a runtime. */
async function valuesWith(runtime: g.Runtime, value: StoredParameter): Promise<g.TensorData['data']> {
  const scope = new g.ParameterScope();
  const graph = { inputs: {}, outputs: { y: scope.parameter('x', value.shape, initializers.zeros) } };
  const executable = await runtime.compile(graph, { parameters: new Map([['x', value]]) });
  return (await executable.run({})).y!.data;
}

/** Returns the values on each runtime, and as `readParameter` reads them. */
async function valuesOf(value: StoredParameter): Promise<g.TensorData['data'][]> {
  const computed = runtimes.map((runtime) => valuesWith(runtime, value));
  return Promise.all([...computed, readParameter(value).then(({ data }) => data)]);
}

describe('parameters in a file', () => {
  test('in 32 bits are the same as in memory', async () => {
    const value = new Values(1).floats([3, 5]);
    const [region] = write('float32.bin', value.data);
    for (const data of await valuesOf({ dtype: 'float32', shape: [3, 5], data: region! }))
      expect(data).toEqual(value.data);
  });

  test('in 16 bits are the same values in float32, for every float16 number', async () => {
    const halves = Uint16Array.from({ length: 65536 }, (_, bits) => bits);
    // IEEE 754-2019, section 3.4.
    const expected = Float32Array.from(halves, (bits) => {
      const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, (bits & 1023) / 1024];
      if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
      return exponent === 0 ? sign * fraction * 2 ** -14 : sign * (1 + fraction) * 2 ** (exponent - 15);
    });
    const [region] = write('float16.bin', halves);
    const value = { kind: 'fp16', dtype: 'float32', shape: [256, 256], halves: region! } as const;
    for (const data of await valuesOf(value)) expect(data).toEqual(expected);
  });

  test('in 16 bits are initializers to the passes, which choose the same kernels', async () => {
    const image = new Values(2).floats([1, 128, 32, 32]);
    const x = g.input('x', image.shape);
    const shape = [128, 128, 3, 3];
    const weight = new g.ParameterScope().parameter('weight', shape, initializers.zeros);
    const graph: g.Graph = { inputs: { x }, outputs: { y: g.conv2d(x, weight, { padding: 1 }) } };
    // Powers of two from 2⁻⁷ to 1, which are exact in float16.
    const exponents = Uint16Array.from({ length: g.sizeOf(shape) }, (_, i) => ((i * 7919) >> 3) & 7);
    const [region] = write(
      'kernel.bin',
      exponents.map((exponent) => (exponent + 8) << 10),
    );
    const inMemory = { dtype: 'float32', shape, data: Float32Array.from(exponents, (exponent) => 2 ** (exponent - 7)) };
    const inFile = { kind: 'fp16', dtype: 'float32', shape, halves: region! };
    const [expected, actual] = await Promise.all(
      [inMemory, inFile].map(async (value) => {
        const parameters = new Map([['weight', value as StoredParameter]]);
        const executable = await onnx.compile(graph, { parameters });
        const { nodes } = readModel(emitOnnx(graph, { kind: 'initializers', values: parameters }));
        return { result: await executable.run({ x: image }), types: nodes.map(({ type }) => type) };
      }),
    );
    expect(actual!.result).toEqual(expected!.result);
    expect(actual!.types).toEqual(['Cast', ...expected!.types]);
    expect(actual!.types.filter((type) => type === 'Conv')).toHaveLength(7);
  });

  test.each([8, 4] as const)('in blocks of %i bits are dequantized', async (bits) => {
    const { data, shape } = new Values(3).floats([3, 40]);
    const matrix = stored.quantizeBlocks(data as Float32Array, shape, { bits });
    const [blocks, scales] = write(`${bits} bits.bin`, matrix.blocks, matrix.scales);
    const expected = stored.decodeParameter(matrix);
    for (const value of [matrix, { ...matrix, blocks: blocks!, scales: scales! }])
      expect((await readParameter(value)).data).toEqual(expected);
  });

  test('by columns are dequantized', async () => {
    const { data, shape } = new Values(3).floats([3, 40]);
    const matrix = stored.quantizeColumns(data as Float32Array, shape);
    const [columns, scales] = write('columns.bin', matrix.columns, matrix.scales);
    const expected = stored.decodeParameter(matrix);
    for (const value of [matrix, { ...matrix, columns: columns!, scales: scales! }])
      expect((await readParameter(value)).data).toEqual(expected);
  });

  /** Writes rows of 8 bits to a file, and returns the parameter and its dequantized values. */
  function rowsOf(shape: g.Shape, outliers: readonly (readonly [position: number, value: number])[] = []) {
    const random = new Values(4);
    const rows = Int8Array.from(random.integers(shape, -127, 128).data);
    const scales = Float32Array.from(random.floats([shape[0]!], 0.001, 0.1).data, (scale) => scale / 3);
    const width = rows.length / shape[0]!;
    const expected = Float32Array.from(rows, (stored, i) => stored * scales[Math.floor(i / width)]!);
    for (const [position, value] of outliers) expected[position] = value;
    const [values, positions] = [outliers.map(([, value]) => value), outliers.map(([position]) => position)];
    const file = `${shape.join('×')}, ${positions.join()}.bin`;
    const arrays = [rows, scales, Float32Array.from(values), Int32Array.from(positions)];
    const [first, second, third, fourth] = write(file, ...arrays) as [
      stored.FileRegion,
      stored.FileRegion,
      stored.FileRegion,
      stored.FileRegion,
    ];
    const value: StoredParameter = {
      kind: 'rows',
      dtype: 'float32',
      shape,
      rows: first,
      scale: second,
      outlierCount: outliers.length,
      ...(outliers.length > 0 ? { outliers: third, outlierPositions: fourth } : {}),
    };
    return { value, expected };
  }

  test.each<[string, g.Shape, (readonly [number, number])[]]>([
    ['a matrix', [5, 7], []],
    [
      'a matrix with outliers at its ends',
      [5, 7],
      [
        [0, 3.5],
        [6, -1e-3],
        [7, 1 / 3],
        [34, 40],
      ],
    ],
    ['a kernel with an outlier', [4, 3, 2, 2], [[17, -9]]],
    ['a vector', [3], []],
  ])('in rows of 8 bits equal stored times scale bit for bit, except the outliers: %s', async (_, shape, outliers) => {
    const { value, expected } = rowsOf(shape, outliers);
    for (const data of await valuesOf(value)) expect(data).toEqual(expected);
  });

  test.each([-1, 35])('in rows of 8 bits are refused with an outlier at position %i of 35', async (position) => {
    const { value } = rowsOf([5, 7], [[position, 1]]);
    for (const runtime of runtimes) await expect(valuesWith(runtime, value)).rejects.toThrow(/indice|outlier/);
    await expect(readParameter(value)).rejects.toThrow(`An outlier must be at a position below 35, not ${position}.`);
  });

  test('in rows of 8 bits are found by a model that writeOnnx wrote next to them', async () => {
    const { value, expected } = rowsOf([3, 4], [[5, 2]]);
    const scope = new g.ParameterScope();
    const graph = { inputs: {}, outputs: { y: scope.parameter('x', value.shape, initializers.zeros) } };
    const path = join(folder, 'model.onnx');
    await writeOnnx(path, graph, new Map([['x', value]]));
    const executable = await onnx.open(path, graph, { parameters: new Map([['x', value]]) });
    expect((await executable.run({})).y!.data).toEqual(expected);
  });

  test('are refused if the file is too short', async () => {
    const [region] = write('short.bin', new Float32Array(3));
    const value = { dtype: 'float32', shape: [4], data: region! } as const;
    await expect(readParameter(value)).rejects.toThrow(`${join(folder, 'short.bin')} must have at least 20 bytes`);
  });
});

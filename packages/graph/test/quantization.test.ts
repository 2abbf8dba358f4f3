import * as g from '@dalle-mini/graph';
import * as initializers from '@dalle-mini/graph/initializers';
import { initializeParameters } from '@dalle-mini/graph/initializers';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import type { StoredParameter } from '@dalle-mini/graph/stored';
import * as stored from '@dalle-mini/graph/stored';
import { Values } from '@dalle-mini/testing/values';
import { afterAll, describe, expect, test } from 'vitest';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const matrix = (rows: number, columns: number, seed = 1) => new Values(seed).floats([rows, columns]);

describe('quantizeBlocks', () => {
  test.each([
    [8, 32, [3, 64]],
    [8, 32, [5, 50]],
    [4, 32, [3, 64]],
    [4, 16, [7, 33]],
  ] as const)('of %i bits in blocks of %i has an error of at most half a scale, for [%i]', (bits, blockSize, shape) => {
    const { data } = matrix(shape[0], shape[1]);
    const quantized = stored.quantizeBlocks(data as Float32Array, shape, { bits, blockSize });
    const values = stored.decodeParameter(quantized);
    const perRow = Math.ceil(shape[1] / blockSize);
    expect(quantized.blocks).toHaveLength((shape[0] * perRow * blockSize * bits) / 8);
    for (const [i, value] of data.entries()) {
      const scale = quantized.scales[Math.floor(i / shape[1]) * perRow + Math.floor((i % shape[1]) / blockSize)]!;
      const isOppositeEnd = Math.round(value / scale) === 2 ** (bits - 1);
      // The last bit of the division, besides.
      expect(Math.abs(value - values[i]!)).toBeLessThanOrEqual(
        Math.abs(scale) * (isOppositeEnd ? 1 : 0.5) * (1 + 1e-5),
      );
    }
  });

  test('keeps the largest magnitude of a block, and zeros', () => {
    const data = new Float32Array(64);
    data[5] = -3;
    data[40] = 7;
    for (const bits of [4, 8] as const) {
      const values = stored.decodeParameter(stored.quantizeBlocks(data, [2, 32], { bits }));
      // Zeros may be negative zeros.
      expect(values.every((value, i) => value === data[i])).toBe(true);
    }
  });

  test('refuses what it cannot round', () => {
    expect(() => stored.quantizeBlocks(new Float32Array(6), [6])).toThrow(
      'the data must be a matrix, not 6 elements of shape [6].',
    );
    expect(() => stored.quantizeBlocks(new Float32Array(6), [2, 4])).toThrow('the data must be a matrix');
    expect(() => stored.quantizeBlocks(Float32Array.of(1, Number.NaN), [1, 2])).toThrow(
      'element 1 must be finite, not NaN.',
    );
    expect(() => stored.quantizeBlocks(new Float32Array(2), [1, 2], { blockSize: 24 })).toThrow(
      'blockSize must be a power of two of at least 16, not 24.',
    );
    expect(() => stored.quantizeBlocks(new Float32Array(2), [1, 2], { bits: 3 as 4 })).toThrow(
      'bits must be 4 or 8, not 3.',
    );
  });
});

describe('quantizeColumns', () => {
  test.each([
    [3, 64],
    [5, 50],
    [7, 9],
  ])('has an error of at most half the scale of a row, for [%i, %i]', (rows, columns) => {
    const { data } = matrix(rows, columns);
    const quantized = stored.quantizeColumns(data as Float32Array, [rows, columns]);
    const values = stored.decodeParameter(quantized);
    expect(quantized.columns).toHaveLength(rows * columns);
    for (const [i, value] of data.entries()) {
      const scale = quantized.scales[Math.floor(i / columns)]!;
      const isOppositeEnd = Math.round(value / scale) === 128;
      expect(Math.abs(value - values[i]!)).toBeLessThanOrEqual(
        Math.abs(scale) * (isOppositeEnd ? 1 : 0.5) * (1 + 1e-5),
      );
    }
  });

  test('refuses what it cannot round', () => {
    expect(() => stored.quantizeColumns(new Float32Array(6), [6])).toThrow(
      'the data must be a matrix, not 6 elements of shape [6].',
    );
    expect(() => stored.quantizeColumns(Float32Array.of(1, Number.NaN), [1, 2])).toThrow(
      'element 1 must be finite, not NaN.',
    );
  });
});

describe('a graph', () => {
  const x = g.input('x', [2, 40]);
  const scope = new g.ParameterScope();
  const weight = scope.parameter('weight', [24, 40], initializers.normal(1));
  const inLoop = scope.parameter('inLoop', [24, 24], initializers.normal(1));
  const tied = scope.parameter('tied', [24, 24], initializers.normal(1));
  const h = g.matmul(x, weight, { transposeB: true });
  const { carried } = g.loop(3, [h], (_, [state]) => {
    const next = g.tanh(g.matmul(state!, inLoop, { transposeB: true }));
    return { carried: [next], stacked: [] };
  });
  const y = g.add(g.matmul(carried[0]!, tied, { transposeB: true }), g.sum(tied, { axes: [0, 1] }));
  const graph: g.Graph = { inputs: { x }, outputs: { y } };
  const feeds = { x: matrix(2, 40, 2) };
  const exact = initializeParameters(scope.parameters, 1);

  test('lists its quantizable parameters, also those in loops', () => {
    expect([...stored.quantizableParameters(graph)]).toEqual(['weight', 'inLoop']);
    expect(stored.quantizableParameters({ inputs: { x }, outputs: { h, weight } })).toEqual(new Set());
  });

  test.each(['8 bits', '4 bits', '8 bits by columns'] as const)(
    'computes with matrices of %s as with their dequantized values',
    async (kind) => {
      const quantized = new Map<string, StoredParameter>(exact);
      const rounded = new Map(exact);
      for (const name of stored.quantizableParameters(graph)) {
        const { shape, data } = exact.get(name)!;
        const values = data as Float32Array;
        const matrix =
          kind === '8 bits by columns'
            ? stored.quantizeColumns(values, shape)
            : stored.quantizeBlocks(values, shape, { bits: kind === '8 bits' ? 8 : 4 });
        quantized.set(name, matrix);
        const dequantized = stored.decodeParameter(matrix);
        rounded.set(name, { dtype: 'float32', shape, data: dequantized });
      }
      const run = async (parameters: ReadonlyMap<string, StoredParameter>) =>
        (await (await runtime.compile(graph, { parameters })).run(feeds)).y!.data;
      const [few, expected] = [await run(quantized), await run(rounded)];
      // The other operand is rounded to 8 bits for each of five products, one after the other.
      const largest = Math.max(...expected.map(Math.abs));
      for (const [i, value] of few.entries()) expect(Math.abs(value - expected[i]!)).toBeLessThan(0.04 * largest);
    },
  );

  test('multiplies columns with zeros and with both ends of the 8-bit range', async () => {
    const one = new g.ParameterScope();
    const w = one.parameter('w', [2, 4], initializers.zeros);
    const z = g.input('z', [2, 4]);
    const product: g.Graph = { inputs: { z }, outputs: { y: g.matmul(z, w, { transposeB: true }) } };
    const parameters = new Map([['w', stored.quantizeColumns(Float32Array.of(1, 1, 1, 1, -1, -1, -1, -1), [2, 4])]]);
    const executable = await runtime.compile(product, { parameters });
    const run = async (data: number[]) =>
      (await executable.run({ z: { dtype: 'float32', shape: [2, 4], data: Float32Array.from(data) } })).y!.data;
    expect((await run(Array(8).fill(0))).every((value) => value === 0)).toBe(true);
    // Sums of pairs of such products overflow 16 bits, in which processors without VNNI sum signed bytes.
    const sums = await run([1, 1, 1, 1, 1, 1, 1, 1]);
    for (const [i, sum] of [4, -4, 4, -4].entries()) expect(Math.abs(sums[i]! - sum)).toBeLessThan(0.02);
  });

  test('refuses a quantized parameter that it uses in other operators than products', async () => {
    const { shape, data } = exact.get('tied')!;
    for (const matrix of [
      stored.quantizeBlocks(data as Float32Array, shape),
      stored.quantizeColumns(data as Float32Array, shape),
    ]) {
      const parameters = new Map<string, StoredParameter>(exact).set('tied', matrix);
      await expect(runtime.compile(graph, { parameters })).rejects.toThrow(
        `tied is stored as ${matrix.kind}, so it must be used only as the [out, in] operand of matmul`,
      );
    }
  });
});

import * as g from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { afterAll, describe, expect, test } from 'vitest';
import { Values } from './values.js';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const matrix = (rows: number, columns: number, seed = 1) => new Values(seed).floats([rows, columns]);

describe('quantizeMatrix', () => {
  test.each([
    [8, 32, [3, 64]],
    [8, 32, [5, 50]],
    [4, 32, [3, 64]],
    [4, 16, [7, 33]],
  ] as const)('of %i bits in blocks of %i is off by half a scale at most, for [%i]', (bits, blockSize, shape) => {
    const { data } = matrix(shape[0], shape[1]);
    const quantized = g.quantizeMatrix(data as Float32Array, shape, { bits, blockSize });
    const values = g.dequantizeMatrix(quantized);
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
      const values = g.dequantizeMatrix(g.quantizeMatrix(data, [2, 32], { bits }));
      // Zeros may be negative ones.
      expect(values.every((value, i) => value === data[i])).toBe(true);
    }
  });

  test('refuses what it cannot round', () => {
    expect(() => g.quantizeMatrix(new Float32Array(6), [6])).toThrow('6 elements of shape [6] are no matrix');
    expect(() => g.quantizeMatrix(new Float32Array(6), [2, 4])).toThrow('are no matrix');
    expect(() => g.quantizeMatrix(Float32Array.of(1, Number.NaN), [1, 2])).toThrow('element 1 is NaN');
    expect(() => g.quantizeMatrix(new Float32Array(2), [1, 2], { blockSize: 24 })).toThrow('blockSize is 24');
    expect(() => g.quantizeMatrix(new Float32Array(2), [1, 2], { bits: 3 as 4 })).toThrow(
      'bits is 3, and must be 4 or 8',
    );
  });
});

describe('a graph', () => {
  const x = g.input('x', [2, 40]);
  const scope = new g.ParameterScope();
  const weight = scope.parameter('weight', [24, 40], g.normal(1));
  const inLoop = scope.parameter('inLoop', [24, 24], g.normal(1));
  const tied = scope.parameter('tied', [24, 24], g.normal(1));
  const h = g.matmul(x, weight, { transposeB: true });
  const { carried } = g.loop(3, [h], (_, [state]) => {
    const next = g.tanh(g.matmul(state!, inLoop, { transposeB: true }));
    return { carried: [next], stacked: [] };
  });
  const y = g.add(g.matmul(carried[0]!, tied, { transposeB: true }), g.sum(tied, { axes: [0, 1] }));
  const graph: g.Graph = { inputs: { x }, outputs: { y } };
  const feeds = { x: matrix(2, 40, 2) };
  const exact = g.initializeParameters(scope.parameters, g.createRandom(1));

  test('says which of its parameters may be given in few bits, in loops too', () => {
    expect([...g.quantizableParameters(graph)]).toEqual(['weight', 'inLoop']);
    expect(g.quantizableParameters({ inputs: { x }, outputs: { h, weight } })).toEqual(new Set());
  });

  test.each([8, 4] as const)(
    'computes with matrices of %i bits as with the values that they stand for',
    async (bits) => {
      const quantized = new Map<string, g.ParameterValue>(exact);
      const rounded = new Map(exact);
      for (const name of g.quantizableParameters(graph)) {
        const { shape, data } = exact.get(name)!;
        const matrix = g.quantizeMatrix(data as Float32Array, shape, { bits });
        quantized.set(name, matrix);
        rounded.set(name, { dtype: 'float32', shape, data: g.dequantizeMatrix(matrix) });
      }
      const run = async (parameters: ReadonlyMap<string, g.ParameterValue>) =>
        (await (await runtime.compile(graph, { parameters })).run(feeds)).y!.data;
      const [few, expected] = [await run(quantized), await run(rounded)];
      // The other operand is rounded to 8 bits for each of five products, one after the other.
      const largest = Math.max(...expected.map(Math.abs));
      for (const [i, value] of few.entries()) expect(Math.abs(value - expected[i]!)).toBeLessThan(0.04 * largest);
    },
  );

  test('refuses one that it does more with than multiply', async () => {
    const { shape, data } = exact.get('tied')!;
    const parameters = new Map<string, g.ParameterValue>(exact).set(
      'tied',
      g.quantizeMatrix(data as Float32Array, shape),
    );
    await expect(runtime.compile(graph, { parameters })).rejects.toThrow(
      'tied is given in 8 bits, and is not only multiplied with as [out, in]',
    );
  });
});

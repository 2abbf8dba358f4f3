import { createRandom } from '@dalle-mini/core';
import {
  add,
  input,
  mean,
  mul,
  ParameterScope,
  sizeOf,
  sum,
  type TensorData,
  topologicalOrder,
} from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { grad } from '@dalle-mini/graph/training';
import { attentiveVqgan as tiny } from '@dalle-mini/testing/tiny-vqgan';
import type { QuantizeOptions, VqganConfig } from '@dalle-mini/vqgan';
import { afterAll, describe, expect, test } from 'vitest';
import { nearestCode, pixelsToRows, quantize, rowsToPixels } from '../src/quantizer.js';

const runtime = new OnnxRuntime();
afterAll(() => runtime.dispose());

const float = (data: Iterable<number>, shape: readonly number[]): TensorData => ({
  dtype: 'float32',
  shape,
  data: Float32Array.from(data),
});

function normals(shape: readonly number[], seed: number): TensorData {
  const random = createRandom(seed);
  return float(
    Array.from({ length: sizeOf(shape) }, () => random.normal()),
    shape,
  );
}

async function nearest(vectors: TensorData, codes: TensorData): Promise<number[]> {
  const inputs = { vectors: input('vectors', vectors.shape), codes: input('codes', codes.shape) };
  const executable = await runtime.compile({ inputs, outputs: { tokens: nearestCode(inputs.vectors, inputs.codes) } });
  return [...(await executable.run({ vectors, codes })).tokens!.data];
}

/** |vector − code|² in float64. */
function squaredDistance(vectors: TensorData, i: number, codes: TensorData, j: number): number {
  const width = vectors.shape[1]!;
  let total = 0;
  for (let k = 0; k < width; k++) total += (vectors.data[i * width + k]! - codes.data[j * width + k]!) ** 2;
  return total;
}

describe('nearestCode', () => {
  test.each([
    { n: 200, nEmbed: 50, width: 3 },
    { n: 64, nEmbed: 1000, width: 32 },
    { n: 16, nEmbed: 16384, width: 256 },
  ])('finds what brute force finds for $n vectors among $nEmbed codes of $width', async ({ n, nEmbed, width }) => {
    const vectors = normals([n, width], 1);
    const codes = normals([nEmbed, width], 2);
    const tokens = await nearest(vectors, codes);
    for (const [i, token] of tokens.entries()) {
      const distances = Array.from({ length: nEmbed }, (_, j) => squaredDistance(vectors, i, codes, j));
      const least = Math.min(...distances);
      // If two codes are equally near within the float32 rounding of the products, either is correct.
      expect(distances[token]! - least).toBeLessThan(1e-5 * width);
    }
  });

  test('chooses the first of equally near codes', async () => {
    // Small whole numbers, of which float32 makes exact products: codes 1, 3 and 5 are alike, 0 and 4 are as far from 0.
    const codes = float([2, 0, 5, 5, 0, 9, 5, 5, 0, 2, 5, 5], [6, 2]);
    expect(await nearest(float([5, 5, 4, 6, 0, 0, 1, 1], [4, 2]), codes)).toEqual([1, 1, 0, 0]);
  });

  test('takes the length of the codes into account, not their direction alone', async () => {
    const codes = float([10, 0, 1, 1], [2, 2]);
    expect(await nearest(float([2, 0], [1, 2]), codes)).toEqual([1]);
  });

  test('builds no tensor larger than one number for each vector and code, nor do its gradients', () => {
    const [n, nEmbed, embedDim] = [1024, 16384, 256];
    const scope = new ParameterScope();
    const vectors = input('vectors', [4, embedDim, 16, 16]);
    const { quantized, tokens, codebookLoss, commitmentLoss } = quantize(scope, vectors, { ...tiny, nEmbed, embedDim });
    const loss = add(add(codebookLoss, commitmentLoss), mean(quantized));
    const gradients = grad(loss, [vectors, ...scope.parameters.values()]);
    // Differences of all pairs would be [1024, 16384, 256].
    const sizes = topologicalOrder([tokens, ...gradients]).flatMap((node) =>
      node.outputs.map(({ shape }) => sizeOf(shape)),
    );
    expect(Math.max(...sizes)).toBe(n * nEmbed);
  });
});

describe('quantize', () => {
  const config: VqganConfig = { ...tiny, nEmbed: 7, embedDim: 4 };
  const shape = [2, 4, 3, 3];
  const codes = normals([7, 4], 3);
  const vectors = normals(shape, 4);
  const weights = normals(shape, 5);

  async function run() {
    const scope = new ParameterScope();
    const inputs = { vectors: input('vectors', shape), weights: input('weights', shape) };
    const result = quantize(scope, inputs.vectors, config);
    const codebook = scope.parameters.get('embedding.weight')!;
    const [throughCodes, toCodebook] = grad(sum(mul(result.quantized, inputs.weights)), [inputs.vectors, codebook]);
    const [commitmentByVectors, commitmentByCodes] = grad(result.commitmentLoss, [inputs.vectors, codebook]);
    const [codebookByVectors, codebookByCodes] = grad(result.codebookLoss, [inputs.vectors, codebook]);
    const outputs = {
      ...result,
      throughCodes: throughCodes!,
      toCodebook: toCodebook!,
      commitmentByVectors: commitmentByVectors!,
      commitmentByCodes: commitmentByCodes!,
      codebookByVectors: codebookByVectors!,
      codebookByCodes: codebookByCodes!,
    };
    const executable = await runtime.compile(
      { inputs, outputs },
      { parameters: new Map([['embedding.weight', codes]]) },
    );
    return executable.run({ vectors, weights });
  }

  /** The vector of a pixel: channels are the second axis. */
  const pixel = (data: TensorData['data'], i: number) =>
    Array.from({ length: 4 }, (_, channel) => data[(Math.floor(i / 9) * 4 + channel) * 9 + (i % 9)]!);
  const code = (token: number) => [...codes.data.subarray(4 * token, 4 * token + 4)];

  test('replaces each pixel by its nearest code, in raster order', async () => {
    const { quantized, tokens } = await run();
    const rows = float(Array.from({ length: 18 }, (_, i) => pixel(vectors.data, i)).flat(), [18, 4]);
    expect([...tokens!.data]).toEqual(await nearest(rows, codes));
    expect(new Set(tokens!.data).size).toBeGreaterThan(3);
    for (const [i, token] of tokens!.data.entries()) {
      // vector + (code − vector) is the code, except for rounding.
      for (const [channel, value] of pixel(quantized!.data, i).entries())
        expect(value).toBeCloseTo(code(token)[channel]!, 6);
    }
  });

  test('passes gradients to the vectors as the identity does, and none to the codes', async () => {
    const { throughCodes, toCodebook } = await run();
    expect([...throughCodes!.data]).toEqual([...weights.data]);
    expect(toCodebook!.data.every((value) => value === 0)).toBe(true);
  });

  test('moves the vectors by the commitment loss, and the codes by the codebook loss, by the same distance', async () => {
    const results = await run();
    const { tokens, codebookLoss, commitmentLoss } = results;
    const differences = [...tokens!.data].map((token, i) => pixel(vectors.data, i).map((x, c) => x - code(token)[c]!));
    const count = differences.flat().length;
    const loss = differences.flat().reduce((total, x) => total + x * x, 0) / count;
    expect(codebookLoss!.data[0]).toBeCloseTo(loss, 5);
    expect(commitmentLoss!.data[0]).toBe(codebookLoss!.data[0]);
    for (const [i, difference] of differences.entries()) {
      for (const [channel, value] of pixel(results.commitmentByVectors!.data, i).entries())
        expect(value).toBeCloseTo((2 * difference[channel]!) / count, 6);
    }
    const byCodes = new Array<number>(28).fill(0);
    for (const [i, token] of [...tokens!.data].entries()) {
      for (let c = 0; c < 4; c++) byCodes[4 * token + c]! -= (2 * differences[i]![c]!) / count;
    }
    for (const [i, value] of results.codebookByCodes!.data.entries()) expect(value).toBeCloseTo(byCodes[i]!, 6);
    expect(results.codebookByVectors!.data.every((value) => value === 0)).toBe(true);
    expect(results.commitmentByCodes!.data.every((value) => value === 0)).toBe(true);
  });
});

describe('options of quantize', () => {
  const shape = [2, 4, 3, 3];
  const codes = normals([7, 4], 3);
  const vectors = normals(shape, 4);
  const rows = (data: TensorData['data']) =>
    Array.from({ length: 18 }, (_, i) =>
      Array.from({ length: 4 }, (_, channel) => data[(Math.floor(i / 9) * 4 + channel) * 9 + (i % 9)]!),
    );
  const codeRows = Array.from({ length: 7 }, (_, i) => [...codes.data.subarray(4 * i, 4 * i + 4)]);
  const dot = (a: readonly number[], b: readonly number[]) => a.reduce((total, x, i) => total + x * b[i]!, 0);
  const unit = (a: readonly number[]) => a.map((x) => x / Math.sqrt(dot(a, a)));
  const largest = (values: readonly number[]) => values.indexOf(Math.max(...values));

  /** Quantizes with options, and returns the outputs, the new values of parameters, and the gradient by the vectors. */
  async function run(
    config: Partial<VqganConfig>,
    options: QuantizeOptions,
    parameters: Readonly<Record<string, TensorData>> = {},
  ) {
    const scope = new ParameterScope();
    const inputs = { vectors: input('vectors', shape), weights: input('weights', shape) };
    const result = quantize(scope, inputs.vectors, { ...tiny, nEmbed: 7, embedDim: 4, ...config }, options);
    const [gradient] = grad(sum(mul(result.quantized, inputs.weights)), [inputs.vectors]);
    const outputs = { ...result, gradient: gradient!, ...Object.fromEntries(scope.assignments) };
    const values = new Map(Object.entries({ 'embedding.weight': codes, ...parameters }));
    const executable = await runtime.compile({ inputs, outputs }, { parameters: values });
    return executable.run({ vectors, weights: normals(shape, 5) });
  }

  test('normalizeCodes chooses the code of the smallest angle, and returns it with length 1', async () => {
    const { tokens, quantized } = await run({ normalizeCodes: true }, {});
    const expected = rows(vectors.data).map((row) => largest(codeRows.map((code) => dot(unit(code), unit(row)))));
    expect([...tokens!.data]).toEqual(expected);
    for (const [i, row] of rows(quantized!.data).entries())
      for (const [channel, value] of row.entries())
        expect(value).toBeCloseTo(unit(codeRows[expected[i]!]!)[channel]!, 5);
  });

  test('the rotation trick passes gradients through the rotation and scale from vector to code', async () => {
    const { tokens, quantized, gradient } = await run({}, { gradient: 'rotation' });
    const weights = rows(normals(shape, 5).data);
    const results = rows(quantized!.data);
    for (const [i, z] of rows(vectors.data).entries()) {
      const q = codeRows[tokens!.data[i]!]!;
      const [from, to] = [unit(z), unit(q)];
      const middle = unit(from.map((x, c) => x + to[c]!));
      const scale = Math.sqrt(dot(q, q) / dot(z, z));
      for (const [c, value] of q.entries()) expect(results[i]![c]).toBeCloseTo(value, 4);
      const w = weights[i]!;
      // The transposed matrix, λ (I − 2 r rᵀ + 2 ẑ q̂ᵀ), times the gradient of the result.
      const expected = w.map((x, c) => scale * (x - 2 * middle[c]! * dot(middle, w) + 2 * from[c]! * dot(to, w)));
      for (const [c, value] of expected.entries()) expect(rows(gradient!.data)[i]![c]).toBeCloseTo(value, 4);
    }
  });

  test('averageCodes moves codes to the moving averages of their vectors', async () => {
    const [decay, size, sums] = [0.9, normals([7], 8).data.map((x) => 1 + Math.abs(x)), normals([7, 4], 9)];
    const results = await run(
      {},
      { averageCodes: decay },
      {
        'embedding.cluster_size': float([...size], [7]),
        'embedding.embed_avg': sums,
      },
    );
    const tokens = [...results.tokens!.data];
    const newSize = [...size].map((x, code) => decay * x + (1 - decay) * tokens.filter((t) => t === code).length);
    const total = newSize.reduce((a, b) => a + b);
    for (let code = 0; code < 7; code++) {
      expect(results['embedding.cluster_size']!.data[code]).toBeCloseTo(newSize[code]!, 5);
      for (let c = 0; c < 4; c++) {
        const added = rows(vectors.data).reduce((a, row, i) => a + (tokens[i] === code ? row[c]! : 0), 0);
        const average = decay * sums.data[4 * code + c]! + (1 - decay) * added;
        expect(results['embedding.embed_avg']!.data[4 * code + c]).toBeCloseTo(average, 5);
        const smoothed = ((newSize[code]! + 1e-5) / (total + 7e-5)) * total;
        expect(results['embedding.weight']!.data[4 * code + c]).toBeCloseTo(average / smoothed, 4);
      }
    }
  });

  test('averageCodes leaves unused codes where they are in the first step', async () => {
    const far = float([...codes.data.slice(0, 24), 90, 90, 90, 90], [7, 4]);
    const start = {
      'embedding.cluster_size': float(new Array(7).fill(0), [7]),
      'embedding.embed_avg': normals([7, 4], 9),
    };
    const results = await run({}, { averageCodes: 0.9 }, { ...start, 'embedding.weight': far });
    expect([...results.tokens!.data]).not.toContain(6);
    for (const value of results['embedding.weight']!.data.slice(24)) expect(value).toBeCloseTo(90, 2);
  });

  test('the entropy loss is that of the codes of a vector minus that of all', async () => {
    // Close together, so that a temperature of 0.01 does not choose one of them.
    const near = float(
      [...codes.data].map((x) => 0.02 * x),
      [7, 4],
    );
    const { entropyLoss } = await run({}, {}, { 'embedding.weight': near });
    const nearRows = codeRows.map((row) => row.map((x) => 0.02 * x));
    const probabilities = rows(vectors.data).map((row) => {
      const powers = nearRows.map((code) =>
        Math.exp(-row.reduce((a, x, c) => a + (x - code[c]!) ** 2, -dot(row, row)) / 0.01),
      );
      const total = powers.reduce((a, b) => a + b);
      return powers.map((x) => x / total);
    });
    const entropy = (row: readonly number[], tiny = 0) => -row.reduce((a, p) => a + p * Math.log(p + tiny), 0);
    const average = nearRows.map((_, code) => probabilities.reduce((a, row) => a + row[code]!, 0) / 18);
    const single = probabilities.reduce((a, row) => a + entropy(row), 0) / 18;
    expect(entropyLoss!.data[0]).toBeCloseTo(single - entropy(average, 1e-5), 4);
  });
});

test('rowsToPixels is the inverse of pixelsToRows', async () => {
  const z = input('z', [2, 3, 4, 5]);
  const rows = pixelsToRows(z);
  expect(rows.shape).toEqual([40, 3]);
  const executable = await runtime.compile({ inputs: { z }, outputs: { rows, z: rowsToPixels(rows, z) } });
  const given = normals(z.shape, 6);
  const result = await executable.run({ z: given });
  expect(result.z).toEqual(given);
  // The second row is the second pixel of the first line.
  expect([...result.rows!.data.subarray(3, 6)]).toEqual([given.data[1], given.data[21], given.data[41]]);
});

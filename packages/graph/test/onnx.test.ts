import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as g from '@dalle-mini/graph';
import * as initializers from '@dalle-mini/graph/initializers';
import { initializeParameters } from '@dalle-mini/graph/initializers';
import * as layers from '@dalle-mini/graph/layers';
import { writeOnnx } from '@dalle-mini/graph/node';
import { emitOnnx } from '@dalle-mini/graph/onnx';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import type { StoredParameter } from '@dalle-mini/graph/stored';
import * as stored from '@dalle-mini/graph/stored';
import { caseGraph, layerCases, operatorCases } from '@dalle-mini/testing/graph-cases';
import { compiledAndReopened } from '@dalle-mini/testing/onnx-file';
import { float32, int32, relativeError, Values } from '@dalle-mini/testing/values';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { conv2dInputGradient } from '../src/operators.js';
import { type OnnxGraph, readModel } from './onnx-model.js';

const runtime = new OnnxRuntime({ threads: 1 });
const folder = mkdtempSync(join(tmpdir(), 'graph-onnx-'));
afterAll(async () => {
  await runtime.dispose();
  rmSync(folder, { recursive: true });
});

const typesOf = ({ nodes }: OnnxGraph) => nodes.map(({ type }) => type);
const loopIn = ({ nodes }: OnnxGraph) => nodes.find(({ type }) => type === 'Loop')!.bodies[0]!;

test.each(['conv2dInputGradient', 'conv2dWeightGradient', 'upsampleConv2d', 'update', 'layers'])(
  '%s: the optimized model computes the same as the plain model',
  async (name) => {
    for (const one of operatorCases.get(name) ?? layerCases) {
      const { graph, feeds } = caseGraph(one);
      const plainModel = emitOnnx(graph, { kind: 'inputs' }, { optimize: false });
      const executables = [await runtime.compile(graph), await runtime.open(plainModel, graph)] as const;
      const [fast, plain] = [await executables[0].run(feeds), await executables[1].run(feeds)];
      for (const executable of executables) await executable.dispose();
      for (const [output, { data }] of Object.entries(plain))
        expect(relativeError(fast[output]!.data, data), `${one.name}: ${output}`).toBeLessThan(2e-6);
    }
  },
);

test('a scalar factor of a one-row operand of a product becomes a vector', () => {
  const emit = (rows: number, factor: g.Tensor | number) => {
    const [x, y] = [g.input('x', [rows, 8]), g.input('y', [3, 8])];
    const product = g.matmul(g.mul(x, factor), y, { transposeB: true });
    return emitOnnx({ inputs: { x, y }, outputs: { product } });
  };
  const vector = g.constant(float32([8], Array(8).fill(0.5)));
  expect(emit(1, 0.5)).toEqual(emit(1, vector));
  expect(emit(2, 0.5)).not.toEqual(emit(2, vector));
});

describe('parameters', () => {
  const x = g.input('x', [2, 8]);
  const scope = new g.ParameterScope();
  // Used in another order than declared in.
  scope.in('out').parameter('weight', [3, 16], initializers.normal(1));
  const hidden = g.tanh(layers.linear(scope.in('in'), x, 16));
  const graph: g.Graph = { inputs: { x }, outputs: { y: layers.linear(scope.in('out'), hidden, 3, { bias: false }) } };
  const parameters = initializeParameters(scope.parameters, 3);
  const feeds = { x: new Values(1).floats([2, 8]) };
  let expected: g.TensorData;

  beforeAll(async () => {
    const executable = await runtime.compile(graph, { parameters });
    expected = (await executable.run(feeds)).y!;
  });

  test('are initializers if the model is compiled with them', () => {
    const model = readModel(emitOnnx(graph, { kind: 'initializers', values: parameters }));
    expect(model.inputs).toEqual(['x']);
    expect(model.initializers).toEqual(['in.weight', 'in.bias', 'out.weight']);
  });

  test('are inputs otherwise, with the same result', async () => {
    const model = readModel(emitOnnx(graph));
    expect(model.inputs).toEqual(['x', 'in.weight', 'in.bias', 'out.weight']);
    expect(model.initializers).toEqual([]);
    const executable = await runtime.compile(graph);
    const { y } = await executable.run({ ...feeds, ...Object.fromEntries(parameters) });
    // Not bitwise equal: ONNX Runtime prepacks weights that are initializers, and may sum their products in another order.
    for (const [i, value] of y!.data.entries()) expect(value).toBeCloseTo(expected.data[i]!, 5);
  });

  /** Returns a graph's output with its parameters as initializers, the output with them as inputs, and the node types of the former. */
  async function bothWays(x: g.TensorData, build: (scope: g.ParameterScope, x: g.Tensor) => g.Tensor) {
    const scope = new g.ParameterScope();
    const image = g.input('x', x.shape);
    const graph: g.Graph = { inputs: { x: image }, outputs: { y: build(scope, image) } };
    const values = new Values(2);
    const parameters = new Map([...scope.parameters].map(([name, { shape }]) => [name, values.floats(shape)] as const));
    const compiled = await runtime.compile(graph, { parameters });
    const fed = await runtime.compile(graph);
    const results = [await compiled.run({ x }), await fed.run({ x, ...Object.fromEntries(parameters) })];
    const types = typesOf(readModel(emitOnnx(graph, { kind: 'initializers', values: parameters })));
    return { types, values: results.map(({ y }) => y!.data as Float32Array) };
  }

  test.each<[string, g.Shape, (scope: g.ParameterScope, x: g.Tensor) => g.Tensor]>([
    ['3×3', [1, 128, 32, 32], (scope, x) => layers.conv(scope, x, 144)],
    [
      '3×3 of two images, padded unevenly',
      [2, 144, 31, 40],
      (scope, x) => layers.conv(scope, x, 128, { padding: [2, 0, 1, 3] }),
    ],
    ['3×3 that is not padded', [1, 128, 38, 34], (scope, x) => layers.conv(scope, x, 128, { padding: 0 })],
    [
      '3×3 without a bias',
      [1, 128, 32, 32],
      (scope, x) => g.conv2d(x, scope.parameter('weight', [128, 128, 3, 3], initializers.normal(1)), { padding: 1 }),
    ],
  ])('of a wide convolution, %s, give the same as inputs, with fewer products', async (_, shape, build) => {
    const { types, values } = await bothWays(new Values(1).floats(shape), build);
    expect(types.filter((type) => type === 'Conv')).toHaveLength(7);
    // Sums of at least 1152 products of numbers up to 1. The transforms multiply by up to 8 and lose three bits.
    expect(relativeError(values[0]!, values[1]!)).toBeLessThan(5e-6);
  });

  test('of the gradient of a wide convolution give the same as inputs, with fewer products', async () => {
    const { types, values } = await bothWays(new Values(1).floats([2, 128, 31, 40]), (scope, gradient) => {
      const kernel = scope.parameter('weight', [128, 144, 3, 3], initializers.normal(1));
      return conv2dInputGradient(gradient, kernel, [2, 144, 32, 40], { stride: 1, padding: [1, 0, 0, 2] });
    });
    expect(types.filter((type) => type === 'Conv')).toHaveLength(7);
    expect(relativeError(values[0]!, values[1]!)).toBeLessThan(5e-6);
  });

  test('of a group normalization give the same as inputs', async () => {
    for (const shape of [
      [2, 32, 3, 5],
      [2, 6, 3, 5],
      [2, 32, 5],
    ] satisfies g.Shape[]) {
      const { values } = await bothWays(new Values(1).floats(shape), (scope, x) => layers.groupNorm(scope, x, 2));
      expect(relativeError(values[0]!, values[1]!), `[${shape}]`).toBeLessThan(1e-6);
    }
  });

  describe('in a model that writeOnnx wrote', () => {
    test('give the same, also if quantized', async () => {
      const { shape, data } = parameters.get('in.weight')!;
      const few = stored.quantizeBlocks(data as Float32Array, shape, { bits: 8, blockSize: 16 });
      const columns = stored.quantizeColumns(data as Float32Array, shape);
      for (const weight of [parameters.get('in.weight')!, few, columns]) {
        const values = new Map<string, StoredParameter>([...parameters, ['in.weight', weight]]);
        const { compiled, reopened } = await compiledAndReopened(runtime, graph, values, feeds);
        expect(reopened).toEqual(compiled);
      }
    });

    test('must not be in a file of another folder', async () => {
      const elsewhere = {
        dtype: 'float32',
        shape: [16],
        data: { folder: '/elsewhere', file: 'weights.bin', offset: 0 },
      } as const;
      const values = new Map<string, StoredParameter>([...parameters, ['in.bias', elsewhere]]);
      await expect(writeOnnx(join(folder, 'model.onnx'), graph, values)).rejects.toThrow(
        `the model must be in /elsewhere, where parameter in.bias is stored, not in ${folder}. Write it to that folder.`,
      );
    });

    test('leave no file behind if the model cannot be written', async () => {
      const taken = join(folder, 'taken');
      mkdirSync(join(taken, 'model.onnx', 'folder'), { recursive: true });
      await expect(writeOnnx(join(taken, 'model.onnx'), graph, parameters)).rejects.toThrow();
      expect(readdirSync(taken)).toEqual(['model.onnx']);
    });
  });

  describe('in files', () => {
    /** The parameters with all values in one file, after a header. */
    const files = new Map<string, stored.Dense & { readonly data: stored.FileRegion }>();
    beforeAll(() => {
      const chunks = [Buffer.from('header')];
      let offset = chunks[0]!.length;
      for (const [name, { shape, data }] of parameters) {
        files.set(name, { dtype: 'float32', shape, data: { folder, file: 'weights.bin', offset } });
        chunks.push(Buffer.from(data.buffer as ArrayBuffer));
        offset += data.byteLength;
      }
      writeFileSync(join(folder, 'weights.bin'), Buffer.concat(chunks));
    });

    /** Returns the parameters in the file, with one of them in another place. */
    const withBiasAt = (region: Partial<stored.FileRegion>) => {
      const bias = files.get('in.bias')!;
      return new Map(files).set('in.bias', { ...bias, data: { ...bias.data, ...region } });
    };

    test('are found by a model in the same folder', async () => {
      const path = join(folder, 'model.onnx');
      await writeOnnx(path, graph, files);
      const executable = await runtime.open(path, graph, { parameters: files });
      expect((await executable.run(feeds)).y).toEqual(expected);
    });

    test('are mapped, alone or together with others in memory', async () => {
      const mixed = new Map<string, StoredParameter>([...files, ['in.bias', parameters.get('in.bias')!]]);
      for (const values of [files, mixed]) {
        const executable = await runtime.compile(graph, { parameters: values });
        expect((await executable.run(feeds)).y).toEqual(expected);
      }
    });

    test('must be in one folder', async () => {
      const values = withBiasAt({ folder: '/elsewhere' });
      await expect(runtime.compile(graph, { parameters: values })).rejects.toThrow(
        `must be in the same folder: in.weight is in ${folder}, in.bias in /elsewhere.`,
      );
    });

    test('that are shorter than the values are refused', async () => {
      const values = withBiasAt({ offset: 10_000 });
      await expect(runtime.compile(graph, { parameters: values })).rejects.toThrow(/in\.bias.*out of bounds/s);
    });

    test('that are missing are refused', async () => {
      const values = withBiasAt({ file: 'nowhere.bin' });
      await expect(runtime.compile(graph, { parameters: values })).rejects.toThrow('nowhere.bin');
    });
  });

  test('that are missing are refused by name', async () => {
    const values = new Map(parameters);
    values.delete('in.bias');
    await expect(runtime.compile(graph, { parameters: values })).rejects.toThrow(
      new g.GraphError(
        'The parameters must be those of the graph: in.bias is missing. Pass the weights of this model.',
      ),
    );
  });

  test.each([
    ['shape', float32([16], Array(16).fill(0)), 'float32[16]'],
    ['type', int32([3, 16], Array(48).fill(0)), 'int32[3, 16]'],
  ])('of another %s are refused by name', async (_, value, given) => {
    const values = new Map(parameters).set('out.weight', value);
    await expect(runtime.compile(graph, { parameters: values })).rejects.toThrow(
      `out.weight must be float32[3, 16], not ${given}`,
    );
  });

  test('of another number of elements are refused by name', async () => {
    const values = new Map(parameters).set('out.weight', float32([3, 16], Array(47).fill(0)));
    await expect(runtime.compile(graph, { parameters: values })).rejects.toThrow(
      'out.weight must have 48 elements in data, not 47',
    );
  });

  test('may include others than those of the graph', async () => {
    const values = new Map(parameters).set('other', float32([1], [0]));
    await expect(runtime.compile(graph, { parameters: values })).resolves.toBeDefined();
  });

  test('must not have the name of an input', () => {
    const clash = g.add(x, new g.ParameterScope().parameter('x', [8], initializers.ones));
    expect(() => emitOnnx({ inputs: { x }, outputs: { clash } })).toThrow('an input and a parameter are both named x.');
  });
});

describe('inputs and outputs', () => {
  const x = g.input('x', [2]);
  const y = g.exp(x);
  const feeds = { x: float32([2], [0, 1]) };
  const run = async (graph: g.Graph) => (await runtime.compile(graph)).run(feeds);

  test('a tensor may be several outputs', async () => {
    const { a, b } = await run({ inputs: { x }, outputs: { a: y, b: y } });
    expect(a).toEqual(b);
    expect(a!.data.buffer).not.toBe(b!.data.buffer);
    expect([...a!.data]).toEqual([1, Math.fround(Math.E)]);
  });

  test('an input may be an output', async () => {
    const results = await run({ inputs: { x }, outputs: { x, same: x } });
    expect(results).toEqual({ x: feeds.x, same: feeds.x });
  });

  test('an output may have the same name as an input', async () => {
    expect([...(await run({ inputs: { x }, outputs: { x: g.neg(g.add(x, 1)) } })).x!.data]).toEqual([-1, -2]);
  });

  test('a parameter may be an output', async () => {
    const w = new g.ParameterScope().parameter('w', [2], initializers.ones);
    const parameters = new Map([['w', float32([2], [3, 4])]]);
    const executable = await runtime.compile({ inputs: {}, outputs: { w, sum: g.sum(w) } }, { parameters });
    expect(await executable.run({})).toEqual({ w: parameters.get('w'), sum: float32([], [7]) });
  });

  test('an unused input is accepted', async () => {
    const unused = g.input('unused', [3]);
    const executable = await runtime.compile({ inputs: { x, unused }, outputs: { y } });
    expect([...(await executable.run({ ...feeds, unused: float32([3], [1, 2, 3]) })).y!.data][0]).toBe(1);
  });

  test('an input that the outputs use must be among the inputs of the graph', () => {
    expect(() => emitOnnx({ inputs: {}, outputs: { y } })).toThrow("input x must be among the graph's inputs.");
  });

  test('a result cannot be an input', () => {
    expect(() => emitOnnx({ inputs: { y }, outputs: { y } })).toThrow('y must be an input, not the result of exp.');
  });

  test('a graph is always emitted as the same bytes', () => {
    const emit = () => emitOnnx(caseGraph(layerCases.find(({ name }) => name === 'gatedFeedForward')!).graph);
    expect(emit()).toEqual(emit());
  });

  test('equal constants are emitted once', () => {
    const twice = g.add(g.mul(x, 0.1), g.mul(y, 0.1));
    expect(readModel(emitOnnx({ inputs: { x }, outputs: { twice } })).initializers).toHaveLength(1);
  });
});

describe('a layer norm', () => {
  const x = g.input('x', [2, 3]);
  const build = (f: (normalized: g.Tensor, weight: g.Tensor, bias: g.Tensor) => g.Tensor[]) => {
    const scope = new g.ParameterScope();
    const weight = scope.parameter('weight', [3], initializers.ones);
    const tensors = f(g.normalize(x, 1e-5), weight, scope.parameter('bias', [3], initializers.zeros));
    const outputs = Object.fromEntries(tensors.map((tensor, i) => [`y${i}`, tensor]));
    return { inputs: { x }, outputs };
  };
  const scaled = build((n, weight) => [g.mul(weight, n)]);
  const shifted = build((n, _, bias) => [g.add(n, bias)]);
  const both = build((n, weight, bias) => [g.add(bias, g.mul(n, weight))]);
  const inLoop = build((n, weight, bias) => [
    g.loop(1, [n], (_, [a]) => ({ carried: [g.add(g.mul(g.normalize(a!, 1e-5), weight), bias)] })).carried[0]!,
  ]);

  test('is one node, with its scale and its shift', () => {
    for (const graph of [scaled, shifted, both])
      expect(typesOf(readModel(emitOnnx(graph)))).toEqual(['LayerNormalization', 'Identity']);
    expect(typesOf(loopIn(readModel(emitOnnx(inLoop))))).not.toContain('Mul');
  });

  test.each([
    ['the product is used elsewhere', build((n, weight, bias) => [g.add(g.mul(n, weight), bias), g.mul(n, weight)])],
    ['the normalized values are used elsewhere', build((n, weight) => [g.mul(n, weight), n])],
    ['the addend is not a vector', build((n) => [g.add(n, x)])],
    ['the factor is the normalized tensor itself', build((n) => [g.mul(n, n)])],
  ])('is not fused if %s', (_, graph) => {
    expect(typesOf(readModel(emitOnnx(graph))).filter((type) => type === 'Mul' || type === 'Add')).not.toEqual([]);
  });

  test('has the same values', async () => {
    const parameters = new Map([
      ['weight', float32([3], [1, -2, 3])],
      ['bias', float32([3], [5, 0, -1])],
    ]);
    const root = Math.sqrt(2 / 3 + 1e-5);
    const normalized = [-1 / root, 0, 1 / root, -1 / root, 0, 1 / root];
    const expected = [
      [scaled, normalized.map((n, i) => n * [1, -2, 3][i % 3]!)],
      [shifted, normalized.map((n, i) => n + [5, 0, -1][i % 3]!)],
      [both, normalized.map((n, i) => n * [1, -2, 3][i % 3]! + [5, 0, -1][i % 3]!)],
    ] as const;
    for (const [graph, values] of expected) {
      const executable = await runtime.compile(graph, { parameters });
      const { y0 } = await executable.run({ x: float32([2, 3], [0, 1, 2, 4, 5, 6]) });
      for (const [i, value] of values.entries()) expect(y0!.data[i]).toBeCloseTo(value, 5);
    }
  });
});

describe('a loop', () => {
  const x = g.input('x', [2]);
  const emit = (y: g.Tensor) => readModel(emitOnnx({ inputs: { x }, outputs: { y } }));

  test('computes operations that do not depend on it once, outside', () => {
    const { carried } = g.loop(5, [x], (_, [state]) => ({ carried: [g.add(g.tanh(state!), g.exp(g.neg(x)))] }));
    const model = emit(carried[0]!);
    expect(typesOf(model)).toEqual(expect.arrayContaining(['Neg', 'Exp', 'Loop']));
    expect(typesOf(loopIn(model))).toEqual(expect.arrayContaining(['Tanh', 'Add']));
    expect(typesOf(loopIn(model))).not.toEqual(expect.arrayContaining(['Exp']));
  });

  test('computes operations that depend only on an outer loop in the outer loop', () => {
    const { carried } = g.loop(2, [x], (i, [outer]) => ({
      carried: g.loop(3, [x], (_, [inner]) => ({
        carried: [g.add(g.mul(inner!, g.sin(outer!)), g.mul(g.exp(x), g.cast(i, 'float32')))],
      })).carried,
    }));
    const model = emit(carried[0]!);
    const outer = loopIn(model);
    const inner = loopIn(outer);
    expect(typesOf(model).filter((type) => type === 'Exp')).toHaveLength(1);
    expect(typesOf(outer).filter((type) => type === 'Sin')).toHaveLength(1);
    expect(typesOf(outer)).not.toContain('Exp');
    expect(typesOf(inner)).not.toContain('Sin');
    // The product of the outer iteration and a tensor from outside both loops.
    expect(typesOf(outer)).toContain('Mul');
  });

  test('returns carried and stacked tensors: Fibonacci numbers', async () => {
    const one = g.scalar(1, 'int32');
    const { carried, stacked } = g.loop(10, [one, one], (i, [a, b]) => ({
      carried: [b!, g.add(a!, b!)],
      stacked: [a!, i],
    }));
    const outputs = { next: carried[0]!, numbers: stacked[0]!, iterations: stacked[1]! };
    const executable = await runtime.compile({ inputs: {}, outputs });
    expect(await executable.run({})).toEqual({
      next: int32([], [89]),
      numbers: int32([10], [1, 1, 2, 3, 5, 8, 13, 21, 34, 55]),
      iterations: int32([10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
    });
  });

  test('copies the output of a node only if it is a result twice', () => {
    const copies = (next: (state: g.Tensor) => g.Tensor[]) => {
      const { carried } = g.loop(2, [x, x], (_, [a]) => ({ carried: next(a!) }));
      return typesOf(loopIn(emit(g.add(carried[0]!, carried[1]!)))).filter((type) => type === 'Identity').length;
    };
    // One Identity node is for the condition of the loop.
    expect(copies((a) => [g.neg(a), g.exp(a)])).toBe(1);
    expect(copies((a) => Array(2).fill(g.neg(a)))).toBe(2);
    expect(copies((a) => [g.neg(a), x])).toBe(2);
  });

  test('in a loop sees the iteration of the outer one: a multiplication table', async () => {
    const { stacked } = g.loop(3, [], (i) => ({
      carried: [],
      stacked: g.loop(4, [], (j) => ({ carried: [], stacked: [g.mul(g.add(i, 1), g.add(j, 1))] })).stacked,
    }));
    const executable = await runtime.compile({ inputs: {}, outputs: { table: stacked[0]! } });
    expect((await executable.run({})).table).toEqual(int32([3, 4], [1, 2, 3, 4, 2, 4, 6, 8, 3, 6, 9, 12]));
  });

  test('may use an outer tensor as a carried value, and stack one', async () => {
    const { carried, stacked } = g.loop(3, [g.neg(x)], () => ({ carried: [x], stacked: [x] }));
    const executable = await runtime.compile({ inputs: { x }, outputs: { y: carried[0]!, all: stacked[0]! } });
    const { y, all } = await executable.run({ x: float32([2], [1, 2]) });
    expect([...y!.data]).toEqual([1, 2]);
    expect([...all!.data]).toEqual([1, 2, 1, 2, 1, 2]);
  });

  test('uses a parameter in its body', async () => {
    const w = new g.ParameterScope().parameter('w', [2], initializers.ones);
    const { carried } = g.loop(3, [x], (_, [state]) => ({ carried: [g.mul(state!, w)] }));
    const parameters = new Map([['w', float32([2], [2, 3])]]);
    const executable = await runtime.compile({ inputs: { x }, outputs: { y: carried[0]! } }, { parameters });
    expect([...(await executable.run({ x: float32([2], [1, 1]) })).y!.data]).toEqual([8, 27]);
  });
});

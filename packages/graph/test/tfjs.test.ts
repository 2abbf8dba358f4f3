import * as g from '@dalle-mini/graph';
import * as initializers from '@dalle-mini/graph/initializers';
import { initializeParameters } from '@dalle-mini/graph/initializers';
import * as layers from '@dalle-mini/graph/layers';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { interpret, loadTfjs, TfjsRuntime } from '@dalle-mini/graph/tfjs';
import {
  type Case,
  caseGraph,
  gradientGraph,
  isDifferentiable,
  layerCases,
  operatorCases,
} from '@dalle-mini/testing/graph-cases';
import { float32, int32, relativeError, Values } from '@dalle-mini/testing/values';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { tfjsOperators } from '../src/runtimes/tfjs-interpreter.js';
import { gradientRules } from '../src/training/gradient.js';

// Both runtimes compute in float32 and order their sums differently. The worst error was 8e-7.
const tolerance = 1e-5;

const tf = await loadTfjs();
const runtimes = { tfjs: new TfjsRuntime(tf), onnx: new OnnxRuntime({ threads: 1 }) };
afterAll(() => Promise.all(Object.values(runtimes).map((runtime) => runtime.dispose())));

async function compute(runtime: g.Runtime, graph: g.Graph, feeds: g.TensorValues) {
  const executable = await runtime.compile(graph);
  try {
    return await executable.run(feeds);
  } finally {
    await executable.dispose();
  }
}

/** Runs a graph on both runtimes, and checks that TensorFlow.js keeps no tensor. */
async function expectAgreement(graph: g.Graph, feeds: g.TensorValues): Promise<void> {
  const before = tf.memory().numTensors;
  const actual = await compute(runtimes.tfjs, graph, feeds);
  expect(tf.memory().numTensors, 'tensors left').toBe(before);
  const expected = await compute(runtimes.onnx, graph, feeds);
  for (const [name, { dtype, shape }] of Object.entries(graph.outputs)) {
    const [ours, theirs] = [actual[name]!, expected[name]!];
    expect(ours.dtype).toBe(dtype);
    expect(ours.shape).toEqual(shape);
    if (dtype === 'float32') expect(relativeError(ours.data, theirs.data), name).toBeLessThan(tolerance);
    else expect(ours.data).toEqual(theirs.data);
  }
}

const flat = (cases: Iterable<readonly [string, readonly Case[]]>) =>
  [...cases].flatMap(([name, list]) => list.map((one) => [`${name}: ${one.name}`, one] as const));

describe('TensorFlow.js computes the same as ONNX Runtime', () => {
  test('there are cases for every operator', () => {
    expect([...operatorCases.keys()].sort()).toEqual(Object.keys(tfjsOperators).sort());
  });

  test.each(flat([...operatorCases, ['layers', layerCases]]))('%s', async (_, one) => {
    const { graph, feeds } = caseGraph(one);
    await expectAgreement(graph, feeds);
  });
});

describe('TensorFlow.js computes the same gradients', () => {
  const ruled = [...operatorCases].filter(([name]) => name in gradientRules);
  const differentiable = flat([...ruled, ['layers', layerCases]]).filter(([, one]) => isDifferentiable(one));
  test.each(differentiable)('%s', async (_, one) => {
    const { graph, feeds } = gradientGraph(one);
    await expectAgreement(graph, feeds);
  });

  test('of a convolution by its kernel, with and without the TensorFlow.js kernel that the wasm backend lacks', async () => {
    const cases = operatorCases.get('conv2dWeightGradient')!;
    const graphs = cases.map(caseGraph);
    const run = () => Promise.all(graphs.map(({ graph, feeds }) => compute(runtimes.tfjs, graph, feeds)));
    const native = await run();
    const without = new TfjsRuntime({ ...tf, getKernel: () => undefined as never });
    for (const [i, { graph, feeds }] of graphs.entries()) {
      const { y0 } = await compute(without, graph, feeds);
      expect(relativeError(y0!.data, native[i]!.y0!.data), cases[i]!.name).toBeLessThan(tolerance);
    }
  });
});

describe('a run on TensorFlow.js', () => {
  const x = g.input('x', [2, 2]);
  const feeds = { x: float32([2, 2], [1, 2, 3, 4]) };

  test('frees each tensor after its last use', async () => {
    let chain: g.Tensor = x;
    for (let i = 0; i < 50; i++) chain = g.exp(g.neg(chain));
    let most = 0;
    const neg = vi.fn((value: never) => {
      most = Math.max(most, tf.memory().numTensors);
      return tf.neg(value);
    });
    const before = tf.memory().numTensors;
    const executable = await new TfjsRuntime({ ...tf, neg } as never).compile({ inputs: { x }, outputs: { y: chain } });
    await executable.run(feeds);
    expect(neg).toHaveBeenCalledTimes(50);
    // Only the operand of the current operation, and no tensor of earlier operations.
    expect(most - before).toBe(1);
  });

  test('frees the state of a loop with every iteration', async () => {
    let most = 0;
    const exp = vi.fn((value: never) => {
      most = Math.max(most, tf.memory().numTensors);
      return tf.exp(value);
    });
    const { carried } = g.loop(40, [x, x], (_, [a, b]) => ({ carried: [b!, g.exp(g.neg(a!))] }));
    const runtime = new TfjsRuntime({ ...tf, exp } as never);
    const before = tf.memory().numTensors;
    const executable = await runtime.compile({ inputs: { x }, outputs: { y: carried[0]! } });
    await executable.run(feeds);
    expect(exp).toHaveBeenCalledTimes(40);
    // The input, two carried tensors, the iteration and the operand, for any number of iterations.
    expect(most - before).toBeLessThanOrEqual(6);
  });

  test('computes captured tensors, and operations that do not depend on the loop, once', async () => {
    const exp = vi.fn(tf.exp);
    const runtime = new TfjsRuntime({ ...tf, exp } as never);
    const { carried } = g.loop(5, [x], (_, [state]) => ({
      carried: g.loop(5, [state!], (_, [inner]) => ({ carried: [g.add(inner!, g.exp(x))] })).carried,
    }));
    const executable = await runtime.compile({ inputs: { x }, outputs: { y: carried[0]! } });
    await executable.run(feeds);
    expect(exp).toHaveBeenCalledTimes(1);
  });

  test('accepts parameters at compilation or at each run', async () => {
    const scope = new g.ParameterScope();
    const y = layers.linear(scope.in('layer'), x, 3);
    const graph = { inputs: { x }, outputs: { y } };
    const parameters = initializeParameters(scope.parameters, 1);
    const compiled = await runtimes.tfjs.compile(graph, { parameters });
    const fed = await runtimes.tfjs.compile(graph);
    const expected = await compiled.run(feeds);
    expect(await fed.run({ ...feeds, ...Object.fromEntries(parameters) })).toEqual(expected);
    const onnx = await runtimes.onnx.compile(graph, { parameters });
    expect(relativeError((await onnx.run(feeds)).y!.data, expected.y!.data)).toBeLessThan(tolerance);
  });

  test('frees parameters with the executable', async () => {
    const scope = new g.ParameterScope();
    const graph = { inputs: { x }, outputs: { y: layers.linear(scope.in('layer'), x, 3) } };
    const before = tf.memory().numTensors;
    const parameters = initializeParameters(scope.parameters, 1);
    const runtime = new TfjsRuntime(tf);
    const [first] = [await runtime.compile(graph, { parameters }), await runtime.compile(graph, { parameters })];
    expect(tf.memory().numTensors).toBe(before + 4);
    await first.dispose();
    expect(tf.memory().numTensors).toBe(before + 2);
    await expect(first.run(feeds)).rejects.toThrow('disposed of');
    await runtime.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  test('shares no memory with its caller', async () => {
    const scope = new g.ParameterScope();
    const weight = scope.parameter('weight', [2, 2], initializers.ones);
    const parameters = new Map([['weight', float32([2, 2], [5, 6, 7, 8])]]);
    const graph = { inputs: { x }, outputs: { x, again: x, weight } };
    const executable = await runtimes.tfjs.compile(graph, { parameters });
    parameters.get('weight')!.data.fill(0);
    const results = await executable.run(feeds);
    results.x!.data.fill(9);
    results.weight!.data.fill(9);
    expect([...feeds.x.data]).toEqual([1, 2, 3, 4]);
    expect([...results.again!.data]).toEqual([1, 2, 3, 4]);
    expect([...(await executable.run(feeds)).weight!.data]).toEqual([5, 6, 7, 8]);
  });

  test('empties transferred buffers', async () => {
    const executable = await runtimes.tfjs.compile({ inputs: { x }, outputs: { y: g.neg(x) } });
    const given = float32([2, 2], [1, 2, 3, 4]);
    expect([...(await executable.run({ x: given }, { transfer: true })).y!.data]).toEqual([-1, -2, -3, -4]);
    expect(given.data.length).toBe(0);
  });

  test('refuses unexpected inputs and weights by name', async () => {
    const scope = new g.ParameterScope();
    const y = layers.linear(scope.in('layer'), x, 3, { bias: false });
    const graph = { inputs: { x }, outputs: { y } };
    const fed = await runtimes.tfjs.compile(graph);
    await expect(fed.run(feeds)).rejects.toThrow('input layer.weight, float32[3, 2], is missing');
    await expect(fed.run({ ...feeds, 'layer.weight': float32([2, 3], Array(6)) })).rejects.toThrow(
      'input layer.weight must be float32[3, 2], not float32[2, 3]',
    );
    await expect(runtimes.tfjs.compile(graph, { parameters: new Map() })).rejects.toThrow('layer.weight is missing');
    const parameters = new Map([['layer.weight', int32([3, 2], Array(6).fill(0))]]);
    await expect(runtimes.tfjs.compile(graph, { parameters })).rejects.toThrow(
      'layer.weight must be float32[3, 2], not int32[3, 2]',
    );
  });

  test('refuses a graph whose outputs depend on an undeclared input', async () => {
    await expect(runtimes.tfjs.compile({ inputs: {}, outputs: { y: g.neg(x) } })).rejects.toThrow('depend on input x');
  });
});

test('interpret applies a graph to tensors of TensorFlow.js', () => {
  const x = g.input('x', [2, 3]);
  const scope = new g.ParameterScope();
  const graph = { inputs: { x }, outputs: { y: layers.linear(scope, x, 4) } };
  const values = new Values(3);
  const tensor = (shape: number[]) => tf.tensor(values.floats(shape).data, shape);
  const [input, weight, bias] = [tensor([2, 3]), tensor([4, 3]), tensor([4])];
  const before = tf.memory().numTensors;
  const { y } = interpret(tf, graph, { x: input, weight, bias });
  expect(tf.memory().numTensors).toBe(before + 1);
  const expected = tf.add(tf.matMul(input, weight, false, true), bias);
  expect(relativeError(y!.dataSync(), expected.dataSync())).toBeLessThan(tolerance);
  expect(() => interpret(tf, graph, { x: input, weight })).toThrow('input bias, float32[4], is missing');
  tf.dispose([input, weight, bias, y!, expected]);
});

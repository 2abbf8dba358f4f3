import * as g from '@dalle-mini/graph';
import { emitStableHlo, evaluateSize } from '@dalle-mini/graph/stablehlo';
import { sgd, trainingGraph } from '@dalle-mini/graph/training';
import {
  type Case,
  caseGraph,
  gradientGraph,
  isDifferentiable,
  layerCases,
  operatorCases,
} from '@dalle-mini/testing/graph-cases';
import { describe, expect, test } from 'vitest';
import { lowerings } from '../src/stablehlo/lowerings.js';
import { gradientRules } from '../src/training/gradient.js';
import { checkStableHlo } from './stablehlo-text.js';

const flat = (cases: Iterable<readonly [string, readonly Case[]]>) =>
  [...cases].flatMap(([name, list]) => list.map((one) => [`${name}: ${one.name}`, one] as const));

const everyCase = flat([...operatorCases, ['layers', layerCases]]);
const differentiable = flat([
  ...[...operatorCases].filter(([name]) => name in gradientRules),
  ['layers', layerCases],
]).filter(([, one]) => isDifferentiable(one));

/** The lines of the main function, without its indentation. */
const linesOf = (graph: g.Graph, options?: Parameters<typeof emitStableHlo>[1]) =>
  emitStableHlo(graph, options)
    .text.split('\n')
    .filter((line) => line.startsWith('    '))
    .map((line) => line.slice(4));

describe('every operator', () => {
  test('has a lowering, except sources and loops', () => {
    expect([...Object.keys(lowerings), 'constant', 'loop'].sort()).toEqual([...operatorCases.keys()].sort());
  });

  test.each(everyCase)('is well-formed in float32 and bfloat16: %s', (_, one) => {
    const { graph } = caseGraph(one);
    for (const compute of ['float32', 'bfloat16'] as const) {
      const { text } = emitStableHlo(graph, { compute });
      checkStableHlo(text);
      expect(emitStableHlo(caseGraph(one).graph, { compute }).text).toBe(text);
    }
  });

  test.each(differentiable)('has a well-formed gradient: %s', (_, one) => {
    checkStableHlo(emitStableHlo(gradientGraph(one).graph).text);
  });
});

describe('a module', () => {
  const x = g.input('x', [2, 3]);

  test('of a product', () => {
    expect(linesOf({ inputs: { x }, outputs: { y: g.matmul(x, x, { transposeB: true }) } })).toEqual([
      '%0 = stablehlo.dot_general %arg0, %arg0, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x2xf32>',
      'return %0 : tensor<2x2xf32>',
    ]);
  });

  test('of a product in bfloat16 sums in float32', () => {
    const lines = linesOf(
      { inputs: { x }, outputs: { y: g.matmul(x, x, { transposeB: true }) } },
      { compute: 'bfloat16' },
    );
    expect(lines[2]).toBe(
      '%2 = stablehlo.dot_general %0, %1, contracting_dims = [1] x [1], precision = [DEFAULT, DEFAULT] : (tensor<2x3xbf16>, tensor<2x3xbf16>) -> tensor<2x2xf32>',
    );
  });

  test('of a convolution has channels last, also in a loop', () => {
    const images = g.input('images', [1, 2, 4, 4]);
    const kernel = g.input('kernel', [2, 2, 3, 3]);
    const { carried } = g.loop(2, [images], (_, [state]) => ({ carried: [g.conv2d(state!, kernel, { padding: 1 })] }));
    const { text } = emitStableHlo({ inputs: { images, kernel }, outputs: { y: carried[0]! } });
    expect(text).toContain('dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]');
  });

  test('of a select between a tensor and itself makes the copy wait for the condition', () => {
    const condition = g.input('condition', [1], 'bool');
    const lines = linesOf({ inputs: { x, condition }, outputs: { y: g.select(condition, x, x) } });
    expect(lines).toEqual([
      '%0:2 = stablehlo.optimization_barrier %arg0, %arg1 : tensor<2x3xf32>, tensor<1xi1>',
      'return %0#0 : tensor<2x3xf32>',
    ]);
    const { text } = emitStableHlo({ inputs: { x, condition }, outputs: { y: g.select(condition, x, x) } });
    checkStableHlo(text);
  });

  test('of a loop', () => {
    const { carried, stacked } = g.loop(3, [x], (iteration, [state]) => ({
      carried: [g.neg(state!)],
      stacked: [iteration],
    }));
    expect(linesOf({ inputs: { x }, outputs: { y: carried[0]!, steps: stacked[0]! } })).toMatchInlineSnapshot(`
      [
        "%0 = stablehlo.constant dense<0> : tensor<i32>",
        "%1 = stablehlo.broadcast_in_dim %0, dims = [] : (tensor<i32>) -> tensor<3xi32>",
        "%13:3 = stablehlo.while(%2 = %0, %3 = %arg0, %4 = %1) : tensor<i32>, tensor<2x3xf32>, tensor<3xi32>",
        "cond {",
        "  %5 = stablehlo.constant dense<3> : tensor<i32>",
        "  %6 = stablehlo.compare LT, %2, %5, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>",
        "  stablehlo.return %6 : tensor<i1>",
        "} do {",
        "  %7 = stablehlo.negate %3 : tensor<2x3xf32>",
        "  %8 = stablehlo.reshape %2 : (tensor<i32>) -> tensor<1xi32>",
        "  %9 = stablehlo.constant dense<0> : tensor<i32>",
        "  %10 = stablehlo.dynamic_update_slice %4, %8, %2 : (tensor<3xi32>, tensor<1xi32>, tensor<i32>) -> tensor<3xi32>",
        "  %11 = stablehlo.constant dense<1> : tensor<i32>",
        "  %12 = stablehlo.add %2, %11 : tensor<i32>",
        "  stablehlo.return %12, %7, %10 : tensor<i32>, tensor<2x3xf32>, tensor<3xi32>",
        "}",
        "return %13#1, %13#2 : tensor<2x3xf32>, tensor<3xi32>",
      ]
    `);
  });

  test('has constants with their exact values', () => {
    const numbers = [0.1, -0, 1e-7, 3e38, 16777216, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    const outputs = Object.fromEntries(numbers.map((value, i) => [`y${i}`, g.scalar(value)]));
    const constants = linesOf({ inputs: {}, outputs }).flatMap((line) => /dense<([^>]*)>/.exec(line)?.[1] ?? []);
    const back = constants.map((text) =>
      text.startsWith('0x') ? new Float32Array(Uint32Array.of(Number(text)).buffer)[0]! : Math.fround(Number(text)),
    );
    expect(back).toEqual(numbers.map(Math.fround));
    // MLIR takes a number without a point for an integer.
    for (const text of constants) expect(text).toMatch(/^(0x[\dA-F]{8}|-?\d+\.\d+(e[+-]\d+)?)$/);
  });

  test('has long constants outside of loops', () => {
    const table = g.constant({ dtype: 'int32', shape: [64], data: Int32Array.from({ length: 64 }, (_, i) => i) });
    const { carried } = g.loop(2, [g.fill([64], 0, 'int32')], (i, [state]) => ({
      carried: [g.add(g.add(state!, table), i)],
    }));
    const lines = linesOf({ inputs: {}, outputs: { y: carried[0]! } });
    const at = lines.findIndex((line) => line.includes('dense<"0x'));
    expect(at).toBeGreaterThanOrEqual(0);
    expect(at).toBeLessThan(lines.findIndex((line) => line.includes('while')));
  });

  test('refuses outputs that depend on an input of another graph', () => {
    expect(() => emitStableHlo({ inputs: {}, outputs: { y: g.neg(x) } })).toThrow(
      'emitStableHlo: the outputs depend on input x, which must be among the graph',
    );
  });

  test('refuses an input with the name of a parameter, and an input that is computed', () => {
    const parameter = new g.ParameterScope().parameter('x', [2, 3], { kind: 'zeros', scale: 0 });
    expect(() => emitStableHlo({ inputs: { x }, outputs: { y: g.add(x, parameter) } })).toThrow('both named x');
    expect(() => emitStableHlo({ inputs: { y: g.neg(x) }, outputs: {} })).toThrow('y must be an input');
  });
});

describe('a dynamic axis', () => {
  const rows = g.input('rows', [4, 3], 'float32', { dynamic: 0 });

  test('has its size as an argument, and the sizes of results follow from it', () => {
    const x = g.input('x', [2, 3]);
    const module = emitStableHlo({
      inputs: { rows, x },
      outputs: { y: g.slice(g.concat([rows, x], 0), [1, 0], [6, 3]) },
    });
    expect(module.arguments.map(({ name, kind }) => `${kind} ${name}`)).toEqual(['input rows', 'input x', 'size rows']);
    const [y] = module.results;
    expect(y!.shape).toEqual([5, 3]);
    expect([...y!.sizes].map(([axis, size]) => [axis, evaluateSize(size, () => 3)])).toEqual([[0, 4]]);
    checkStableHlo(module.text);
  });

  test('is masked where elements along it are combined, and nowhere else', () => {
    const outputs = (y: g.Tensor) => linesOf({ inputs: { rows }, outputs: { y } }).join('\n');
    const masks = /stablehlo\.iota/g;
    expect(outputs(g.exp(rows))).not.toMatch(masks);
    expect(outputs(g.sum(rows, { axes: [1] }))).not.toMatch(masks);
    expect(outputs(g.sum(rows, { axes: [0] }))).toMatch(masks);
    expect(outputs(g.softmax(g.transpose(rows, [1, 0])))).toMatch(masks);
    expect(outputs(g.matmul(rows, rows, { transposeA: true })).match(masks)).toHaveLength(2);
  });

  test('that meets an axis of another size is reported', () => {
    const others = g.input('others', [4, 3], 'float32', { dynamic: 0 });
    const { equalSizes } = emitStableHlo({ inputs: { rows, others }, outputs: { y: g.add(rows, others) } });
    expect(equalSizes).toEqual([
      [
        { inputs: ['rows'], constant: 0 },
        { inputs: ['others'], constant: 0 },
      ],
    ]);
    const fixed = g.input('fixed', [4, 3]);
    expect(emitStableHlo({ inputs: { rows, fixed }, outputs: { y: g.add(rows, fixed) } }).equalSizes).toEqual([
      [
        { inputs: ['rows'], constant: 0 },
        { inputs: [], constant: 4 },
      ],
    ]);
    expect(emitStableHlo({ inputs: { rows }, outputs: { y: g.add(rows, g.exp(rows)) } }).equalSizes).toEqual([]);
  });

  test('is appended to in place', () => {
    const added = g.input('added', [1, 3]);
    const graph = { inputs: { rows, added }, outputs: { rows: g.neg(added) } };
    const { text, arguments: given, results } = emitStableHlo(graph, { append: true });
    checkStableHlo(text);
    expect(given.map(({ isDonated }) => isDonated)).toEqual([true, false, false]);
    expect(text).toContain('%arg0: tensor<4x3xf32> {tf.aliasing_output = 0 : i32}');
    expect(results[0]!.shape).toEqual([4, 3]);
    expect(evaluateSize(results[0]!.sizes.get(0)!, () => 2)).toBe(3);
  });
});

describe('state', () => {
  const training = trainingGraph({
    batch: { x: { shape: [4, 2], dtype: 'float32' } },
    loss: (scope, { x }) => ({ loss: g.mean(g.matmul(x!, scope.parameter('w', [2, 2], { kind: 'ones', scale: 1 }))) }),
    optimizer: sgd(),
    stepsPerRun: 2,
  });

  test('is donated to the output of the same name', () => {
    const { text, arguments: given } = emitStableHlo(training.graph, { donate: training.state.keys() });
    checkStableHlo(text);
    expect(given.filter(({ isDonated }) => isDonated).map(({ name }) => name)).toEqual([...training.state.keys()]);
  });

  test('that has no such output is refused', () => {
    expect(() => emitStableHlo(training.graph, { donate: ['step'] })).toThrow(
      'donate: step must have an output of the same name, type and shape.',
    );
    expect(() => emitStableHlo(training.graph, { donate: ['z'] })).toThrow('z must be an input or a parameter');
  });
});

describe('a mesh', () => {
  const x = g.input('x', [4, 6]);
  const graph = { inputs: { x }, outputs: { y: g.exp(x) } };

  test('divides what has a sharding, and repeats the rest', () => {
    const { text, devices } = emitStableHlo(graph, {
      mesh: { data: 2, model: 3 },
      sharding: (name) => (name === 'x' ? [['data'], ['model']] : undefined),
    });
    checkStableHlo(text);
    expect(devices).toBe(6);
    expect(text).toContain('sdy.mesh @mesh = <["data"=2, "model"=3]>');
    expect(text).toContain('%arg0: tensor<4x6xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"data"}, {"model"}]>}');
    expect(text).toContain('-> (tensor<4x6xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}, {}]>})');
  });

  test.each([
    [{ data: 0 }, [[], []], 'Axis data of the mesh must have a whole number of devices, at least 1, not 0.'],
    [{ 'a b': 2 }, [[], []], 'The name of an axis of the mesh must be a word such as data, not "a b".'],
    [{ data: 2 }, [['data']], 'The sharding of x must have 2 axes as its shape does, not 1.'],
    [{ data: 2 }, [['model'], []], 'The sharding of x must use axes of the mesh, data, not model.'],
    [
      { data: 2 },
      [['data'], ['data']],
      'The sharding of x must use each axis of the mesh at most once, but uses data twice.',
    ],
    [{ data: 3 }, [['data'], []], 'Axis 0 of x, of size 4, must be a multiple of 3 to be divided over data.'],
  ] as const)('of %j refuses %j', (mesh, sharding, message) => {
    expect(() => emitStableHlo(graph, { mesh, sharding: () => sharding })).toThrow(new g.GraphError(message));
  });
});

import * as g from '@dalle-mini/graph';
import { initializeParameters } from '@dalle-mini/graph/initializers';
import * as layers from '@dalle-mini/graph/layers';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { interpret } from '@dalle-mini/graph/tfjs';
import { grad } from '@dalle-mini/graph/training';
import * as tf from '@tensorflow/tfjs-core';
import { gradientRules } from '../src/training/gradient.js';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import '@tensorflow/tfjs-backend-cpu';
import { caseGraph, gradientGraph, isDifferentiable, layerCases, operatorCases } from '@dalle-mini/testing/graph-cases';
import { float32, relativeError, Values } from '@dalle-mini/testing/values';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const runtime = new OnnxRuntime({ threads: 1 });
beforeAll(() => tf.ready());
afterAll(() => runtime.dispose());

async function compute(graph: g.Graph, feeds: g.TensorValues) {
  const executable = await runtime.compile(graph);
  const results = await executable.run(feeds);
  await executable.dispose();
  return results as Record<string, g.TensorData & { data: Float32Array }>;
}

/** Operators whose rules pass no gradient. They have a separate test. */
const stopping = ['cast', 'stopGradient'];

const ruled = [...operatorCases].filter(([name]) => name in gradientRules && !stopping.includes(name));
const cases = [...ruled, ['layers', layerCases] as const].flatMap(([name, list]) =>
  list.filter(isDifferentiable).map((one) => [`${name}: ${one.name}`, one] as const),
);

test('the gradient of every operator with a rule is checked', () => {
  const checked = ruled.filter(([, list]) => list.some(isDifferentiable)).map(([name]) => name);
  expect([...checked, ...stopping].sort()).toEqual(Object.keys(gradientRules).sort());
});

describe('gradients agree with finite differences', () => {
  const step = 2 ** -5;
  // Relative to the gradient's norm. The rounding of the results, 2⁻²⁴ of their size, is divided by the step: 2⁻¹⁹, and a few times
  // more for results that are sums. Where terms of the gradient cancel, it is smaller than the results and the relative error grows:
  // the worst case, a sum of six quotients, reaches 2.4e-4. The error of the method, step⁴ / 120 of a fifth derivative, is below 1e-6.
  const tolerance = 1e-3;

  test.each(cases)('%s', async (_, one) => {
    const { graph, feeds } = caseGraph(one);
    const gradient = gradientGraph(one);
    const gradients = await compute(gradient.graph, gradient.feeds);
    const weights = gradient.feeds.weights!.data;
    const forward = await runtime.compile(graph);
    const values = new Values(11);
    for (const operand of gradient.by) {
      const { shape, data } = feeds[`x${operand}`]!;
      const analytic = gradients[`d${operand}`]!.data;
      for (let repetition = 0; repetition < 3; repetition++) {
        const direction = values.awayFromZero(shape, 1, 1).data;
        /** Computes Σ y · weights at a distance along the direction, summed in float64. */
        const at = async (distance: number) => {
          const moved = float32(
            shape,
            Array.from(data, (x, i) => x + distance * direction[i]!),
          );
          const y = (await forward.run({ ...feeds, [`x${operand}`]: moved })).y0!.data as Float32Array;
          return y.reduce((sum, value, i) => sum + value * weights[i]!, 0);
        };
        const slope = async (distance: number) => ((await at(distance)) - (await at(-distance))) / (2 * distance);
        // Richardson's extrapolation of central differences: the terms in the square of the step cancel.
        const numeric = (4 * (await slope(step / 2)) - (await slope(step))) / 3;
        const expected = analytic.reduce((sum, d, i) => sum + d * direction[i]!, 0);
        const error = Math.abs(numeric - expected) / Math.max(Math.hypot(...analytic), 1e-3);
        expect(error, `operand ${operand}: ${expected} against ${numeric}`).toBeLessThan(tolerance);
      }
    }
    await forward.dispose();
  });
});

describe('gradients agree with those of TensorFlow.js', () => {
  // Two float32 computations. The worst case, a sum of six quotients that cancel, reaches 7e-6 of the largest element.
  const tolerance = 5e-5;

  test.each(cases)('%s', async (_, one) => {
    const { graph, feeds } = caseGraph(one);
    const gradient = gradientGraph(one);
    const actual = await compute(gradient.graph, gradient.feeds);
    tf.tidy(() => {
      const tensor = ({ dtype, shape, data }: g.TensorData) => tf.tensor(data, shape as number[], dtype);
      const fixed = Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, tensor(value)]));
      const differentiated = gradient.by.map((operand) => fixed[`x${operand}`]!);
      const forward = (...operands: tf.Tensor[]) => {
        const named = gradient.by.map((operand, i) => [`x${operand}`, operands[i]!] as const);
        return interpret(tf, graph, { ...fixed, ...Object.fromEntries(named) }).y0!;
      };
      const expected = tf.grads(forward)(differentiated, tensor(gradient.feeds.weights!));
      for (const [i, operand] of gradient.by.entries()) {
        const error = relativeError(actual[`d${operand}`]!.data, expected[i]!.dataSync());
        expect(error, `operand ${operand}`).toBeLessThan(tolerance);
      }
    });
  });
});

describe('the gradient', () => {
  const x = g.input('x', [3]);
  const feeds = { x: float32([3], [1, 2, 4]) };

  test('of a tensor that is used several times is the sum over its uses', async () => {
    const loss = g.sum(g.add(g.mul(x, x), g.add(x, g.div(8, x))));
    const [dx] = grad(loss, [x]);
    // 2x + 1 − 8/x²: each term is exact in float32.
    expect([...(await compute({ inputs: { x }, outputs: { dx: dx! } }, feeds)).dx!.data]).toEqual([-5, 3, 8.5]);
  });

  test('of a gradient is the second derivative', async () => {
    const [first] = grad(g.sum(g.mul(x, g.mul(x, x))), [x]);
    const [second] = grad(g.sum(first!), [x]);
    expect([...(await compute({ inputs: { x }, outputs: { second: second! } }, feeds)).second!.data]).toEqual([
      6, 12, 24,
    ]);
  });

  test('by an intermediate tensor treats it as independent', async () => {
    const middle = g.mul(x, 3);
    const [dx, dMiddle] = grad(g.sum(g.mul(middle, middle)), [x, middle]);
    const results = await compute({ inputs: { x }, outputs: { dx: dx!, dMiddle: dMiddle! } }, feeds);
    expect([...results.dMiddle!.data]).toEqual([6, 12, 24]);
    expect([...results.dx!.data]).toEqual([18, 36, 72]);
  });

  test('by a tensor that the scalar does not depend on is zero', async () => {
    const other = g.input('other', [2, 2]);
    const [d] = grad(g.sum(x), [other]);
    expect([
      ...(await compute({ inputs: { other }, outputs: { d: d! } }, { other: float32([2, 2], [1, 2, 3, 4]) })).d!.data,
    ]).toEqual([0, 0, 0, 0]);
  });

  test.each<[string, (x: g.Tensor) => g.Tensor]>([
    ['stopGradient', g.stopGradient],
    ['a cast to integers', (x) => g.cast(g.cast(x, 'int32'), 'float32')],
    ['a comparison', (x) => g.cast(g.less(x, 2), 'float32')],
    ['the condition of select', (x) => g.select(g.greater(x, 2), 1, 2)],
    ['argmax', (x) => g.cast(g.argmax(x), 'float32')],
    ['the indices of sort', (x) => g.cast(g.sort(x).indices, 'float32')],
    ['the indices of gather', (x) => g.gather(g.fill([5], 1), g.cast(x, 'int32'))],
  ])('does not flow through %s', async (_, build) => {
    // The gradient of x itself is 1.
    const [dx] = grad(g.add(g.sum(build(x)), g.sum(x)), [x]);
    expect([...(await compute({ inputs: { x }, outputs: { dx: dx! } }, feeds)).dx!.data]).toEqual([1, 1, 1]);
  });

  test.each<[string, (x: g.Tensor, y: g.Tensor) => g.Tensor, number[], number[]]>([
    ['of relu at 0 is 0', (x) => g.relu(x), [0, 0, 0], [0, 0, 0]],
    ['of the absolute value of 0 is 0', (x) => g.abs(x), [0, 0, 0], [0, 0, 0]],
    ['of the larger of equal elements goes to the first', g.maximum, [1, 1, 1], [0, 0, 0]],
    ['of the smaller of equal elements goes to the first', g.minimum, [1, 1, 1], [0, 0, 0]],
    ['of the largest of equal elements goes to each', (x) => g.max(x), [1, 1, 1], [0, 0, 0]],
    ['of the two largest of equal elements goes to the first two', (x) => g.sort(x, 2).values, [1, 1, 0], [0, 0, 0]],
  ])('%s', async (_, build, byX, byY) => {
    const y = g.input('y', [3]);
    const [dx, dy] = grad(g.sum(build(x, y)), [x, y]);
    const zeros = float32([3], [0, 0, 0]);
    const results = await compute({ inputs: { x, y }, outputs: { dx: dx!, dy: dy! } }, { x: zeros, y: zeros });
    expect(Array.from(results.dx!.data, Math.abs)).toEqual(byX);
    expect(Array.from(results.dy!.data, Math.abs)).toEqual(byY);
  });

  // The gradients of torch.pow(base, exponent).
  test.each([
    [0, 3, 0, 0],
    [0, 2, 0, 0],
    [0, 1, 1, 0],
    [0, 0.5, Infinity, 0],
    [0, 0, 0, 0],
    [0, -1, -Infinity, -Infinity],
    [-2, 3, 12, NaN],
    [-2, 2, -4, NaN],
    [-2, 0, 0, NaN],
    [-2, -1, -0.25, NaN],
    [-2, 0.5, NaN, NaN],
    [2, 0, 0, Math.LN2],
    [2, 3, 12, 8 * Math.LN2],
  ])(
    'of %d to the power of %d is %d by the base and %d by the exponent',
    async (base, exponent, byBase, byExponent) => {
      const [a, b] = [g.input('a', [1]), g.input('b', [1])];
      const [da, db] = grad(g.sum(g.pow(a, b)), [a, b]) as [g.Tensor, g.Tensor];
      const feeds = { a: float32([1], [base]), b: float32([1], [exponent]) };
      const results = await compute({ inputs: { a, b }, outputs: { da, db } }, feeds);
      for (const [actual, expected] of [
        [results.da!.data[0], byBase],
        [results.db!.data[0], byExponent],
      ] as const) {
        if (Number.isNaN(expected)) expect(actual).toBeNaN();
        else expect(actual).toBeCloseTo(expected, 6);
      }
    },
  );

  test('of a power at base 0 can be differentiated again', async () => {
    const exponents = g.constant(float32([4], [0, 1, 2, 3]));
    const bases = g.input('bases', [4]);
    const [first] = grad(g.sum(g.pow(bases, exponents)), [bases]);
    const [second] = grad(g.sum(first!), [bases]);
    const graph = { inputs: { bases }, outputs: { second: second! } };
    const results = await compute(graph, { bases: float32([4], [0, 0, 0, 0]) });
    expect(Array.from(results.second!.data, Math.abs)).toEqual([0, 0, 2, 0]);
  });

  test('of the maximum over windows goes to the first of equal pixels, in row-major order', async () => {
    const image = g.input('image', [1, 1, 4, 4]);
    const byPixels = (window: g.PoolingOptions) => grad(g.sum(g.maxPool2d(image, window)), [image])[0]!;
    const outputs = { apart: byPixels({ size: 2 }), overlapping: byPixels({ size: 3, stride: 1 }) };
    const plain = { image: float32([1, 1, 4, 4], Array(16).fill(3)) };
    const { apart, overlapping } = await compute({ inputs: { image }, outputs }, plain);
    // These are the gradients of PyTorch's max_pool2d.
    expect([...apart!.data]).toEqual([1, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0]);
    expect([...overlapping!.data]).toEqual([1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  });

  test('is in the layers of the operations that it differentiates', () => {
    const hidden = g.inLayer('encoder', () => g.tanh(x));
    const [dx] = grad(
      g.inLayer('loss', () => g.sum(g.mul(hidden, hidden))),
      [x],
    );
    const layersOf = (name: string) =>
      g.topologicalOrder([dx!]).flatMap((node) => (node.name === name ? [node.layer] : []));
    // The gradient of the sum is broadcast; those of the two products are added; the gradient of tanh is 1 − y².
    expect(layersOf('broadcast')).toEqual(['loss']);
    expect(layersOf('add')).toEqual(['loss']);
    expect(layersOf('sub')).toEqual(['encoder']);
  });

  test('exists only for a float32 scalar', () => {
    expect(() => grad(x, [x])).toThrow('grad: of must be a float32 scalar, not float32[3].');
    expect(() => grad(g.argmax(x), [x])).toThrow('grad: of must be a float32 scalar, not int32[].');
  });

  test('of an operator without a rule is refused with the names of the operator and its layer', () => {
    const cache = g.input('cache', [4, 3]);
    const written = g.inLayer('decoder.attention', () => g.update(cache, g.reshape(x, [1, 3]), g.scalar(0, 'int32')));
    expect(() => grad(g.sum(written), [x])).toThrow('operator update in decoder.attention has no gradient rule');

    const { carried } = g.loop(2, [x], (_, [state]) => ({ carried: [g.exp(state!)] }));
    expect(() => grad(g.sum(carried[0]!), [x])).toThrow('operator loop has no gradient rule');
  });

  test('by a tensor that only a loop captures is refused too', () => {
    const { carried } = g.loop(2, [g.fill([3], 0)], (_, [state]) => ({ carried: [g.add(state!, x)] }));
    expect(() => grad(g.sum(carried[0]!), [x])).toThrow('operator loop has no gradient rule');
  });

  test('ignores a loop that does not depend on the tensor', async () => {
    const { carried } = g.loop(3, [g.scalar(1)], (_, [state]) => ({ carried: [g.mul(state!, 2)] }));
    const [dx] = grad(g.sum(g.mul(x, carried[0]!)), [x]);
    expect([...(await compute({ inputs: { x }, outputs: { dx: dx! } }, feeds)).dx!.data]).toEqual([8, 8, 8]);
  });
});

describe('rematerialization', () => {
  const depth = 4;
  /** Residual layers whose operations are in layers named `layers.0.…`, and the gradients of a loss by their weights. */
  function build(rematerialize?: (layer: string) => string | undefined) {
    const x = g.input('x', [8, 16]);
    const scope = new g.ParameterScope();
    let h = layers.linear(scope.in('first'), x, 16);
    for (let layer = 0; layer < depth; layer++) {
      const at = scope.in('layers').in(layer);
      h = g.inLayer(at.path, () =>
        g.add(h, layers.linear(at.in('fc'), g.gelu(layers.layerNorm(at.in('norm'), g.exp(g.mul(h, 0.1)))), 16)),
      );
    }
    const names = [...scope.parameters.keys()];
    const gradients = grad(g.mean(g.square(h)), [...scope.parameters.values()], { rematerialize });
    const outputs = Object.fromEntries(names.map((name, i) => [`d ${name}`, gradients[i]!]));
    return { graph: { inputs: { x }, outputs }, parameters: initializeParameters(scope.parameters, 1) };
  }
  const segmentOf = (layer: string) => /^layers\.\d+/.exec(layer)?.[0];
  const count = ({ outputs }: g.Graph, name: string) =>
    g.topologicalOrder(Object.values(outputs)).filter((node) => node.name === name).length;

  test('computes the operations of a segment again, and no others', () => {
    const [plain, again] = [build().graph, build(segmentOf).graph];
    // The gelu of each layer is computed again; the result of each last addition is kept, as the input of the next layer.
    expect(count(again, 'exp')).toBeGreaterThanOrEqual(count(plain, 'exp') + depth);
    expect(count(again, 'gelu')).toBe(2 * count(plain, 'gelu'));
    expect(count(build(() => undefined).graph, 'gelu')).toBe(count(plain, 'gelu'));
  });

  test('gives the same bits', async () => {
    const compute = async ({ graph, parameters }: ReturnType<typeof build>) => {
      const executable = await runtime.compile(graph, { parameters });
      const x = float32([8, 16], new Values(5).awayFromZero([8, 16], 1, 1).data);
      const results = await executable.run({ x });
      await executable.dispose();
      return results;
    };
    expect(await compute(build(segmentOf))).toEqual(await compute(build()));
  });
});

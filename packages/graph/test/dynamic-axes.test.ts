import * as g from '@dalle-mini/graph';
import * as layers from '@dalle-mini/graph/layers';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { loadTfjs, TfjsRuntime } from '@dalle-mini/graph/tfjs';
import { float32, int32 } from '@dalle-mini/testing/values';
import { afterAll, describe, expect, test } from 'vitest';

const runtimes = [new OnnxRuntime({ threads: 1 }), new TfjsRuntime(await loadTfjs())];
afterAll(async () => {
  for (const runtime of runtimes) await runtime.dispose();
});

/** A matrix of 0 to 4 rows. */
const rows = (shape: readonly number[] = [4, 6], dynamic = 0) => g.input('x', shape, 'float32', { dynamic });
const values = (shape: readonly number[]) =>
  float32(
    [...shape],
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i + 1)),
  );

/** Functions with the dynamic axes of their result. With fewer rows, each must equal the same function in a graph of that size. */
const functions: Record<
  string,
  readonly [shape: number[], dynamic: number, f: (x: g.Tensor) => g.Tensor, axes: number[]]
> = {
  elementwise: [[4, 6], 0, (x) => g.exp(g.add(x, 1)), [0]],
  broadcasting: [[4, 6], 0, (x) => g.mul(g.fill([2, 1, 1], 3), x), [1]],
  'a product with a matrix': [[4, 6], 0, (x) => g.matmul(x, g.fill([6, 2], 0.5)), [0]],
  'a product of batches': [[2, 4, 6], 1, (x) => g.matmul(x, x, { transposeB: true }), [1, 2]],
  'a product that sums along it': [[2, 4, 6], 1, (x) => g.matmul(x, x, { transposeA: true }), []],
  attention: [
    [2, 4, 6],
    1,
    (x) => {
      const heads = layers.splitHeads(x, 3);
      return layers.mergeHeads(layers.dotProductAttention(heads, heads, heads));
    },
    [1],
  ],
  'attention with one head': [
    [1, 4, 6],
    1,
    (x) => {
      const heads = layers.splitHeads(x, 1);
      return layers.mergeHeads(layers.dotProductAttention(heads, heads, heads));
    },
    [1],
  ],
  'a reshape that moves it': [[2, 4], 1, (x) => g.reshape(x, [2, 1, 1, 4]), [3]],
  'a reshape between axes that stay': [[1, 4, 6], 1, (x) => g.reshape(x, [1, 1, 4, 6]), [2]],
  'a transposition': [[2, 4, 6], 1, (x) => g.transpose(x, [1, 2, 0]), [0]],
  'a sum over others': [[2, 4, 6], 1, (x) => g.sum(x, { axes: [0, 2] }), [0]],
  'a maximum along it': [[2, 4, 6], 1, (x) => g.max(x, { axes: [1], keepDims: true }), []],
  'softmax along it': [[2, 4], 1, (x) => g.softmax(x), [1]],
  'layer norm': [[4, 6], 0, (x) => g.normalize(x, 1e-5), [0]],
  'joined with others': [[2, 4], 1, (x) => g.concat([g.fill([2, 3], 1), x], 1), [1]],
  'cut to the end': [[2, 4], 1, (x) => g.sliceAxis(x, 1, 1, 4), [1]],
  'cut elsewhere': [[2, 4], 1, (x) => g.sliceAxis(x, 1, 0, 2), []],
  'argmax along another axis': [[4, 6], 0, (x) => g.argmax(x), [0]],
  'a cumulative sum': [[2, 4], 1, (x) => g.cumsum(x), [1]],
};

describe.each(runtimes.map((runtime) => [runtime.name, runtime] as const))('a dynamic axis on %s', (_, runtime) => {
  test.each(Object.entries(functions))('%s', async (__, [shape, dynamic, f, axes]) => {
    const x = rows(shape, dynamic);
    const y = f(x);
    expect(y.dynamic ?? []).toEqual(axes);
    const executable = await runtime.compile({ inputs: { x }, outputs: { y } });
    for (const size of [4, 3, 2]) {
      const some = shape.map((full, axis) => (axis === dynamic ? size : full));
      const fixed = g.input('x', some);
      // A slice to the end names its end, so it is another function for fewer rows.
      const alone = f === functions['cut to the end']![2] ? g.sliceAxis(fixed, 1, 1, size) : atSize(f, fixed, size);
      const wanted = await runtime.compile({ inputs: { x: fixed }, outputs: { y: alone } });
      const given = { x: values(some) };
      const [got, expected] = [await executable.run(given), await wanted.run(given)];
      expect(got.y!.shape).toEqual(expected.y!.shape);
      for (const [i, value] of got.y!.data.entries()) expect(value).toBeCloseTo(expected.y!.data[i]!, 5);
    }
  });

  test('any number of indices', async () => {
    const indices = g.input('indices', [2, 4], 'int32', { dynamic: 1 });
    const y = g.gather(g.constant(values([5, 3])), indices);
    expect(y.dynamic).toEqual([1]);
    const executable = await runtime.compile({ inputs: { indices }, outputs: { y } });
    const { y: got } = await executable.run({ indices: int32([2, 1], [4, 0]) });
    expect(got!.shape).toEqual([2, 1, 3]);
    expect([...got!.data]).toEqual([...values([5, 3]).data.slice(12), ...values([5, 3]).data.slice(0, 3)]);
  });

  test('in a tensor that a loop captures', async () => {
    const x = rows();
    const { carried } = g.loop(3, [g.fill([6], 0)], (___, [sum]) => ({
      carried: [g.add(sum!, g.sum(x, { axes: [0] }))],
      stacked: [],
    }));
    const executable = await runtime.compile({ inputs: { x }, outputs: { y: carried[0]! } });
    const { y } = await executable.run({ x: float32([2, 6], Array(12).fill(1)) });
    expect([...y!.data]).toEqual(Array(6).fill(6));
  });
});

/** Applies a function for size 4 of the dynamic axis at another size. Only reshapes name the size. */
function atSize(f: (x: g.Tensor) => g.Tensor, x: g.Tensor, size: number): g.Tensor {
  if (f === functions['a reshape that moves it']![2]) return g.reshape(x, [2, 1, 1, size]);
  if (f === functions['a reshape between axes that stay']![2]) return g.reshape(x, [1, 1, size, 6]);
  return f(x);
}

describe('a dynamic axis is refused, with the name of the operator, in', () => {
  test.each<[string, (x: g.Tensor) => unknown, string]>([
    [
      'a reshape that merges it with another axis',
      (x) => g.reshape(x, [24]),
      'reshape(float32[up to 4, 6]): axis 0 is dynamic and must stay an axis of its own.',
    ],
    [
      'a broadcast',
      (x) => g.broadcastTo(x, [2, 4, 6]),
      'broadcast(float32[up to 4, 6]): its operands must not have a dynamic axis',
    ],
    ['a sort', (x) => g.sort(x), 'sort(float32[up to 4, 6]): its operands must not have a dynamic axis'],
    [
      'a carried tensor of a loop',
      (x) => g.loop(2, [x], (_, [y]) => ({ carried: [y!], stacked: [] })),
      'loop(float32[up to 4, 6]): carried tensors must not have a dynamic axis.',
    ],
  ])('%s', (_, f, message) => {
    expect(() => f(rows())).toThrow(g.GraphError);
    expect(() => f(rows())).toThrow(message);
  });
});
test('a dynamic axis must be an axis of the input', () => {
  expect(() => g.input('x', [2], 'float32', { dynamic: 1 })).toThrow(
    'Input x: dynamic must be one of its axes, not 1.',
  );
});

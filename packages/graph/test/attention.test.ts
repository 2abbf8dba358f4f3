import * as g from '@dalle-mini/graph';
import * as layers from '@dalle-mini/graph/layers';
import { interpret, loadTfjs } from '@dalle-mini/graph/tfjs';
import { expect, test } from 'vitest';

const tf = await loadTfjs();
const valuesOf = (tensor: g.Tensor) => [...interpret(tf, { inputs: {}, outputs: { tensor } }, {}).tensor!.dataSync()];

test('a causal mask lets each position attend to itself and to earlier positions', () => {
  expect(valuesOf(layers.causalMask(3))).toEqual([1, 0, 0, 1, 1, 0, 1, 1, 1]);
});

test('queries are divided by the square root of their size', () => {
  expect(valuesOf(layers.scaleQueries(g.fill([1, 2, 4], 6)))).toEqual([3, 3, 3, 3, 3, 3, 3, 3]);
});

test('attention with a causal mask does not depend on later positions', () => {
  const attend = (last: number) => {
    const x = g.constant({ dtype: 'float32', shape: [1, 1, 2, 1], data: Float32Array.of(1, last) });
    return valuesOf(layers.dotProductAttention(x, x, x, layers.causalMask(2)));
  };
  expect(attend(2)[0]).toBe(1);
  expect(attend(5)[0]).toBe(1);
  expect(attend(5)[1]).not.toBe(attend(2)[1]);
});

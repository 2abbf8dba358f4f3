import { createRandom } from '@dalle-mini/core';
import * as g from '@dalle-mini/graph';
import { readParameterParts } from '@dalle-mini/graph/node';
import { emitStableHlo } from '@dalle-mini/graph/stablehlo';
import {
  descriptionOf,
  type InMemory,
  quantizeBlocks,
  quantizeColumns,
  quantizeRows,
  type StoredParameter,
} from '@dalle-mini/graph/stored';
import { expect, test } from 'vitest';
import { checkStableHlo } from './stablehlo-text.js';

const shape = [24, 70];
const random = createRandom(5);
const values = Float32Array.from({ length: 24 * 70 }, () => random.normal());
// Far from the others of its row.
values[75] = 40;

/** Products before and inside of a loop. */
function graphOf(): g.Graph {
  const w = new g.ParameterScope().parameter('w', shape, { kind: 'zeros', scale: 0 });
  const x = g.input('x', [3, 70]);
  const product = (value: g.Tensor) => g.matmul(value, w, { transposeB: true });
  const { carried } = g.loop(2, [x], (_, [state]) => ({ carried: [g.matmul(product(state!), w)] }));
  return { inputs: { x }, outputs: { before: product(x), after: carried[0]! } };
}

const rows = quantizeRows(values, shape);
const kinds: readonly (readonly [string, InMemory<StoredParameter>, readonly unknown[]])[] = [
  ['float32', { dtype: 'float32', shape, data: values }, [['w', 'float32', shape]]],
  ['float16', { kind: 'fp16', dtype: 'float32', shape, halves: new Uint16Array(24 * 70) }, [['w', 'float16', shape]]],
  [
    '8 bits by rows',
    rows,
    [
      ['w', 'int8', shape],
      ['w.scale', 'float32', [24]],
      ['w.outliers', 'float32', [rows.outlierCount]],
      ['w.outlier_positions', 'int32', [rows.outlierCount]],
    ],
  ],
  [
    '8 bits by columns',
    quantizeColumns(values, shape),
    [
      ['w.columns', 'uint8', [70, 24]],
      ['w.scales', 'float32', [24]],
    ],
  ],
  [
    '4 bits by blocks',
    quantizeBlocks(values, shape, { bits: 4 }),
    [
      ['w.blocks', 'uint8', [24, 3, 16]],
      ['w.scales', 'float32', [24, 3]],
    ],
  ],
];

test.each(kinds)('a parameter in %s is passed to a module as it is stored', async (_, value, expected) => {
  const { text, arguments: given } = emitStableHlo(graphOf(), { stored: new Map([['w', descriptionOf(value)]]) });
  checkStableHlo(text);
  const parameters = given.filter(({ kind }) => kind === 'parameter');
  expect(parameters.map(({ name, dtype, shape }) => [name, dtype, shape])).toEqual(expected);
  const parts = await readParameterParts(value);
  expect(parts.map(({ suffix, dtype, shape }) => [`w${suffix}`, dtype, shape])).toEqual(expected);
  for (const { shape, data } of parts) expect(data).toHaveLength(g.sizeOf(shape));
});

test('the description of a stored parameter has none of its values', () => {
  expect(descriptionOf(quantizeBlocks(values, shape))).toEqual({
    kind: 'blocks',
    dtype: 'float32',
    shape,
    bits: 8,
    blockSize: 32,
  });
  expect(descriptionOf({ dtype: 'float32', shape, data: values })).toEqual({ dtype: 'float32', shape });
});

test('a stored parameter is decoded once in each region that uses it', () => {
  const stored = new Map([['w', quantizeBlocks(values, shape, { bits: 4 })]]);
  const [before, after] = emitStableHlo(graphOf(), { stored }).text.split('stablehlo.while') as [string, string];
  expect([before, after].map((text) => text.split('shift_right_logical').length - 1)).toEqual([1, 1]);
});

test('a part of a stored parameter must not have the name of an input', () => {
  const x = g.input('w.scales', [3, 70]);
  const w = new g.ParameterScope().parameter('w', shape, { kind: 'zeros', scale: 0 });
  const graph = { inputs: { 'w.scales': x }, outputs: { y: g.matmul(x, w, { transposeB: true }) } };
  expect(() => emitStableHlo(graph, { stored: new Map([['w', quantizeBlocks(values, shape)]]) })).toThrow(
    'an input and a parameter are both named w.scales. Rename the input.',
  );
});

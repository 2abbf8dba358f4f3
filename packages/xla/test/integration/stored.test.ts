import { createRandom } from '@dalle-mini/core';
import * as g from '@dalle-mini/graph';
import {
  decodeParameter,
  type InMemory,
  quantizeBlocks,
  quantizeColumns,
  quantizeRows,
  type StoredParameter,
} from '@dalle-mini/graph/stored';
import { relativeError, Values } from '@dalle-mini/testing/values';
import { cpuPlugin, describeXla } from '@dalle-mini/testing/xla';
import { XlaRuntime } from '@dalle-mini/xla';
import { afterAll, beforeAll, expect, test } from 'vitest';

const random = createRandom(5);
/** Rows of 70 columns: the last block of a row has padding. */
const shape = [24, 70];
const values = Float32Array.from({ length: 24 * 70 }, () => random.normal());
// Far from the others of its row.
values[75] = 40;
const halves = Uint16Array.from(
  { length: 24 * 70 },
  () => 0x2c00 + random.integer(0x1400) + 0x8000 * random.integer(2),
);

const kinds: readonly (readonly [string, InMemory<StoredParameter>])[] = [
  ['float32', { dtype: 'float32', shape, data: values }],
  ['float16', { kind: 'fp16', dtype: 'float32', shape, halves }],
  ['8 bits by rows, with outliers', quantizeRows(values, shape)],
  ['8 bits by columns', quantizeColumns(values, shape)],
  ['8 bits by blocks', quantizeBlocks(values, shape, { bits: 8 })],
  ['4 bits by blocks', quantizeBlocks(values, shape, { bits: 4 })],
  ['4 bits by blocks of 16', quantizeBlocks(values, shape, { bits: 4, blockSize: 16 })],
];

/** Products before, inside of and after a loop, and rows. */
function graphOf(): g.Graph {
  const scope = new g.ParameterScope();
  const w = scope.parameter('w', shape, { kind: 'zeros', scale: 0 });
  const x = g.input('x', [3, 70]);
  const product = (value: g.Tensor) => g.matmul(value, w, { transposeB: true });
  const { carried } = g.loop(2, [x], (_, [state]) => ({ carried: [g.tanh(g.matmul(product(state!), w))] }));
  return {
    inputs: { x },
    outputs: { before: product(x), after: product(carried[0]!), rows: g.gather(w, g.range(5)) },
  };
}

describeXla('a stored parameter on XLA', () => {
  let runtime: XlaRuntime;
  beforeAll(async () => {
    runtime = await XlaRuntime.open({ plugin: cpuPlugin, cache: { maxBytes: 0 } });
  });
  afterAll(() => runtime?.dispose());

  async function compute(value: StoredParameter) {
    const executable = await runtime.compile(graphOf(), { parameters: new Map([['w', value]]) });
    try {
      return await executable.run({ x: new Values(1).floats([3, 70]) });
    } finally {
      await executable.dispose();
    }
  }

  test.each(kinds)('in %s has its decoded values', async (_, value) => {
    const actual = await compute(value);
    const expected = await compute({ dtype: 'float32', shape, data: decodeParameter(value) });
    expect([...actual.rows!.data]).toEqual([...expected.rows!.data]);
    // The order of sums depends on what XLA fuses.
    for (const name of ['before', 'after'])
      expect(relativeError(actual[name]!.data, expected[name]!.data), name).toBeLessThan(1e-5);
  });

  test('with an outlier outside of it is refused', async () => {
    const rows = quantizeRows(values, shape) as Extract<InMemory<StoredParameter>, { kind: 'rows' }>;
    const outlierPositions = Int32Array.from(rows.outlierPositions!, (position, i) => (i === 0 ? -1 : position));
    await expect(compute({ ...rows, outlierPositions })).rejects.toThrow(
      'An outlier must be at a position below 1680, not -1. The file is corrupt: download it again.',
    );
  });
});

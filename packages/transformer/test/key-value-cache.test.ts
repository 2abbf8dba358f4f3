import { concat, input, sliceAxis, type Tensor, type TensorData } from '@dalle-mini/graph';
import { dotProductAttention } from '@dalle-mini/graph/layers';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { relativeError, Values } from '@dalle-mini/testing/values';
import { attendToRow, type RowCache, writeColumn } from '@dalle-mini/transformer';
import { afterAll, expect, test } from 'vitest';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

test('a token attends to the caption, the rows before, and its row up to itself, as without a cache', async () => {
  const [batch, gridSize, values] = [2, 3, new Values(1)];
  const floats = (length: number) => values.floats([batch, 2, length, 4]);
  const given: Record<string, TensorData> = {
    queries: floats(1),
    keys: floats(1),
    values: floats(1),
    rowKeys: floats(gridSize),
    rowValues: floats(gridSize),
    beforeKeys: floats(gridSize),
    beforeValues: floats(gridSize),
    prefixKeys: floats(2),
    prefixValues: floats(2),
    column: { dtype: 'int32', shape: [], data: Int32Array.of(1) },
    unwritten: { dtype: 'bool', shape: [gridSize], data: Uint8Array.of(0, 0, 1) },
    // The first token of the first caption is padding.
    mask: { dtype: 'bool', shape: [batch, 1, 1, 2], data: Uint8Array.of(0, 1, 1, 1) },
    seen: { dtype: 'bool', shape: [batch, 1, 1, 5], data: new Uint8Array(10).fill(1) },
  };
  const inputs = Object.fromEntries(
    Object.entries(given).map(([name, { shape, dtype }]) => [name, input(name, shape, dtype)]),
  ) as Record<string, Tensor>;
  const pair = (keys: string, values: string) => ({ keys: inputs[keys]!, values: inputs[values]! });
  const own = pair('keys', 'values');
  const prefix = { ...pair('prefixKeys', 'prefixValues'), mask: inputs.mask };
  const before = pair('beforeKeys', 'beforeValues');
  const row = pair('rowKeys', 'rowValues');
  const cache: RowCache = {
    row,
    before,
    column: inputs.column!,
    unwritten: inputs.unwritten!,
    positions: { row: inputs.column! },
    prefix,
  };
  const written = writeColumn(cache, own);
  const join = (kind: 'keys' | 'values') =>
    concat([prefix[kind], before[kind], sliceAxis(row[kind], 2, 0, 1), own[kind]], 2);
  const outputs = {
    cached: attendToRow(inputs.queries!, written, cache, undefined),
    whole: dotProductAttention(inputs.queries!, join('keys'), join('values'), concat([inputs.mask!, inputs.seen!], 3)),
    writtenKeys: sliceAxis(written.keys, 2, 1, 2),
  };
  const executable = await runtime.compile({ inputs, outputs });
  const { cached, whole, writtenKeys } = await executable.run(given);
  await executable.dispose();
  expect(cached!.shape).toEqual([batch, 2, 1, 4]);
  expect(relativeError(cached!.data, whole!.data)).toBeLessThan(1e-6);
  expect(writtenKeys!.data).toEqual(given.keys!.data);
});

import { expect, test } from 'vitest';
import { enlargedDecoder } from '../src/second-edition/decoder-start.js';

test('positions of a larger grid lie between those of the smaller one', () => {
  // The embedding of a position is its row and its column.
  const data = Float32Array.from(Array.from({ length: 16 }, (_, i) => [Math.floor(i / 4), i % 4]).flat());
  const head = { dtype: 'float32', shape: [1], data: Float32Array.of(7) } as const;
  const enlarged = enlargedDecoder(
    new Map([
      ['embed_positions.weight', { dtype: 'float32', shape: [16, 2], data }],
      ['lm_head.weight', head],
    ]),
    4,
    8,
  );
  expect(enlarged.get('lm_head.weight')).toBe(head);
  const positions = enlarged.get('embed_positions.weight')!;
  expect(positions.shape).toEqual([64, 2]);
  const at = (row: number, column: number) => [...positions.data.subarray(2 * (row * 8 + column)).subarray(0, 2)];
  expect(at(0, 0)).toEqual([0, 0]);
  expect(at(3, 4)).toEqual([1.25, 1.75]);
  expect(at(7, 7)).toEqual([3, 3]);
});

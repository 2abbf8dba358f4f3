import { isWhole, readBlock, writeBlock } from '@dalle-mini/graph/stablehlo';
import { int32 } from '@dalle-mini/testing/values';
import { expect, test } from 'vitest';

/** [2, 3, 4]: the element at i, j, k is 100 i + 10 j + k. */
const shape = [2, 3, 4];
const whole = int32(
  shape,
  Array.from({ length: 24 }, (_, i) => 100 * Math.floor(i / 12) + 10 * (Math.floor(i / 4) % 3) + (i % 4)),
);

test.each([
  ['the last axis', [0, 0, 2], [2, 3, 2], [2, 3, 12, 13, 22, 23, 102, 103, 112, 113, 122, 123]],
  ['the middle axis', [0, 1, 0], [2, 1, 4], [10, 11, 12, 13, 110, 111, 112, 113]],
  ['the first axis', [1, 0, 0], [1, 3, 4], [100, 101, 102, 103, 110, 111, 112, 113, 120, 121, 122, 123]],
  ['two axes', [1, 0, 2], [1, 3, 2], [102, 103, 112, 113, 122, 123]],
  ['three axes', [1, 2, 3], [1, 1, 1], [123]],
])('a part that is cut along %s has these elements, and is written where it was', (_, starts, part, elements) => {
  const block = { starts, shape: part };
  const read = readBlock(whole, block);
  expect(read).toEqual(int32(part, elements));
  const zeros = int32(shape, Array(24).fill(0));
  writeBlock(zeros, block, read.data);
  expect([...zeros.data].filter((value) => value !== 0)).toEqual(elements.filter((value) => value !== 0));
  expect(readBlock(zeros, block)).toEqual(read);
});

test('a part that is the whole tensor is not copied', () => {
  expect(isWhole(shape, { starts: [0, 0, 0], shape })).toBe(true);
  expect(isWhole(shape, { starts: [0, 0, 0], shape: [2, 3, 2] })).toBe(false);
  expect(readBlock(whole, { starts: [0, 0, 0], shape })).toBe(whole);
});

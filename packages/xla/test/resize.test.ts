import { float32, int32 } from '@dalle-mini/testing/values';
import { expect, test } from 'vitest';
import { resize } from '../src/runtime/resize.js';

test('a tensor is padded with zeros and cut off, along any axes', () => {
  const small = float32([2, 2], [1, 2, 3, 4]);
  expect(resize(small, [2, 2])).toBe(small);
  const large = float32([3, 3], [1, 2, 0, 3, 4, 0, 0, 0, 0]);
  expect(resize(small, [3, 3])).toEqual(large);
  expect(resize(large, [2, 2])).toEqual(small);
  expect(resize(int32([2, 0], []), [2, 1])).toEqual(int32([2, 1], [0, 0]));
  expect(resize(small, [0, 2])).toEqual(float32([0, 2], []));
});

import type { TensorData } from '@dalle-mini/graph';
import { expect } from 'vitest';

/** Computes the largest difference relative to the largest value, or NaN if a value is NaN. */
export function relativeError(actual: TensorData, expected: TensorData): number {
  expect(actual.shape).toEqual(expected.shape);
  let scale = 0;
  let worst = 0;
  for (const [i, value] of expected.data.entries()) {
    scale = Math.max(scale, Math.abs(value));
    worst = Math.max(worst, Math.abs(value - actual.data[i]!));
  }
  return worst / scale;
}

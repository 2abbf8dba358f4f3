import { writePixels } from '@dalle-mini/vqgan';
import { expect, test } from 'vitest';

// Two pixels, black and white in red; 51 is a fifth of 255.
const image = { width: 2, height: 1, data: Uint8Array.of(0, 51, 255, 255, 51, 0) };

test('pixels are written plane by plane, from −1 to 1, at an offset', () => {
  const target = new Float32Array(8).fill(9);
  writePixels(image, target, 1);
  expect([...target].map((value) => Number(value.toFixed(6)))).toEqual([9, -1, 1, -0.6, -0.6, 1, -1, 9]);
});

test('pixels are written in another range', () => {
  const target = new Float32Array(6);
  writePixels(image, target, 0, [0, 1]);
  expect([...target].map((value) => Number(value.toFixed(6)))).toEqual([0, 1, 0.2, 0.2, 1, 0]);
});

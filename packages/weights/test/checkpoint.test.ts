import { CheckpointError, fromFloat32, fromInt32, type StoredTensor, toFloat32, toInt32 } from '@dalle-mini/weights';
import { describe, expect, test } from 'vitest';

const tensor = (dtype: StoredTensor['dtype'], elements: ArrayBufferView, shape: number[]): StoredTensor => ({
  dtype,
  shape,
  bytes: new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength),
});

describe('toFloat32', () => {
  test.each([
    ['F64', Float64Array.of(-1.5, 0.1), [-1.5, Math.fround(0.1)]],
    ['F32', Float32Array.of(-1.5, 0.1), [-1.5, Math.fround(0.1)]],
    ['I64', BigInt64Array.of(-5n, 2n ** 40n), [-5, 2 ** 40]],
    ['I32', Int32Array.of(-5, 7), [-5, 7]],
    ['I16', Int16Array.of(-5, 7), [-5, 7]],
    ['I8', Int8Array.of(-5, 7), [-5, 7]],
    ['U8', Uint8Array.of(255, 7), [255, 7]],
    ['BOOL', Uint8Array.of(0, 255), [0, 1]],
  ] as const)('converts %s', (dtype, elements, expected) => {
    expect([...toFloat32(tensor(dtype, elements, [2]))]).toEqual(expected);
  });

  test('shares the memory of aligned F32 and copies what is not aligned', () => {
    const aligned = Float32Array.of(1, 2);
    expect(toFloat32(tensor('F32', aligned, [2])).buffer).toBe(aligned.buffer);
    const shifted = new Uint8Array(9);
    shifted.set(new Uint8Array(aligned.buffer), 1);
    expect([...toFloat32(tensor('F32', shifted.subarray(1), [2]))]).toEqual([1, 2]);
  });

  test('refuses bytes that do not fit the shape', () => {
    expect(() => toFloat32(tensor('F32', Float32Array.of(1, 2), [3]))).toThrow(
      /8 bytes, but F32 of shape \[3\] takes 12/,
    );
  });
});

describe('toInt32', () => {
  test.each([
    ['I64', BigInt64Array.of(-(2n ** 31n), 2n ** 31n - 1n), [-(2 ** 31), 2 ** 31 - 1]],
    ['I32', Int32Array.of(-5, 7), [-5, 7]],
    ['I16', Int16Array.of(-5, 7), [-5, 7]],
    ['I8', Int8Array.of(-5, 7), [-5, 7]],
    ['U8', Uint8Array.of(255, 7), [255, 7]],
    ['BOOL', Uint8Array.of(0, 255), [0, 1]],
  ] as const)('converts %s', (dtype, elements, expected) => {
    expect([...toInt32(tensor(dtype, elements, [2]))]).toEqual(expected);
  });

  test('refuses a value past 32 bits and names it', () => {
    expect(() => toInt32(tensor('I64', BigInt64Array.of(1n, 2n ** 31n), [2]))).toThrow(
      /Element 1 must be in .* not 2147483648/,
    );
  });

  test('refuses floating-point tensors', () => {
    expect(() => toInt32(fromFloat32(Float32Array.of(1), [1]))).toThrow(CheckpointError);
  });
});

describe('fromFloat32 and fromInt32', () => {
  test('give back what they were given', () => {
    const floats = Float32Array.of(1, -2, 3, -4);
    expect(toFloat32(fromFloat32(floats.subarray(1, 3), [2, 1]))).toEqual(Float32Array.of(-2, 3));
    expect(toInt32(fromInt32(Int32Array.of(5, -6), [2]))).toEqual(Int32Array.of(5, -6));
  });

  test.each([[[3]], [[2, -1]], [[0.5]], [[2 ** 30, 2 ** 30]]])('refuse two elements for shape [%s]', (shape) => {
    expect(() => fromFloat32(Float32Array.of(1, 2), shape)).toThrow(CheckpointError);
  });
});

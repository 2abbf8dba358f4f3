import { type StoredDtype, transposeInPlace } from '@dalle-mini/weights';
import { describe, expect, test } from 'vitest';

const bytesOf = (array: { buffer: ArrayBuffer }) => new Uint8Array(array.buffer);

describe('transposing in place', () => {
  const cases: [StoredDtype, (values: number[]) => { buffer: ArrayBuffer }][] = [
    ['I8', (values) => Int8Array.from(values)],
    ['F16', (values) => Uint16Array.from(values)],
    ['F32', (values) => Float32Array.from(values)],
    ['I64', (values) => BigInt64Array.from(values.map((value) => BigInt(value) - 3n))],
  ];

  test.each(cases)('exchanges the axes of a matrix of %s', (dtype, make) => {
    const given = bytesOf(make([0, 1, 2, 3, 4, 5]));
    const { bytes, ...result } = transposeInPlace({ dtype, shape: [2, 3], bytes: given }, [1, 0]);
    expect(result).toEqual({ dtype, shape: [3, 2] });
    expect(bytes).toEqual(bytesOf(make([0, 3, 1, 4, 2, 5])));
    expect(bytes.buffer).toBe(given.buffer);
  });

  test('orders four axes as asked', () => {
    const [height, width, inputs, outputs] = [2, 3, 4, 5];
    const kernel = Float32Array.from({ length: 120 }, (_, i) => i);
    const tensor = { dtype: 'F32', shape: [height, width, inputs, outputs], bytes: bytesOf(kernel.slice()) } as const;
    const { shape, bytes } = transposeInPlace(tensor, [3, 2, 0, 1]);
    expect(shape).toEqual([5, 4, 2, 3]);
    const moved = new Float32Array(bytes.buffer);
    for (const [o, i, y, x] of [
      [0, 0, 0, 0],
      [4, 0, 1, 2],
      [1, 3, 0, 1],
      [3, 2, 1, 0],
    ] as const)
      expect(moved[((o * 4 + i) * 2 + y) * 3 + x]).toBe(kernel[((y * width + x) * inputs + i) * outputs + o]);
  });

  test('takes bytes that lie anywhere in memory, also in a Buffer', () => {
    const memory = Buffer.from(new ArrayBuffer(17));
    const bytes = memory.subarray(1);
    bytes.set(bytesOf(Float32Array.of(1, 2, 3, 4)));
    transposeInPlace({ dtype: 'F32', shape: [2, 2], bytes }, [1, 0]);
    expect(Uint8Array.from(bytes)).toEqual(bytesOf(Float32Array.of(1, 3, 2, 4)));
    expect(memory[0]).toBe(0);
  });

  test('leaves nothing to do where there are no elements', () => {
    const empty = { dtype: 'F32', shape: [0, 3], bytes: new Uint8Array() } as const;
    expect(transposeInPlace(empty, [1, 0])).toEqual({ ...empty, shape: [3, 0] });
  });
});

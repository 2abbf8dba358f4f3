import { fromFloat32, type StoredTensor, toFloat32 } from '@dalle-mini/weights';
import { describe, expect, test } from 'vitest';

const bits = (tensor: StoredTensor) => [...new Uint16Array(tensor.bytes.buffer, tensor.bytes.byteOffset)];
const encode = (dtype: 'F16' | 'BF16', ...values: number[]) =>
  bits(fromFloat32(Float32Array.from(values), [values.length], dtype));
const everyPattern = (dtype: 'F16' | 'BF16'): StoredTensor => {
  const patterns = Uint16Array.from({ length: 65536 }, (_, index) => index);
  return { dtype, shape: [65536], bytes: new Uint8Array(patterns.buffer) };
};

describe('16-bit floating point', () => {
  test.each(['F16', 'BF16'] as const)('gives every %s value back when it is read and stored again', (dtype) => {
    const source = everyPattern(dtype);
    const values = toFloat32(source);
    const again = bits(fromFloat32(values, [65536], dtype));
    const changed = bits(source).filter((pattern, index) => again[index] !== pattern && !Number.isNaN(values[index]));
    expect(changed).toEqual([]);
    expect(values.filter(Number.isNaN)).toHaveLength(dtype === 'F16' ? 2 * 1023 : 2 * 127);
  });

  // Between two neighbours the one nearer wins, and of two equally near the one whose last bit is 0: tried against the
  // definition for every pair of finite neighbours, just below, at and just above the middle.
  test.each(['F16', 'BF16'] as const)('rounds to the nearest %s, ties to even', (dtype) => {
    const positive = toFloat32(everyPattern(dtype)).subarray(0, dtype === 'F16' ? 0x7c00 : 0x7f80);
    const middles = Float32Array.from(positive.subarray(1), (upper, index) => (positive[index]! + upper) / 2);
    const raw = new Uint32Array(middles.buffer);
    const nudged = (by: number) => new Float32Array(Uint32Array.from(raw, (pattern) => pattern + by).buffer);
    const lower = middles.map((_, index) => index);
    const upper = middles.map((_, index) => index + 1);
    const shape = [middles.length];
    expect(bits(fromFloat32(nudged(-1), shape, dtype))).toEqual([...lower]);
    expect(bits(fromFloat32(middles, shape, dtype))).toEqual([...lower.map((pattern) => pattern + (pattern & 1))]);
    expect(bits(fromFloat32(nudged(1), shape, dtype))).toEqual([...upper]);
  });

  test('keeps signs, zeros, infinities and NaN', () => {
    const values = [0, -0, -1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    expect(encode('F16', ...values)).toEqual([0, 0x8000, 0xbc00, 0x7c00, 0xfc00]);
    expect(encode('BF16', ...values)).toEqual([0, 0x8000, 0xbf80, 0x7f80, 0xff80]);
    const lowPayload = new Float32Array(Uint32Array.of(0x7f800001).buffer);
    for (const dtype of ['F16', 'BF16'] as const) {
      expect(toFloat32(fromFloat32(lowPayload, [1], dtype))[0]).toBeNaN();
    }
  });

  test('turns what is past the range of F16 into infinity, from halfway to the next power of two', () => {
    expect(encode('F16', 65519.996, 65520, 1e30, -65520)).toEqual([0x7bff, 0x7c00, 0x7c00, 0xfc00]);
  });
});

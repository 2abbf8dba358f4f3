import {
  type Checkpoint,
  CheckpointError,
  dequantize,
  fromFloat32,
  fromInt32,
  quantize,
  quantizeRows,
  toFloat32,
} from '@dalle-mini/weights';
import { describe, expect, it } from 'vitest';
import { uniform } from './random.js';

const roundTrip = (data: Float32Array, shape: number[]) => {
  const { values, scale } = quantizeRows(data, shape);
  const restored = dequantize(
    new Map([
      ['w', values],
      ['w.scale', scale],
    ]),
  ).get('w')!;
  return { scale: toFloat32(scale), restored };
};

describe('quantizeRows', () => {
  it('is off by at most half a scale, each row by its own', () => {
    const random = uniform(1);
    const rows = 5;
    const data = Float32Array.from({ length: rows * 12 }, (_, i) => (random() - 0.5) * 10 ** Math.floor(i / 12));
    const { scale, restored } = roundTrip(data, [rows, 3, 4]);
    expect(restored.shape).toEqual([rows, 3, 4]);
    // The last factor allows for the float32 rounding of the scale and of the product.
    const worst = data.map((value, i) => Math.abs(value - restored.data[i]!) / scale[Math.floor(i / 12)]!);
    expect(Math.max(...worst)).toBeLessThanOrEqual(0.5 * (1 + 2 ** -14));
    expect(Math.max(...worst)).toBeGreaterThan(0.4);
  });

  it('keeps zeros and the largest value of each row', () => {
    const { restored } = roundTrip(Float32Array.of(0, -0.7, 0, 0, 0, 3), [2, 3]);
    expect([...restored.data].map((value) => Math.fround(value))).toEqual([0, expect.closeTo(-0.7, 6), 0, 0, 0, 3]);
  });

  it('stays within range for values near the smallest float32', () => {
    const { restored } = roundTrip(Float32Array.of(2e-43, -2e-43, 1e-45, 0), [2, 2]);
    expect(Math.max(...restored.data.map((value, i) => Math.abs(value - [2e-43, -2e-43, 1e-45, 0][i]!)))).toBeLessThan(
      1e-43,
    );
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('refuses %s and names its row', (value) => {
    expect(() => quantizeRows(Float32Array.of(1, 2, 3, value), [2, 2])).toThrow(/Row 1 holds/);
  });

  it('refuses scalars and data of another size', () => {
    expect(() => quantizeRows(Float32Array.of(1), [])).toThrow(CheckpointError);
    expect(() => quantizeRows(Float32Array.of(1, 2), [3])).toThrow(CheckpointError);
  });
});

describe('quantize and dequantize', () => {
  const checkpoint: Checkpoint = new Map([
    ['dense.weight', fromFloat32(Float32Array.of(1, -2, 3, 4), [2, 2], 'F16')],
    ['dense.bias', fromFloat32(Float32Array.of(0.1, 0.2), [2])],
    ['norm.scale', fromFloat32(Float32Array.of(0.3), [1])],
    ['positions', fromInt32(Int32Array.of(1, 2), [1, 2])],
  ]);

  it('stores matrices in 8 bits and leaves vectors and integers as they are', () => {
    const compact = quantize(checkpoint);
    expect([...compact].map(([name, { dtype, shape }]) => `${name} ${dtype} [${shape}]`)).toEqual([
      'dense.weight I8 [2,2]',
      'dense.weight.scale F32 [2]',
      'dense.bias F32 [2]',
      'norm.scale F32 [1]',
      'positions I32 [1,2]',
    ]);
  });

  it('restores the names and shapes that were there, as float32', () => {
    const restored = dequantize(quantize(checkpoint));
    expect([...restored.keys()]).toEqual([...checkpoint.keys()]);
    expect(restored.get('norm.scale')).toEqual({ dtype: 'float32', shape: [1], data: Float32Array.of(0.3) });
    expect(restored.get('positions')!.data).toEqual(Float32Array.of(1, 2));
  });

  it('refuses to overwrite a tensor that has the name of a scale', () => {
    const taken = new Map([...checkpoint, ['dense.weight.scale', fromFloat32(Float32Array.of(1), [1])] as const]);
    expect(() => quantize(taken)).toThrow(/"dense.weight.scale", which is taken/);
  });

  it('refuses an 8-bit tensor without its scale, or with one of another shape', () => {
    const compact = quantize(checkpoint);
    compact.delete('dense.weight.scale');
    expect(() => dequantize(compact)).toThrow(/"dense.weight".*there is none/);
    compact.set('dense.weight.scale', fromFloat32(Float32Array.of(1, 2, 3), [3]));
    expect(() => dequantize(compact)).toThrow(/F32 \[3\]/);
  });
});

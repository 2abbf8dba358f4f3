import { dequantize, quantize, quantizeRows } from '@dalle-mini/graph/stored';
import { Values } from '@dalle-mini/testing/values';
import { type Checkpoint, CheckpointError, fromFloat32, fromInt32 } from '@dalle-mini/weights';
import { describe, expect, test } from 'vitest';

const roundTrip = (data: Float32Array, shape: number[]) =>
  dequantize(quantize(new Map([['w', fromFloat32(data, shape)]]))).get('w')!;

describe('quantizeRows', () => {
  test('has an error of at most half the scale of each row', () => {
    const rows = 5;
    const data = Float32Array.from(
      new Values(1).floats([rows * 12]).data,
      (value, i) => value * 10 ** Math.floor(i / 12),
    );
    const { scale } = quantizeRows(data, [rows, 3, 4]);
    const restored = roundTrip(data, [rows, 3, 4]);
    expect(restored.shape).toEqual([rows, 3, 4]);
    // The last factor allows for the float32 rounding of the scale and of the product.
    const worst = data.map((value, i) => Math.abs(value - restored.data[i]!) / scale[Math.floor(i / 12)]!);
    expect(Math.max(...worst)).toBeLessThanOrEqual(0.5 * (1 + 2 ** -14));
    expect(Math.max(...worst)).toBeGreaterThan(0.4);
  });

  test('keeps zeros and the largest value of each row', () => {
    const { data } = roundTrip(Float32Array.of(0, -0.7, 0, 0, 0, 3), [2, 3]);
    expect([...data]).toEqual([0, expect.closeTo(-0.7, 6), 0, 0, 0, expect.closeTo(3, 6)]);
  });

  test('stores an outlier in full precision, so that its row keeps a small scale', () => {
    const row = Float32Array.from({ length: 100 }, (_, i) => (i % 2 ? 0.01 : -0.02));
    const data = Float32Array.of(...row, ...row);
    data[137] = -6.2354;
    const { rows, scale, outliers, outlierPositions } = quantizeRows(data, [2, 100]);
    expect(outliers).toEqual(Float32Array.of(-6.2354));
    expect(outlierPositions).toEqual(Int32Array.of(137));
    expect(rows[137]).toBe(0);
    expect(scale[1]).toBeCloseTo(0.02 / 127, 6);
    const restored = roundTrip(data, [2, 100]).data;
    expect(restored[137]).toBe(data[137]);
    expect(Math.max(...restored.map((value, i) => Math.abs(value - data[i]!)))).toBeLessThan(0.02 / 127);
  });

  test('stays within range for values near the smallest float32', () => {
    const data = Float32Array.of(2e-43, -2e-43, 1e-45, 0);
    const restored = roundTrip(data, [2, 2]).data;
    expect(Math.max(...restored.map((value, i) => Math.abs(value - data[i]!)))).toBeLessThan(1e-43);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'refuses %s and names its row',
    (value) => {
      expect(() => quantizeRows(Float32Array.of(1, 2, 3, value), [2, 2])).toThrow(/row 1 must be finite/);
    },
  );

  test('refuses scalars and data of another size', () => {
    expect(() => quantizeRows(Float32Array.of(1), [])).toThrow('the tensor must have at least one axis');
    expect(() => quantizeRows(Float32Array.of(1, 2), [3])).toThrow(
      'the data must have 3 elements for shape [3], not 2.',
    );
  });
});

describe('quantize and dequantize', () => {
  const wide = Float32Array.from({ length: 40 }, (_, i) => (i === 7 ? 50 : 1));
  const checkpoint: Checkpoint = new Map([
    ['dense.weight', fromFloat32(Float32Array.of(1, -2, 3, 4), [2, 2], 'F16')],
    ['dense.bias', fromFloat32(Float32Array.of(0.1, 0.2), [2])],
    ['norm.scale', fromFloat32(Float32Array.of(0.3), [1])],
    ['positions', fromInt32(Int32Array.of(1, 2), [1, 2])],
    ['wide', fromFloat32(wide, [1, 40])],
  ]);
  const broken = (name: string, tensor = fromFloat32(Float32Array.of(1, 2, 3), [3])) =>
    new Map([...quantize(checkpoint), [name, tensor] as const]);

  test('stores matrices in 8 bits and does not change vectors and integers', () => {
    expect([...quantize(checkpoint)].map(([name, { dtype, shape }]) => `${name} ${dtype} [${shape}]`)).toEqual([
      'dense.weight I8 [2,2]',
      'dense.weight.scale F32 [2]',
      'dense.bias F32 [2]',
      'norm.scale F32 [1]',
      'positions I32 [1,2]',
      'wide I8 [1,40]',
      'wide.scale F32 [1]',
      'wide.outliers F32 [1]',
      'wide.outlier_positions I32 [1]',
    ]);
  });

  test('restores the original names and shapes, as float32', () => {
    const restored = dequantize(quantize(checkpoint));
    expect([...restored.keys()]).toEqual([...checkpoint.keys()]);
    expect(restored.get('norm.scale')).toEqual({ dtype: 'float32', shape: [1], data: Float32Array.of(0.3) });
    expect(restored.get('positions')!.data).toEqual(Float32Array.of(1, 2));
    expect(restored.get('wide')!.data).toEqual(wide);
  });

  test('accepts tensors without elements', () => {
    const empty = new Map([
      ['a', fromFloat32(new Float32Array(), [0, 3])],
      ['b', fromFloat32(new Float32Array(), [3, 0])],
    ]);
    expect([...dequantize(quantize(empty)).values()].map(({ shape }) => shape)).toEqual([
      [0, 3],
      [3, 0],
    ]);
  });

  test.each(['dense.weight.scale', 'wide.outliers', 'wide.outlier_positions'])('refuses to overwrite %s', (name) => {
    const taken = new Map([...checkpoint, [name, fromFloat32(Float32Array.of(1), [1])] as const]);
    expect(() => quantize(taken)).toThrow(`The name "${name}" must be free`);
  });

  test('refuses an 8-bit tensor without its scale', () => {
    const compact = quantize(checkpoint);
    compact.delete('dense.weight.scale');
    expect(() => dequantize(compact)).toThrow('dense.weight.scale is missing');
  });

  test.each([
    ['a scale of another shape', broken('dense.weight.scale'), 'dense.weight.scale must have shape [2], not [3]'],
    ['outliers without positions', broken('dense.weight.outliers'), 'dense.weight.outlier_positions is missing'],
    ['more outliers than positions', broken('wide.outliers'), 'wide.outlier_positions must have shape [3], not [1]'],
    [
      'positions of another type',
      broken('wide.outlier_positions'),
      'wide.outlier_positions must have shape [1], not [3]',
    ],
    [
      'a position past the end',
      broken('wide.outlier_positions', fromInt32(Int32Array.of(40), [1])),
      'wide: An outlier must be at a position below 40, not 40.',
    ],
    [
      'a negative position',
      broken('wide.outlier_positions', fromInt32(Int32Array.of(-1), [1])),
      'wide: An outlier must be at a position below 40, not -1.',
    ],
  ])('refuses %s', (_, checkpoint, message) => {
    expect(() => dequantize(checkpoint)).toThrow(CheckpointError);
    expect(() => dequantize(checkpoint)).toThrow(message);
  });
});

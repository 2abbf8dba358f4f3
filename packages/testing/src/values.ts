import { createRandom, type Random, shuffled } from '@dalle-mini/core';
import { type Shape, sizeOf, type TensorData } from '@dalle-mini/graph';

/** Makes random operands for tests, the same ones for the same seed. */
export class Values {
  private readonly random: Random;

  constructor(seed: number) {
    this.random = createRandom(seed);
  }

  /** Uniform in `[low, high]`, in multiples of 2⁻¹⁰: adding a power of two to them is exact in float32. */
  floats(shape: Shape, low = -1, high = 1): TensorData {
    const draw = () => Math.round((low + (high - low) * this.random.uniform()) * 1024) / 1024;
    return { dtype: 'float32', shape, data: Float32Array.from({ length: sizeOf(shape) }, draw) };
  }

  /** Multiples of 1/8 and an offset: numbers of two offsets 1/16 apart never meet when one of them moves by less. */
  lattice(shape: Shape, offset = 0): TensorData {
    const draw = () => (this.random.integer(17) - 8) / 8 + offset;
    return { dtype: 'float32', shape, data: Float32Array.from({ length: sizeOf(shape) }, draw) };
  }

  /** Distinct floats in random order, 1/8 apart: away from the kinks of `max` and `sort`. */
  distinct(shape: Shape): TensorData {
    const count = sizeOf(shape);
    const ladder = Array.from({ length: count }, (_, i) => (i - Math.floor(count / 2)) / 8);
    return { dtype: 'float32', shape, data: Float32Array.from(shuffled(ladder, this.random.uint32())) };
  }

  /** Floats of either sign whose distance from 0 is in `[low, high]`: away from the kink of `relu` or `abs`. */
  awayFromZero(shape: Shape, low = 0.25, high = 2): TensorData {
    const { data } = this.floats(shape, low, high);
    return { dtype: 'float32', shape, data: Float32Array.from(data, (x) => (this.random.uint32() % 2 === 0 ? x : -x)) };
  }

  /** Uniform integers in `[low, high)`. */
  integers(shape: Shape, low: number, high: number): TensorData {
    const draw = () => low + this.random.integer(high - low);
    return { dtype: 'int32', shape, data: Int32Array.from({ length: sizeOf(shape) }, draw) };
  }

  booleans(shape: Shape): TensorData {
    return {
      dtype: 'bool',
      shape,
      data: Uint8Array.from({ length: sizeOf(shape) }, () => this.random.integer(2)),
    };
  }
}

export const float32 = (shape: Shape, data: Iterable<number>): TensorData => ({
  dtype: 'float32',
  shape,
  data: Float32Array.from(data),
});

export const int32 = (shape: Shape, data: Iterable<number>): TensorData => ({
  dtype: 'int32',
  shape,
  data: Int32Array.from(data),
});

/**
 * The largest difference of two tensors, relative to the largest element of the second. (Relative to each element would
 * ask of a sum that nearly cancels for more digits than float32 has.)
 */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let scale = 1e-3;
  for (let i = 0; i < expected.length; i++) {
    const distance = Object.is(actual[i], expected[i]) ? 0 : Math.abs(actual[i]! - expected[i]!);
    if (Number.isNaN(distance)) return Number.POSITIVE_INFINITY;
    difference = Math.max(difference, distance);
    if (Number.isFinite(expected[i]!)) scale = Math.max(scale, Math.abs(expected[i]!));
  }
  return difference / scale;
}

import { createRandom, sampleInteger, sampleNormal, sampleUniform, shuffle } from '@dalle-mini/graph';
import { describe, expect, test } from 'vitest';

const repeat = <T>(count: number, draw: () => T): T[] => Array.from({ length: count }, draw);
const moment = (values: readonly number[], power: number, about = 0) =>
  values.reduce((sum, x) => sum + (x - about) ** power, 0) / values.length;

/** Pearson's statistic of counts that should be alike. */
function chiSquare(counts: readonly number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

function countsOf(values: readonly number[], classes: number): number[] {
  const counts = Array<number>(classes).fill(0);
  for (const value of values) counts[value]!++;
  return counts;
}

describe('a seeded generator', () => {
  // From the definition of sfc32 written down once more, in Python.
  test.each([
    [0, 0, [1363572419, 145230303, 808754475, 4216505632]],
    [1, 0, [441792574, 614447336, 1644328534, 3387734806]],
    [1, 1, [848619078, 983753430, 4180048585, 4114208188]],
    [42, 0, [3648644458, 4206697674, 2509843200, 3011021589]],
    [-1, 0, [3198948910, 1207870834, 3536270770, 1764797259]],
    [2 ** 40 + 7, 3, [1360754365, 461997770, 2630647728, 2464712560]],
  ])('of seed %d and stream %d always gives the same integers', (seed, stream, expected) => {
    expect(repeat(4, createRandom(seed, stream))).toEqual(expected);
  });

  test('gives other integers for another seed or stream', () => {
    const starts = [0, 1, 2].flatMap((seed) => [0, 1, 2].map((stream) => createRandom(seed, stream)()));
    expect(new Set(starts).size).toBe(9);
  });

  test('has streams that do not correlate', () => {
    const [a, b] = [createRandom(5, 0), createRandom(5, 1)];
    const products = repeat(10_000, () => (sampleUniform(a) - 0.5) * (sampleUniform(b) - 0.5));
    // The mean of such products has the standard deviation 1/12 / √10000; four of them.
    expect(Math.abs(moment(products, 1))).toBeLessThan((4 / 12) * 0.01);
  });

  test('takes whole numbers only', () => {
    expect(() => createRandom(0.5)).toThrow('a seed must be a whole number, not 0.5');
    expect(() => createRandom(Number.NaN)).toThrow(RangeError);
  });
});

describe('uniform numbers', () => {
  const random = createRandom(1);
  const values = repeat(100_000, () => sampleUniform(random));

  test('are at least 0, below 1, and exact in float32', () => {
    expect(values.every((x) => x >= 0 && x < 1 && Math.fround(x) === x)).toBe(true);
  });

  test('have the mean and variance of their distribution', () => {
    // Four standard deviations of each estimate.
    expect(Math.abs(moment(values, 1) - 1 / 2)).toBeLessThan(4 * Math.sqrt(1 / 12 / values.length));
    expect(Math.abs(moment(values, 2, 0.5) - 1 / 12)).toBeLessThan(4 * Math.sqrt(1 / 180 / values.length));
  });
});

describe('normal numbers', () => {
  const random = createRandom(2);
  const values = repeat(100_000, () => sampleNormal(random));

  test('are finite', () => {
    expect(values.every(Number.isFinite)).toBe(true);
  });

  test('have the first four moments of their distribution', () => {
    // Four standard deviations of each estimate: √(E x²ᵏ − (E xᵏ)²) is 1, √2, √15 and √96.
    const error = 4 / Math.sqrt(values.length);
    expect(Math.abs(moment(values, 1))).toBeLessThan(error);
    expect(Math.abs(moment(values, 2) - 1)).toBeLessThan(Math.SQRT2 * error);
    expect(Math.abs(moment(values, 3))).toBeLessThan(Math.sqrt(15) * error);
    expect(Math.abs(moment(values, 4) - 3)).toBeLessThan(Math.sqrt(96) * error);
  });
});

describe('integers below a bound', () => {
  test('are equally frequent', () => {
    const random = createRandom(3);
    const counts = countsOf(
      repeat(100_000, () => sampleInteger(random, 10)),
      10,
    );
    // A fair generator exceeds this at 9 degrees of freedom once in 1000 seeds.
    expect(chiSquare(counts)).toBeLessThan(27.9);
  });

  test('are equally frequent even where the bound does not divide 2³²', () => {
    const random = createRandom(4);
    const quarters = repeat(30_000, () => Math.floor(sampleInteger(random, 3 * 2 ** 30) / 2 ** 30));
    // The remainder of a 32-bit integer alone would fall into the first third half of the time. 2 degrees of freedom.
    expect(chiSquare(countsOf(quarters, 3))).toBeLessThan(13.8);
  });

  test('reach every value up to the largest bound, and only 0 below 1', () => {
    const random = createRandom(5);
    expect(repeat(20, () => sampleInteger(random, 1))).toEqual(Array(20).fill(0));
    const [reference, again] = [createRandom(6), createRandom(6)];
    expect(sampleInteger(again, 2 ** 32)).toBe(reference());
  });

  test.each([0, -1, 2.5, 2 ** 32 + 1, Number.NaN])('refuse the bound %d', (bound) => {
    expect(() => sampleInteger(createRandom(0), bound)).toThrow(RangeError);
  });
});

describe('shuffling', () => {
  test('keeps the items, in place', () => {
    const items = [0, 1, 2, 3, 4, 5, 6, 7];
    expect(shuffle(items, createRandom(7))).toBe(items);
    expect(items).not.toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect([...items].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test('gives every order equally often', () => {
    const random = createRandom(8);
    const orders = ['012', '021', '102', '120', '201', '210'];
    const drawn = repeat(12_000, () => orders.indexOf(shuffle([0, 1, 2], random).join('')));
    // 5 degrees of freedom, once in 1000 seeds.
    expect(chiSquare(countsOf(drawn, 6))).toBeLessThan(20.5);
  });
});

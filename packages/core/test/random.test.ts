import { createRandom, hash, integerBelow, permutation, shuffled, uniform } from '@dalle-mini/core';
import { describe, expect, test } from 'vitest';

const repeat = <T>(count: number, sample: () => T): T[] => Array.from({ length: count }, sample);
const moment = (values: readonly number[], power: number, about = 0) =>
  values.reduce((sum, x) => sum + (x - about) ** power, 0) / values.length;

/** Returns Pearson's chi-squared statistic of counts that should be equal. */
function chiSquare(counts: readonly number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

function countsOf(values: readonly number[], classes: number): number[] {
  const counts = Array<number>(classes).fill(0);
  for (const value of values) counts[value]!++;
  return counts;
}

describe('a sequence', () => {
  // From a second implementation of Murmur3's finalizer and of sfc32, in Python.
  test.each([
    [[0], [2011401890, 3274548112, 3354979423, 2416939383]],
    [
      ['sampling', 0, 0],
      [2509922527, 1256599880, 75992421, 2021478138],
    ],
    [
      ['sampling', 42, 3],
      [1692175564, 3066343756, 2260153797, 320745057],
    ],
    [
      [2 ** 40 + 7, 'x'],
      [3470049366, 3336364974, 460949890, 3973508739],
    ],
  ])('of the name %j always has the same integers', (name, expected) => {
    const random = createRandom(...name);
    expect(repeat(4, () => random.uint32())).toEqual(expected);
  });

  test('differs from the sequence of every other name', () => {
    const names = [['a', 0], ['a', 1], ['a', 2 ** 32], ['b', 0], ['a'], [0, 'a'], ['a', 0, 0], ['ab'], ['a', 'b']];
    expect(new Set(names.map((name) => createRandom(...name).uint32())).size).toBe(names.length);
  });

  test('does not correlate with the sequence of another name', () => {
    const [a, b] = [createRandom('a', 5), createRandom('b', 5)];
    const products = repeat(10_000, () => (a.uniform() - 0.5) * (b.uniform() - 0.5));
    // Four standard deviations of the mean of these products, which are 1/12 / √10000 each.
    expect(Math.abs(moment(products, 1))).toBeLessThan((4 / 12) * 0.01);
  });
});

describe('uniform numbers', () => {
  const random = createRandom(1);
  const values = repeat(100_000, () => random.uniform());

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
  const values = repeat(100_000, () => random.normal());

  test('are the same for the same name', () => {
    const random = createRandom('sampling', 42, 3);
    // Box and Muller's method, of the integers above.
    expect(repeat(2, () => Math.fround(random.normal()))).toEqual([-0.22483858466148376, 1.090216040611267]);
  });

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
      repeat(100_000, () => random.integer(10)),
      10,
    );
    // 9 degrees of freedom: a fair generator exceeds this for one seed in 1000.
    expect(chiSquare(counts)).toBeLessThan(27.9);
  });

  test('are equally frequent even where the bound does not divide 2³²', () => {
    const random = createRandom(4);
    const quarters = repeat(30_000, () => Math.floor(random.integer(3 * 2 ** 30) / 2 ** 30));
    // A plain remainder of a 32-bit integer would be in the first third half of the time. 2 degrees of freedom.
    expect(chiSquare(countsOf(quarters, 3))).toBeLessThan(13.8);
  });

  test('cover the whole range at the largest bound, and are 0 at the bound 1', () => {
    const random = createRandom(5);
    expect(repeat(20, () => random.integer(1))).toEqual(Array(20).fill(0));
    const [reference, again] = [createRandom(6), createRandom(6)];
    expect(again.integer(2 ** 32)).toBe(reference.uint32());
  });

  test.each([0, -1, 2.5, 2 ** 32 + 1, Number.NaN])('refuse the bound %d', (bound) => {
    expect(() => createRandom(0).integer(bound)).toThrow(RangeError);
  });
});

describe('the random value of a name', () => {
  test('is the same on every machine', () => {
    expect(hash(1, 2, 3)).toBe(3130076145);
    expect(hash('emoji', 7)).toBe(3324677259);
    expect([...permutation(10, 'epoch', 42, 0)]).toEqual([2, 6, 8, 9, 1, 0, 7, 4, 5, 3]);
  });

  test('differs for numbers beyond 32 bits, and for words that are split differently', () => {
    const names = [[0], [2 ** 32], [2 ** 32 + 1], [1], ['0'], ['ab'], ['a', 'b'], ['a', 'b', 0]];
    expect(new Set(names.map((name) => hash(...name))).size).toBe(names.length);
  });

  test('is uniform', () => {
    const counts = countsOf(
      Array.from({ length: 100_000 }, (_, i) => integerBelow(10, 'die', i)),
      10,
    );
    expect(chiSquare(counts)).toBeLessThan(27.9);
    expect(uniform('x')).toBe(hash('x') / 2 ** 32);
  });

  test('gives every order of a list equally often, and does not change the list', () => {
    const items = [0, 1, 2];
    const orders = ['012', '021', '102', '120', '201', '210'];
    const found = Array.from({ length: 12_000 }, (_, i) => orders.indexOf(shuffled(items, 'order', i).join('')));
    // 5 degrees of freedom: a fair generator exceeds this for one seed in 1000.
    expect(chiSquare(countsOf(found, 6))).toBeLessThan(20.5);
    expect(items).toEqual([0, 1, 2]);
  });
});

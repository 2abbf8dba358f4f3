import { describe, expect, it } from 'vitest';
import { hash, integerBelow, permutation, uniform } from '../src/random.js';

describe('random numbers', () => {
  it('are the same on every machine', () => {
    expect(hash(1, 2, 3)).toBe(3130076145);
    expect(hash('emoji', 7)).toBe(3324677259);
    expect([...permutation(10, 'epoch', 42, 0)]).toEqual([2, 6, 8, 9, 1, 0, 7, 4, 5, 3]);
  });

  it('tell apart positions beyond 32 bits', () => {
    expect(hash(5)).not.toBe(hash(5 + 2 ** 32));
  });

  it('tell apart the borders between words', () => {
    expect(hash('ab', 'c')).not.toBe(hash('a', 'bc'));
  });

  it('are spread evenly', () => {
    const counts = new Array<number>(10).fill(0);
    for (let index = 0; index < 10_000; index++) counts[integerBelow(10, 'even', index)]!++;
    // 1000 expected; five standard deviations of a binomial are 150.
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
    expect(uniform('even', 1)).toBeLessThan(1);
  });

  it('permute every index once, and a large range without a pattern', () => {
    const order = permutation(100_000, 'large');
    expect(new Set(order).size).toBe(100_000);
    const inPlace = order.filter((value, index) => value === index).length;
    // One fixed point is expected whatever the length.
    expect(inPlace).toBeLessThan(10);
  });
});

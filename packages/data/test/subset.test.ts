import { type Dataset, subset, usableIndices } from '@dalle-mini/data';
import { describe, expect, test } from 'vitest';

/** A dataset whose samples are pairs of index and variation. */
const numbers = (length: number): Dataset<readonly [number, number]> => ({
  length,
  get: async (index, variation = 0) => [index, variation],
});

async function indicesOf(dataset: Dataset<readonly [number, number]>): Promise<number[]> {
  const samples = await Promise.all(Array.from({ length: dataset.length }, (_, index) => dataset.get(index)));
  return samples.map(([index]) => index);
}

describe('a subset', () => {
  test('has the samples of the given indices, in their order, and passes on the variation', async () => {
    const some = subset(numbers(10), [7, 2, 2]);
    expect(await indicesOf(some)).toEqual([7, 2, 2]);
    expect(await some.get(1, 5)).toEqual([2, 5]);
  });

  test('skips the samples that are skipped in the dataset, and describes the others', async () => {
    const some = subset(
      {
        ...numbers(4),
        skipped: new Set([2]),
        describe: (index) => ({ key: `${index}`, image: '', captions: [] }),
      },
      [3, 2, 1],
    );
    expect([...some.skipped!]).toEqual([1]);
    expect(usableIndices(some)).toEqual([0, 2]);
    expect(some.describe!(2).key).toBe('1');
    expect(() => some.describe!(3)).toThrow(/from 0 to 2/);
  });

  test('refuses an index past its end', async () => {
    await expect(subset(numbers(10), [7, 2]).get(2)).rejects.toThrow(/from 0 to 1/);
  });

  test.each([-1, 10, 0.5, Number.NaN])('refuses the index %d', (index) => {
    expect(() => subset(numbers(10), [3, index])).toThrow(
      `indices[1] must be a whole number from 0 to 9, not ${index}.`,
    );
  });
});

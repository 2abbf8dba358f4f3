import { OptionError } from '@dalle-mini/core';
import { type Dataset, holdOut, subset } from '@dalle-mini/data';
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

  test('refuses an index past its end', async () => {
    await expect(subset(numbers(10), [7, 2]).get(2)).rejects.toThrow(/from 0 to 1/);
  });

  test.each([-1, 10, 0.5, Number.NaN])('refuses the index %d', (index) => {
    expect(() => subset(numbers(10), [3, index])).toThrow(
      `indices[1] must be a whole number from 0 to 9, not ${index}.`,
    );
  });
});

describe('holding out', () => {
  test.each([
    [2, 1],
    [3, 1],
    [39, 1],
    [40, 2],
    [1000, 50],
  ])('of %d samples takes %d, a twentieth by default and at least one', async (length, count) => {
    const { training, evaluation } = holdOut(numbers(length));
    const [kept, heldOut] = [await indicesOf(training), await indicesOf(evaluation)];
    expect(heldOut).toHaveLength(count);
    // Together they are all samples, each once, and each part is in order.
    expect([...kept, ...heldOut].sort((a, b) => a - b)).toEqual(Array.from({ length }, (_, index) => index));
    for (const part of [kept, heldOut]) expect(part).toEqual([...part].sort((a, b) => a - b));
  });

  test('takes the given share, and leaves a sample for training', () => {
    expect(holdOut(numbers(100), { share: 0.25 }).evaluation.length).toBe(25);
    expect(holdOut(numbers(2), { share: 0.99 }).training.length).toBe(1);
  });

  test('takes samples of each of three alternating kinds', async () => {
    const { evaluation } = holdOut(numbers(300), { share: 0.1 });
    const kinds = (await indicesOf(evaluation)).map((index) => index % 3);
    // Of 30 samples, 10 ± 2.6 of each kind.
    for (const kind of [0, 1, 2]) expect(kinds.filter((one) => one === kind).length).toBeGreaterThan(2);
  });

  test('takes the same samples for the same seed, and others for another', async () => {
    const heldOut = async (seed?: number) => indicesOf(holdOut(numbers(1000), { seed }).evaluation);
    expect(await heldOut(0)).toEqual(await heldOut());
    expect(await heldOut(1)).not.toEqual(await heldOut());
  });

  test('refuses a dataset of one sample, and options out of range', () => {
    expect(() => holdOut(numbers(1))).toThrow('dataset.length must be at least 2, not 1.');
    expect(() => holdOut(numbers(9), { share: 1 })).toThrow(OptionError);
  });
});

import { OptionError } from '@dalle-mini/core';
import { type Dataset, type HoldOutOptions, holdOut, type SampleDescription, usableIndices } from '@dalle-mini/data';
import { describe, expect, test } from 'vitest';

const numbers = (length: number): Dataset<number> => ({ length, get: async (index) => index });

function samplesOf<S>(dataset: Dataset<S>): Promise<S[]> {
  return Promise.all(usableIndices(dataset).map((index) => dataset.get(index)));
}

describe('holding out', () => {
  test.each([
    [2, 1],
    [3, 1],
    [39, 1],
    [40, 2],
    [1000, 50],
  ])('of %d samples takes %d, a twentieth by default and at least one', async (length, count) => {
    const { training, evaluation } = holdOut(numbers(length));
    const [kept, heldOut] = [await samplesOf(training), await samplesOf(evaluation)];
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
    const kinds = (await samplesOf(evaluation)).map((index) => index % 3);
    // Of 30 samples, 10 ± 2.6 of each kind.
    for (const kind of [0, 1, 2]) expect(kinds.filter((one) => one === kind).length).toBeGreaterThan(2);
  });

  test('takes the same samples for the same seed, and others for another', async () => {
    const heldOut = async (seed?: number) => samplesOf(holdOut(numbers(1000), { seed }).evaluation);
    expect(await heldOut(0)).toEqual(await heldOut());
    expect(await heldOut(1)).not.toEqual(await heldOut());
  });

  test('refuses a dataset of one sample, and options out of range', () => {
    expect(() => holdOut(numbers(1))).toThrow('dataset.length must be at least 2, not 1.');
    expect(() => holdOut(numbers(9), { share: 1 })).toThrow(OptionError);
  });
});

/** A dataset of descriptions: sample `index` has a key, an image and a caption of its own unless `change` says otherwise. */
function described(
  length: number,
  change: (index: number) => Partial<SampleDescription> = () => ({}),
): Dataset<SampleDescription> {
  const describe = (index: number) => ({
    key: `${index}.png`,
    image: `image ${index}`,
    captions: [`caption ${index}`],
    ...change(index),
  });
  return { length, get: async (index) => describe(index), describe };
}

/** Holds out with several seeds, and lists the values that are on both sides. */
async function straddling(
  dataset: Dataset<SampleDescription>,
  valuesOf: (sample: SampleDescription) => readonly (string | undefined)[],
  options: HoldOutOptions = {},
): Promise<(string | undefined)[]> {
  const found: (string | undefined)[] = [];
  for (let seed = 0; seed < 20; seed++) {
    const { training, evaluation } = holdOut(dataset, { share: 0.2, seed, ...options });
    const kept = new Set((await samplesOf(training)).flatMap(valuesOf));
    found.push(...(await samplesOf(evaluation)).flatMap(valuesOf).filter((value) => kept.has(value)));
  }
  return found;
}

describe('holding out of described samples', () => {
  test('takes the share', () => {
    expect(holdOut(described(300)).evaluation.length).toBe(15);
    expect(holdOut(described(300), { share: 0.3 }).evaluation.length).toBe(90);
    // The pairs cannot be divided: nine samples are asked for, and eight are the nearest below.
    const pairs = described(90, (index) => ({ group: `${index >> 1}` }));
    expect(holdOut(pairs, { share: 0.1 }).evaluation.length).toBe(8);
  });

  test('divides no image, whether listed twice or copied under another name', async () => {
    const twice = described(60, (index) => ({ key: `${index % 30}.png` }));
    expect(await straddling(twice, ({ key }) => [key])).toEqual([]);
    const copies = described(60, (index) => ({ image: `image ${index % 30}` }));
    expect(await straddling(copies, ({ image }) => [image])).toEqual([]);
  });

  test('divides no group', async () => {
    const grouped = described(60, (index) => ({ group: `${index % 12}` }));
    expect(await straddling(grouped, ({ group }) => [group])).toEqual([]);
  });

  test('divides no caption, unless asked to', async () => {
    const captioned = described(60, (index) => ({ captions: [`caption ${index}`, `shared ${index % 30}`] }));
    expect(await straddling(captioned, ({ captions }) => captions)).toEqual([]);
    expect(await straddling(captioned, ({ captions }) => captions, { byCaption: false })).not.toEqual([]);
  });

  test('divides what several marks connect', async () => {
    // 0 and 1 have one image, 1 and 2 one caption, 2 and 3 one group.
    const chain = described(40, (index) => ({
      image: `image ${index % 4 < 2 ? `${index >> 2}` : index}`,
      captions: index % 4 === 1 || index % 4 === 2 ? [`caption ${index >> 2}`] : [`own ${index}`],
      ...(index % 4 > 1 ? { group: `${index >> 2}` } : {}),
    }));
    expect(await straddling(chain, ({ key }) => [`${Number.parseInt(key, 10) >> 2}`])).toEqual([]);
  });

  test('divides captions that are labels', async () => {
    const labeled = described(280, (index) => ({ captions: ['a photo', `kind ${index % 12}`] }));
    const { evaluation } = holdOut(labeled);
    expect(evaluation.length).toBe(14);
    const kinds = new Set((await samplesOf(evaluation)).map(({ captions }) => captions[1]));
    // Of 12 kinds, 14 samples have 8.4 on average.
    expect(kinds.size).toBeGreaterThan(5);
  });

  test('divides captions that connect nearly all samples', () => {
    const linked = described(100, (index) => ({ captions: [`${index}`, `${index + 1}`] }));
    expect(holdOut(linked).evaluation.length).toBe(5);
  });

  test('chooses the smallest set if each has more samples than the share', () => {
    const sets = described(30, (index) => ({ group: index < 12 ? 'a' : index < 20 ? 'b' : 'c' }));
    expect(holdOut(sets).evaluation.length).toBe(8);
  });

  test('keeps nearly all samples where they are when some are added or removed, in any order', async () => {
    const keysOf = async (dataset: Dataset<SampleDescription>) =>
      (await samplesOf(holdOut(dataset, { share: 0.1 }).evaluation)).map(({ key }) => key);
    const before = await keysOf(described(300));
    const reversed = described(303, (index) => ({ key: `${302 - index}.png` }));
    const after = await keysOf(reversed);
    expect(before).toHaveLength(30);
    // Three new samples displace three at most.
    expect(after.filter((key) => before.includes(key)).length).toBeGreaterThanOrEqual(27);
  });

  test('never holds out what a run was trained on', async () => {
    const dataset = described(100);
    const trained = new Set((await samplesOf(holdOut(dataset, { share: 0.1 }).training)).map(({ key }) => key));
    // A fifth is asked for, and only the tenth that was held out before may be.
    const { evaluation } = holdOut(dataset, { share: 0.2, trained });
    expect((await samplesOf(evaluation)).filter(({ key }) => trained.has(key))).toEqual([]);
    expect(evaluation.length).toBe(10);
    const all = new Set((await samplesOf(dataset)).map(({ key }) => key));
    expect(holdOut(dataset, { trained: all }).evaluation.length).toBe(5);
  });

  test('leaves skipped samples to training, where they stay skipped', () => {
    const dataset = { ...described(40), skipped: new Set([3, 7]) };
    for (let seed = 0; seed < 20; seed++) {
      const { training, evaluation } = holdOut(dataset, { share: 0.5, seed });
      expect([evaluation.length, evaluation.skipped?.size ?? 0]).toEqual([19, 0]);
      expect([training.length, training.skipped?.size]).toEqual([21, 2]);
    }
  });

  test('refuses samples that all belong together', () => {
    const one = described(9, () => ({ image: 'the same' }));
    expect(() => holdOut(one)).toThrow('All 9 samples have the same image or group, so that none can be held out.');
  });
});

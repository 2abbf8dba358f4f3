import type { RgbImage } from '@dalle-mini/core';
import { expect, test } from 'vitest';
import { countThings, evaluateComposed } from '../src/second-edition/composed.js';
import { compose } from '../src/second-edition/compositions.js';
import { pluralOf, withArticle } from '../src/second-edition/phrases.js';
import { type Picture, pictureDataset } from '../src/second-edition/pictures.js';

const size = 128;
const colors: Readonly<Record<string, readonly [number, number, number]>> = {
  apple: [220, 30, 30],
  frog: [40, 160, 40],
};

/** A picture of one thing: a disc in its color on white. */
function disc(name: string): RgbImage {
  const data = new Uint8Array(3 * size * size).fill(255);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) if (Math.hypot(x - 64, y - 64) < 50) data.set(colors[name]!, 3 * (y * size + x));
  }
  return { width: size, height: size, data };
}

const names = Object.keys(colors);
const pictures: readonly Picture[] = [
  { key: 'a/apple', concept: 'apple', group: 'a', split: 'train', captions: ['apple', 'an apple', 'a red apple'] },
  { key: 'a/frog', concept: 'frog', group: 'b', split: 'train', captions: ['frog', 'a frog', 'frog, green'] },
];
const dataset = pictureDataset([{ pictures, read: async (index) => disc(names[index]!) }]);
const composed = compose(dataset, { seed: 1, split: 'train', pairs: 8, counts: 12 });
const nearestConcepts = async ({ data }: RgbImage) => {
  const middle = 3 * (32 * 64 + 32);
  return names.filter((name) => colors[name]!.every((level, i) => Math.abs(level - data[middle + i]!) < 10));
};

test('a pair shows the thing that its captions name first on the left', async () => {
  const { captions, concept } = composed.pictures[0]!;
  const [left, right] = concept.split('+') as [string, string];
  const colored = { apple: 'a red apple', frog: 'a green frog' } as Readonly<Record<string, string>>;
  expect(captions).toContain(`${colored[left]} left of ${colored[right]}`);
  expect(captions).toContain(`${colored[right]} to the right of ${colored[left]}`);
  const { data } = await composed.read(0);
  expect([...data.subarray(3 * (64 * size + 32)).subarray(0, 3)]).toEqual(colors[left]);
  expect([...data.subarray(3 * (64 * size + 96)).subarray(0, 3)]).toEqual(colors[right]);
});

test('things are counted as their captions say', async () => {
  for (const index of Array.from({ length: 12 }, (_, i) => 8 + i)) {
    const count = composed.compositions[index]!.concepts.length;
    expect(composed.pictures[index]!.captions[0]).toMatch([/^two/, /^three/, /^four/][count - 2]!);
    expect(countThings(await composed.read(index))).toBe(count);
  }
  expect(countThings(disc('apple'))).toBe(1);
});

test('real compositions are found right, and those of other captions wrong', async () => {
  const images = await Promise.all(composed.pictures.map((_, index) => composed.read(index)));
  expect(await evaluateComposed(images, composed.compositions, nearestConcepts)).toEqual({
    sides: 1,
    colors: 1,
    counts: 1,
  });
  const swapped = composed.compositions.map(({ concepts, colors: named, kind }) => ({
    kind,
    concepts:
      kind === 'pair' ? concepts.toReversed() : [...concepts, ...concepts].slice(0, concepts.length === 4 ? 2 : 4),
    colors: named.toReversed(),
  }));
  expect(await evaluateComposed(images, swapped, nearestConcepts)).toEqual({ sides: 0, colors: 0, counts: 0 });
});

test('phrases take their article and their plural', () => {
  expect([withArticle('apple'), withArticle('unicorn'), withArticle('scissors')]).toEqual([
    'an apple',
    'a unicorn',
    undefined,
  ]);
  expect(['red cherry', 'box', 'mouse', 'sheep', 'key'].map(pluralOf)).toEqual([
    'red cherries',
    'boxes',
    'mice',
    'sheep',
    'keys',
  ]);
});

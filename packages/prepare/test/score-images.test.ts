import type { ImageRanker } from '@dalle-mini/core';
import type { Dataset } from '@dalle-mini/data';
import { expect, test } from 'vitest';
import { scoreImages } from '../src/encode/score-images.js';

/** Scores each image by its first value, and by the number that is the caption. */
const ranker: ImageRanker = {
  rank: async (caption, images) => Float32Array.from(images, ({ data }) => data[0]! + Number(caption)),
  dispose: async () => undefined,
};

/** Image i has the value i. The one at 1 is damaged. */
const images: Dataset = {
  length: 4,
  skipped: new Set([1]),
  async get(index) {
    if (index === 1) throw new Error('is damaged');
    const image = { width: 1, height: 1, data: Uint8Array.of(index, 0, 0) };
    return { key: `sample ${index}`, image, captions: ['0.1', '0.98765'] };
  },
};

test('an image has the highest score of its captions, to three decimals', async () => {
  const scored = await scoreImages(images, ranker, {});
  expect(scored.length).toBe(3);
  expect([(await scored.get(0)).score, (await scored.get(2)).score]).toEqual([0.988, 3.988]);
});

test('images with a lower score than the smallest are left out, and others keep theirs', async () => {
  const kept: number[] = [];
  const scored = await scoreImages(images, ranker, { minScore: 2.988, onProgress: (step) => kept.push(step.kept) });
  expect(kept).toEqual([0, 1, 2]);
  expect(scored.length).toBe(2);
  expect(await scored.get(0)).toMatchObject({ key: 'sample 2', score: 2.988 });
});

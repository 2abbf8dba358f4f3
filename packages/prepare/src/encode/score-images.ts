import type { ImageRanker, Progress } from '@dalle-mini/core';
import { type Dataset, type Sample, subset, usableIndices } from '@dalle-mini/data';

export interface ScoreImagesOptions {
  /** Images with a lower score are left out. Default: all stay. */
  readonly minScore?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called after each image. */
  readonly onProgress?: ((progress: ScoreProgress) => unknown) | undefined;
}

/** Number of scored images. */
export interface ScoreProgress extends Progress {
  readonly stage: 'score';
  readonly unit: 'samples';
  /** Number of those that are not left out. */
  readonly kept: number;
}

/** Scores the images of a dataset, and returns a dataset of those with a sufficient score, whose samples have their scores. */
export async function scoreImages(
  images: Dataset,
  ranker: ImageRanker,
  { minScore = Number.NEGATIVE_INFINITY, signal, onProgress }: ScoreImagesOptions,
): Promise<Dataset> {
  const indices = usableIndices(images);
  const kept: number[] = [];
  const scores: number[] = [];
  for (const [position, index] of indices.entries()) {
    const score = await scoreOf(await images.get(index), ranker, signal);
    if (score >= minScore) {
      kept.push(index);
      scores.push(score);
    }
    const done = position + 1;
    await onProgress?.({ stage: 'score', unit: 'samples', done, total: indices.length, kept: kept.length });
  }
  const part = subset(images, kept);
  return {
    ...part,
    get: async (index, variation) => ({ ...(await part.get(index, variation)), score: scores[index]! }),
  };
}

/** Returns the highest score that one of the captions gives, to three decimals: more are rounding. */
async function scoreOf({ image, captions }: Sample, ranker: ImageRanker, signal?: AbortSignal): Promise<number> {
  const scores: number[] = [];
  for (const caption of captions) scores.push(...(await ranker.rank(caption, [image], { signal })));
  return Number(Math.max(...scores).toFixed(3));
}

import { OptionError, type RgbImage } from '@dalle-mini/core';

/** An image and the captions that describe it. */
export interface Sample {
  /** Names the sample within its dataset. */
  readonly key: string;
  readonly image: RgbImage;
  /** At least one; any of them describes the image. */
  readonly captions: readonly string[];
  /** Samples that are variants of one image share a group; see `createSampler`. */
  readonly group?: string | undefined;
  /** How well the image matches its captions, as an `ImageRanker` scores it, such as CLIP. */
  readonly score?: number | undefined;
}

/** What is known of a sample without decoding its image. */
export interface SampleDescription {
  readonly key: string;
  /** Hash of the bytes of the image file: equal for copies of one image. */
  readonly image: string;
  /** Hash of each caption: equal for equal captions. */
  readonly captions: readonly string[];
  readonly group?: string | undefined;
}

/** A map-style dataset: a known length and access by index in any order. */
export interface Dataset<S = Sample> {
  readonly length: number;
  /**
   * Indices of samples that were left out, because their files are damaged. They count in `length`, so that the other
   * samples keep their index when a file is repaired. `get` throws for them. Default: none.
   */
  readonly skipped?: ReadonlySet<number> | undefined;
  /**
   * Describes the sample at `index`. Datasets without it are divided by index, and a change of their files is not
   * noticed.
   *
   * @throws OptionError unless `index` is in `[0, length)` and not skipped.
   */
  describe?(index: number): SampleDescription;
  /**
   * Reads the sample at `index`.
   *
   * @param variation Seed of the random choices of reading (crop, flip), 0 by default. The same index and variation
   *   give the same sample.
   * @throws OptionError unless `index` is in `[0, length)`.
   */
  get(index: number, variation?: number): Promise<S>;
}

/** Throws an `OptionError` unless `index` is a whole number in `[0, length)`. */
export function checkIndex(index: number, length: number): void {
  if (!Number.isInteger(index) || index < 0 || index >= length) {
    throw new OptionError('index', `a whole number from 0 to ${length - 1}`, index);
  }
}

/** Lists the indices of a dataset except the skipped ones. */
export function usableIndices({ length, skipped }: Pick<Dataset<unknown>, 'length' | 'skipped'>): number[] {
  const all = Array.from({ length }, (_, index) => index);
  return skipped?.size ? all.filter((index) => !skipped.has(index)) : all;
}

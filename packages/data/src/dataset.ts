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
}

/** A map-style dataset: a known length and access by index in any order. */
export interface Dataset<S = Sample> {
  readonly length: number;
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

import {
  abortSignal,
  boolean,
  callback,
  type Fields,
  integer,
  object,
  optional,
  type Progress,
  type RgbImage,
  type SamplingOptions,
  samplingFields,
  seedField,
  string,
} from '@dalle-mini/core';
import type { GeneratedImage } from './generated-image.js';

/** Images that are generated at once, at most. */
export const batchSize = 8;

/** What has been generated so far. `done` counts rows of tokens, of the `total` of all images. */
export interface GenerateProgress extends Progress {
  readonly stage: 'generate';
  readonly unit: 'rows';
  /** Finished rows of tokens of the images of the current batch, 1 to `rows`. */
  readonly row: number;
  /** Rows of the token grid. */
  readonly rows: number;
  /** Index of the first image of the current batch: up to eight images are generated at once. */
  readonly firstIndex: number;
  /** Grids of the images of the current batch: `row · gridSize` tokens each, in raster order. */
  readonly tokens: readonly Int32Array[];
  /**
   * Decodes the images of the current batch as far as they are written; rows that are missing are white. It takes as long as decoding
   * finished images, and the next row waits for it.
   */
  readonly preview: () => Promise<RgbImage[]>;
}

/** What `stream` yields: the progress after each row and, in the last one, the images. */
export interface GenerateUpdate extends GenerateProgress {
  /** The finished images, in the last update only. */
  readonly images?: readonly GeneratedImage[] | undefined;
}

/** The options of generating that are numbers, which a command line has too. */
export interface GenerateNumbers extends SamplingOptions {
  /** Number of images, 1 to 1000. Default 1. */
  readonly n?: number | undefined;
  /**
   * A whole number from 0 to 2⁵³ − 1: the same seed, model and options give the same images. Default: a random one, which each image
   * of the result has as its `seed`.
   */
  readonly seed?: number | undefined;
}

export interface GenerateOptions extends GenerateNumbers {
  /** What the images must not show: guidance steers away from it. It has no effect if `guidanceScale` is 1. Default ''. */
  readonly negativePrompt?: string | undefined;
  /**
   * Decodes all images together, so that side by side they are one image without seams: `imageGrid(images, { gap: 0 })` shows it.
   * `n` must be a square number, and a ranker leaves the images in their order. As min-dalle's `is_seamless`. Default false.
   */
  readonly seamless?: boolean | undefined;
  /** Cancels the work, within a row of tokens: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Called after each row of tokens. The next row waits for the promise that it may return, and an error ends the call. */
  readonly onProgress?: ((progress: GenerateProgress) => unknown) | undefined;
}

/** The range of each option that is a number: the command line checks its flags by it. */
export const generateNumbers: Fields<GenerateNumbers> = {
  ...samplingFields,
  n: optional(integer({ min: 1, max: 1000 }), 1),
  seed: optional(seedField),
};

export const generateFields = object<GenerateOptions>({
  ...generateNumbers,
  negativePrompt: optional(string({ minLength: 0 }), ''),
  seamless: optional(boolean(), false),
  signal: optional(abortSignal()),
  onProgress: optional(callback()),
});

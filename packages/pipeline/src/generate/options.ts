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
import { type ImagePrompt, imagePromptFields } from './image-prompt.js';

/** Most images that are generated at once. */
export const batchSize = 8;

/** The progress of generating. `done` and `total` count the rows of tokens, or the passes of a masked decoder, of all images. */
export interface GenerateProgress extends Progress {
  readonly stage: 'generate';
  readonly unit: 'rows' | 'passes';
  /** Finished rows of tokens, or passes, of the images of the current batch, 1 to `rows`. */
  readonly row: number;
  /** Rows of the token grid, or passes. */
  readonly rows: number;
  /** Index of the first image of the current batch: up to eight images are generated at once. */
  readonly firstIndex: number;
  /** Grids of the images of the current batch in raster order: `row · gridSize` tokens each, or all of them after a pass. */
  readonly tokens: readonly Int32Array[];
  /**
   * Decodes the finished rows, or the tokens after a pass, of the images of the current batch. Missing rows are white. It takes as
   * long as decoding finished images, and the next row or pass waits for it.
   */
  readonly preview: () => Promise<RgbImage[]>;
}

/** An item of `stream`: the progress after each row and, in the last item, the images. */
export interface GenerateUpdate extends GenerateProgress {
  /** The finished images, in the last update only. */
  readonly images?: readonly GeneratedImage[] | undefined;
}

/** The numeric options of generating, which the command line has too. */
export interface GenerateNumbers extends SamplingOptions {
  /** Number of images, 1 to 1000. Default 1. */
  readonly n?: number | undefined;
  /**
   * A whole number from 0 to 2⁵³ − 1. The same seed, model and options give the same images. Default: a random seed,
   * which each image of the result has as its `seed`.
   */
  readonly seed?: number | undefined;
}

export interface GenerateOptions extends GenerateNumbers, ImagePrompt {
  /** Describes what images must not show. It has no effect if `guidanceScale` is 1. Default ''. */
  readonly negativePrompt?: string | undefined;
  /**
   * Decodes all images together, so that `imageGrid(images, { gap: 0 })` is one image without seams. `n` must be a
   * square number, and a ranker does not sort the images. As min-dalle's `is_seamless`. Default false.
   */
  readonly seamless?: boolean | undefined;
  /** Cancels the work within one row of tokens or pass. The promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Called after each row of tokens or pass. If it returns a promise, the next one waits for it. If it fails, the call rejects.
   */
  readonly onProgress?: ((progress: GenerateProgress) => unknown) | undefined;
}

/** The fields of the numeric options. The command line checks its options with them. */
export const generateNumbers: Fields<GenerateNumbers> = {
  ...samplingFields,
  n: optional(integer({ min: 1, max: 1000 }), 1),
  seed: optional(seedField),
};

export const generateFields = object<GenerateOptions>({
  ...generateNumbers,
  ...imagePromptFields,
  negativePrompt: optional(string({ minLength: 0 }), ''),
  seamless: optional(boolean(), false),
  signal: optional(abortSignal()),
  onProgress: optional(callback()),
});

import type { Progress } from './progress.js';
import type { SamplingOptions } from './sampling.js';
import type { TextEncoding } from './text-encoder.js';

/** What has been written so far, in rows of tokens. */
export interface DecodeProgress extends Progress {
  readonly stage: 'generate';
  readonly unit: 'rows';
  /** The grids so far, one per image: `done · gridSize` tokens in raster order. */
  readonly tokens: readonly Int32Array[];
}

export interface DecodeOptions extends SamplingOptions {
  /** Seed of the random numbers, a whole number from 0 to 2⁵³ − 1: the same seed gives the same tokens. Default 0. */
  readonly seed?: number | undefined;
  /**
   * Index of the first image of the batch. Image i of a batch uses the random stream of the seed and of `firstIndex + i`, so that a
   * large number of images can be generated in batches. Default 0.
   */
  readonly firstIndex?: number | undefined;
  /** What guidance steers away from, as a batch of 1: the encoding of the empty caption or of a negative prompt, of any length. Required if `guidanceScale` is not 1. */
  readonly unconditional?: TextEncoding | undefined;
  /** Called after each row of tokens. The next row waits for the promise that it may return, and an error ends the call. */
  readonly onProgress?: ((progress: DecodeProgress) => unknown) | undefined;
  /** Cancels between two rows: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Writes image tokens from a caption's hidden states: the third stage of DALL·E Mini. */
export interface ImageTokenDecoder {
  /** Width and height of the token grid. */
  readonly gridSize: number;
  /** Number of different image tokens. */
  readonly vocabularySize: number;
  /** Generates one grid of `gridSize²` tokens for each caption of `text`. */
  generate(text: TextEncoding, options?: DecodeOptions): Promise<Int32Array[]>;
  /** Frees the model. */
  dispose(): Promise<void>;
}

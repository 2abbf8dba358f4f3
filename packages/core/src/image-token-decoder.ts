import type { Progress } from './progress.js';
import type { SamplingOptions } from './sampling.js';
import type { TextEncoding } from './text-encoder.js';

/** The progress of generation, in rows of tokens, or in passes over all tokens. */
export interface DecodeProgress extends Progress {
  readonly stage: 'generate';
  readonly unit: 'rows' | 'passes';
  /**
   * The grids so far, one per image, in raster order: `done · gridSize` tokens after rows; all tokens after passes, of which later
   * passes change some.
   */
  readonly tokens: readonly Int32Array[];
}

/** Tokens that generation starts from, such as those of an image. */
export interface InitialTokens {
  /** One grid of `gridSize²` tokens for each caption. */
  readonly grids: readonly Int32Array[];
  /** `gridSize²` numbers in raster order: 1 for a token that is kept as it is, 0 for one that is generated. */
  readonly keep: Uint8Array;
  /**
   * How far the tokens that are not kept may be from those of `grids`: the share of the passes of a masked decoder that generate them.
   * Above 0, at most 1. Default 1, where the grids have no influence.
   */
  readonly strength?: number | undefined;
}

export interface DecodeOptions extends SamplingOptions {
  /** Seed of the random numbers, a whole number from 0 to 2⁵³ − 1: the same seed gives the same tokens. Default 0. */
  readonly seed?: number | undefined;
  /**
   * Index of the first image of the batch. The random stream of image i depends on the seed and on `firstIndex + i`, so that several
   * batches give the same images as one large batch. Default 0.
   */
  readonly firstIndex?: number | undefined;
  /**
   * The encoding that guidance steers away from, as a batch of 1 of any length: the empty caption or a negative prompt. Required
   * unless `guidanceScale` is 1, or the decoder's `needsUnconditional` is false.
   */
  readonly unconditional?: TextEncoding | undefined;
  /** Tokens to start from, some of which are kept. Which ones may be kept is in the decoder's `keeps`. Default: none. */
  readonly initial?: InitialTokens | undefined;
  /** Called after each row of tokens or pass. If it returns a promise, the next one waits for it. If it fails, so does the call. */
  readonly onProgress?: ((progress: DecodeProgress) => unknown) | undefined;
  /** Cancels between two rows or passes: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Generates image tokens from a caption's hidden states or tokens: the third stage of DALL·E Mini. */
export interface ImageTokenDecoder {
  /** Width and height of the token grid. */
  readonly gridSize: number;
  /** Number of different image tokens. */
  readonly vocabularySize: number;
  /**
   * Which tokens of `initial` may be kept. `rows`: whole rows from the top, because tokens are generated row by row. `any`: any tokens, with
   * any `strength`. Missing: `initial` is refused.
   */
  readonly keeps?: 'rows' | 'any' | undefined;
  /**
   * Whether guidance needs `unconditional`. A decoder that was trained with an embedding for no caption does not. Default true.
   */
  readonly needsUnconditional?: boolean | undefined;
  /** Generates one grid of `gridSize²` tokens for each caption of `text`. */
  generate(text: TextEncoding, options?: DecodeOptions): Promise<Int32Array[]>;
  /** Frees the model. */
  dispose(): Promise<void>;
}

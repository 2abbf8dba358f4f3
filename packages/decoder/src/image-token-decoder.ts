import type { TextEncoding } from '@dalle-mini/text-encoder';

/** What has been drawn so far. */
export interface DecodeProgress {
  /** Number of finished rows of the token grid. */
  readonly row: number;
  /** Number of rows of the token grid. */
  readonly rows: number;
  /** The grids so far, one an image: `row · gridSize` tokens in raster order. */
  readonly tokens: readonly Int32Array[];
}

/** How tokens are drawn from the decoder's logits. */
export interface SamplingOptions {
  /** Seed of the random generator, a whole number: the same seed gives the same tokens. Default 0. */
  readonly seed?: number;
  /** Divides the logits; 0 is greedy. Range `[0, ∞)`. Default 1. */
  readonly temperature?: number;
  /** Keeps the `topK` likeliest tokens; the vocabulary's size and more keep all. A whole number from 1 up. Default all. */
  readonly topK?: number;
  /** Keeps the smallest set of tokens whose probabilities sum to `topP`. Range `(0, 1]`. Default 1. */
  readonly topP?: number;
  /**
   * Classifier-free guidance: logits are `u + guidanceScale · (c − u)`, where c is conditioned on the caption and u on the
   * empty one (Ho and Salimans 2022; called super conditioning in DALL·E Mini). 1 is off. Range `[0, ∞)`. Default 1.
   */
  readonly guidanceScale?: number;
}

export interface GenerateOptions extends SamplingOptions {
  /** What guidance steers away from, as a batch of 1: the encoding of the empty caption or of a negative prompt, which may be of another length. Needed if `guidanceScale ≠ 1`. */
  readonly unconditional?: TextEncoding;
  /** Called after each row of tokens. The next row waits for the promise that it may return, and an error ends the call. */
  readonly onProgress?: (progress: DecodeProgress) => void;
  /** Cancels between two rows: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Writes image tokens from a caption's hidden states: the third stage of DALL·E Mini. */
export interface ImageTokenDecoder {
  /** Width and height of the token grid. */
  readonly gridSize: number;
  /** Number of different image tokens. */
  readonly vocabularySize: number;
  /** Draws one grid of `gridSize²` tokens for each caption of `text`. */
  generate(text: TextEncoding, options?: GenerateOptions): Promise<Int32Array[]>;
  /** Frees the model. */
  dispose(): Promise<void>;
}

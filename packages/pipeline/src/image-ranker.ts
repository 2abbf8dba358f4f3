import type { RgbImage } from '@dalle-mini/core';

/** Options of work that may take long. */
export interface RankOptions {
  /** Cancels the work: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Judges how well images show what a prompt says, as CLIP does for DALL·E: the optional last stage. */
export interface ImageRanker {
  /** Scores images of any size, one number each: the higher, the better the image fits the prompt. */
  rank(prompt: string, images: readonly RgbImage[], options?: RankOptions): Promise<Float32Array>;
  /** Frees the model. */
  dispose(): Promise<void>;
}

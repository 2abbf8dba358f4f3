import type { RgbImage } from './image.js';

export interface RankOptions {
  /** Cancels the work: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Scores how well images match a prompt, as CLIP does for DALL·E. This is the optional last stage. */
export interface ImageRanker {
  /** Returns one score per image, of any size. A higher score means a better match. */
  rank(prompt: string, images: readonly RgbImage[], options?: RankOptions): Promise<Float32Array>;
  /** Frees the model. */
  dispose(): Promise<void>;
}

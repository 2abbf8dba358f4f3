import type { RgbImage } from './image.js';

export interface RankOptions {
  /** Cancels the work: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Judges how well images match a prompt, as CLIP does for DALL·E: the optional last stage. */
export interface ImageRanker {
  /** Scores images of any size, one number each: the higher, the better the image matches the prompt. */
  rank(prompt: string, images: readonly RgbImage[], options?: RankOptions): Promise<Float32Array>;
  /** Frees the model. */
  dispose(): Promise<void>;
}

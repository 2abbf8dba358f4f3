import type { Progress } from '@dalle-mini/core';
import type { ScanProgress } from '@dalle-mini/data';
import type { LoadProgress } from '@dalle-mini/pipeline';
import type { TrainingProgress } from '../run/options.js';

/**
 * The progress of a run from settings: of downloading and converting models, of scanning images or preparing emoji, of generating
 * those of `priorPrompts`, of encoding images as tokens, and of training.
 */
export type SettingsProgress =
  | LoadProgress
  | ScanProgress
  | PreparationProgress
  | PriorProgress
  | EncodingProgress
  | StepProgress;

/** Images that the model to fine-tune has generated. */
export interface PriorProgress extends Progress {
  readonly stage: 'generate';
}

/** Steps of a training. Those of a decoder may follow those of its VQ-GAN. */
export interface StepProgress extends TrainingProgress {
  readonly trains: 'vqgan' | 'decoder';
}

/** Rendered emoji. */
export interface PreparationProgress extends Progress {
  readonly stage: 'prepare';
}

/** Encoded images. */
export interface EncodingProgress extends Progress {
  readonly stage: 'encode';
  readonly dataset: 'training' | 'evaluation';
}

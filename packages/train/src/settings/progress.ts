import type { Progress } from '@dalle-mini/core';
import type { LoadProgress } from '@dalle-mini/pipeline';
import type { TrainingProgress } from '../run/options.js';

/**
 * The progress of a run from settings: of downloading and converting models, of preparing emoji, of encoding images as tokens,
 * then of training.
 */
export type SettingsProgress = LoadProgress | PreparationProgress | EncodingProgress | TrainingProgress;

/** Rendered emoji. */
export interface PreparationProgress extends Progress {
  readonly stage: 'prepare';
}

/** Encoded images. */
export interface EncodingProgress extends Progress {
  readonly stage: 'encode';
  readonly dataset: 'training' | 'evaluation';
}

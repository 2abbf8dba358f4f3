import type { Progress } from '@dalle-mini/core';
import type { ScanProgress } from '@dalle-mini/data';
import type { LoadProgress } from '@dalle-mini/pipeline';
import type { TrainingProgress } from '../run/options.js';

/**
 * The progress of a run from settings: of downloading and converting models, of scanning images or preparing emoji, of encoding images
 * as tokens, then of training.
 */
export type SettingsProgress = LoadProgress | ScanProgress | PreparationProgress | EncodingProgress | TrainingProgress;

/** Rendered emoji. */
export interface PreparationProgress extends Progress {
  readonly stage: 'prepare';
}

/** Encoded images. */
export interface EncodingProgress extends Progress {
  readonly stage: 'encode';
  readonly dataset: 'training' | 'evaluation';
}

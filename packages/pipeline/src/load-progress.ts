import type { Progress } from '@dalle-mini/core';

/** The progress of opening a published model: bytes of its download, then converted parts. */
export interface LoadProgress extends Progress {
  readonly stage: 'download' | 'convert';
  /** The name or the folder of the model. */
  readonly model: string;
}

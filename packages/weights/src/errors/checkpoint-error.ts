import { DalleMiniError } from '@dalle-mini/core';

/** A checkpoint that cannot be read or written as it is. The message says what is wrong and how to mend it. */
export class CheckpointError extends DalleMiniError {
  static override readonly code = 'CHECKPOINT';
}

import { DalleMiniError } from '@dalle-mini/core';

/** A model or its computation needs more memory than a runtime can have. The message names what to do. */
export class OutOfMemoryError extends DalleMiniError {
  static override readonly code = 'OUT_OF_MEMORY';
}

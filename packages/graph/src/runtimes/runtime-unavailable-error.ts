import { DalleMiniError } from '@dalle-mini/core';

/** A runtime cannot be loaded on this machine or in this program. The message names the reason and what to do. */
export class RuntimeUnavailableError extends DalleMiniError {
  static override readonly code = 'RUNTIME_UNAVAILABLE';
}

import { DalleMiniError } from '@dalle-mini/core';

/** Hosts cannot work together: one is missing, was lost, or differs from the others. The message names it and what to do. */
export class HostError extends DalleMiniError {
  static override readonly code = 'HOST';
}

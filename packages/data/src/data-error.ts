import { DalleMiniError } from '@dalle-mini/core';

/** A dataset is damaged, or has another format than expected. The message names the file and what to do. */
export class DataError extends DalleMiniError {
  static override readonly code = 'DATA';
}

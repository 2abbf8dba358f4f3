import { DalleMiniError } from '@dalle-mini/core';

/** A dataset is damaged, or is not what it is taken for. The message names the file and what to do. */
export class DataError extends DalleMiniError {
  static override readonly code = 'DATA';
}

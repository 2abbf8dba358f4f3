import { DalleMiniError } from '@dalle-mini/core';

/** The command line is wrong: exit code 2. */
export class UsageError extends DalleMiniError {
  static override readonly code = 'USAGE';
}

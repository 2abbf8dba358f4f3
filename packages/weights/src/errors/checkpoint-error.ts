import { DalleMiniError } from '@dalle-mini/core';

/** A checkpoint cannot be read or written. The message names the problem and what to do. */
export class CheckpointError extends DalleMiniError {
  static override readonly code: string = 'CHECKPOINT';
}

/** Creates the error of a file that contradicts itself, from a sentence without its full stop. */
export function corrupt(problem: string): CheckpointError {
  return new CheckpointError(`${problem}. The file is corrupt. Download it again.`);
}

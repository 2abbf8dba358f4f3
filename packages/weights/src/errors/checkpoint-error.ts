/** A checkpoint that cannot be read or written as it is. The message says what is wrong and how to mend it. */
export class CheckpointError extends Error {
  override readonly name = 'CheckpointError';
}

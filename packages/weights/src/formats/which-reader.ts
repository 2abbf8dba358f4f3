import { MissingAverageError, type WhichWeights } from './which.js';

/**
 * Reads the files of one model, of which some may have no average, as a VQ-GAN often has and a decoder has not. With `ema`,
 * the average of each file that has one is read, and the weights of the others.
 */
export class WhichReader {
  private foundAverage = false;
  private missing: unknown;

  constructor(readonly which: WhichWeights | undefined) {}

  /** Reads a file, or several that belong together. */
  async read<Result>(read: (which: WhichWeights | undefined) => Promise<Result>): Promise<Result> {
    if (this.which !== 'ema') return read(this.which);
    try {
      const result = await read('ema');
      this.foundAverage = true;
      return result;
    } catch (error) {
      if (!isMissingAverage(error)) throw error;
      this.missing ??= error;
      return read(undefined);
    }
  }

  /** Throws the error of the first file without an average if no file had one. */
  check(): void {
    if (this.missing !== undefined && !this.foundAverage) throw this.missing;
  }
}

/** Checks an error, and those that it wraps to name a file. */
function isMissingAverage(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return MissingAverageError.isInstance(error) || isMissingAverage(error.cause);
}

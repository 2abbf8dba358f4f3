import { setTimeout as sleep } from 'node:timers/promises';
import { UnavailableError } from './error.js';

/** The largest number of retries in a row. */
export const maxRetries = 5;

/** Milliseconds before the first retry. Each further one waits twice as long. */
const firstWait = 500;

/** Milliseconds. If the hub asks to wait longer, the call fails, and the error names the wait. */
const longestWait = 60_000;

/**
 * Calls `attempt`, and calls it again while it fails with an UnavailableError that allows it, up to `retries` times in
 * a row. Its argument `recovered` restarts the count.
 *
 * @throws The last error of `attempt`; the reason of `signal`.
 */
export async function withRetries<T>(
  attempt: (recovered: () => void) => Promise<T>,
  signal: AbortSignal,
  retries = maxRetries,
): Promise<T> {
  let failures = 0;
  for (;;) {
    try {
      return await attempt(() => {
        failures = 0;
      });
    } catch (error) {
      if (!(error instanceof UnavailableError) || failures >= Math.min(retries, error.retries)) throw error;
      const wait = error.retryAfter ?? firstWait * 2 ** failures;
      if (wait > longestWait) throw error;
      failures++;
      await sleep(wait, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }
}

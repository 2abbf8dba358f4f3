import { setTimeout as sleep } from 'node:timers/promises';
import { UnavailableError } from './error.js';

/** Tries after the first one. */
export const RETRIES = 5;

/** Milliseconds before the first retry; each further one waits twice as long. */
const FIRST_WAIT = 500;

/** Milliseconds. A hub that asks for more patience is told to the user instead. */
const LONGEST_WAIT = 60_000;

/**
 * Calls `attempt` again as long as it fails with an UnavailableError that allows it, up to `retries` times in a row; `recovered`, which it
 * may call, begins a new row.
 * @throws The last error of `attempt`; the reason of `signal`.
 */
export async function withRetries<T>(
  attempt: (recovered: () => void) => Promise<T>,
  signal: AbortSignal,
  retries = RETRIES,
): Promise<T> {
  let failures = 0;
  for (;;) {
    try {
      return await attempt(() => {
        failures = 0;
      });
    } catch (error) {
      if (!(error instanceof UnavailableError) || failures >= Math.min(retries, error.retries)) throw error;
      const wait = error.retryAfter ?? FIRST_WAIT * 2 ** failures;
      if (wait > LONGEST_WAIT) throw error;
      failures++;
      await sleep(wait, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }
}

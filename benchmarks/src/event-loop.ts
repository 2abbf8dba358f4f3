import { setTimeout as delay } from 'node:timers/promises';

export interface Timing {
  readonly ms: number;
  /** The longest delay of a timer of one millisecond: an upper bound on how long the event loop was blocked. */
  readonly longest_gap_ms: number;
}

/** Measures the time of work, and how long it blocks the event loop. */
export async function timed<Result>(work: () => Promise<Result>): Promise<Timing & { readonly result: Result }> {
  let last = 0;
  let longest = 0;
  const tick = () => {
    const now = performance.now();
    if (last > 0) longest = Math.max(longest, now - last);
    last = now;
  };
  const timer = setInterval(tick, 1);
  // The work's first turn counts, and its last one: the timer has fired before and fires after.
  while (last === 0) await delay(1);
  const start = performance.now();
  try {
    const result = await work();
    const ms = performance.now() - start;
    await delay(2);
    return { ms, longest_gap_ms: longest, result };
  } finally {
    clearInterval(timer);
  }
}

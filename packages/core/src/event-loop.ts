/** Waits for one turn of the event loop, so that timers and input are handled between two pieces of work. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

/** Milliseconds of work before the event loop gets a turn. */
const longestWork = 5;

/** Calls `work` for each item and yields to the event loop every few milliseconds, so that long work does not block it. */
export async function forEachInTurns<Item>(
  items: Iterable<Item>,
  work: (item: Item, index: number) => void,
): Promise<void> {
  // Yield before the first item too: the caller may have blocked the event loop until now.
  let start = Number.NEGATIVE_INFINITY;
  let index = 0;
  for (const item of items) {
    if (performance.now() - start > longestWork) {
      await nextTurn();
      start = performance.now();
    }
    work(item, index++);
  }
}

/**
 * Returns a function that runs work only from time to time: again `interval` milliseconds after the last work ended, or twice as long as that took
 * if this is longer, so that the work takes at most about a third of the time. When it is too early, it resolves to `undefined` at once.
 */
export function fromTimeToTime(interval: number): <Result>(work: () => Promise<Result>) => Promise<Result | undefined> {
  let next = Number.NEGATIVE_INFINITY;
  return async (work) => {
    const start = performance.now();
    if (start < next) return undefined;
    const result = await work();
    const end = performance.now();
    next = end + Math.max(interval, 2 * (end - start));
    return result;
  };
}

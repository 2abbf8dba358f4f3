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

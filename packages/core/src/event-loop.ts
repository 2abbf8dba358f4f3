/** Lets the event loop run whatever waits for it: between pieces of work that would block it together. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

/** Milliseconds of work after which the event loop gets a turn. */
const longestWork = 5;

/** Calls `work` for each item, and lets the event loop run in between, so that much work does not block it. */
export async function forEachInTurns<Item>(
  items: Iterable<Item>,
  work: (item: Item, index: number) => void,
): Promise<void> {
  // The first item waits for a turn too: the caller may have worked for a while before.
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

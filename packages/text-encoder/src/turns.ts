import { nextTurn } from '@dalle-mini/graph';

/** Milliseconds of work after which others have their turn. */
const turnMs = 5;

/** As `items.forEach(work)`, with turns of the event loop in between, so that much work does not block it. */
export async function forEachInTurns<Item>(
  items: readonly Item[],
  work: (item: Item, index: number) => void,
): Promise<void> {
  // What was done before had its turn.
  let start = Number.NEGATIVE_INFINITY;
  for (const [index, item] of items.entries()) {
    if (performance.now() - start > turnMs) {
      await nextTurn();
      start = performance.now();
    }
    work(item, index);
  }
}

/**
 * Turns work with a callback into an async iterator over the items of the callback. `finish` adds the result of the
 * work to the last item. Leaving the loop early aborts the work and waits for its end.
 */
export async function* streamOf<Item, Result, Yielded extends Item = Item>(
  signal: AbortSignal | undefined,
  work: (onItem: (item: Item) => void, signal: AbortSignal) => Promise<Result>,
  finish: (last: Item, result: Result) => Yielded,
): AsyncGenerator<Item | Yielded, void> {
  const left = new AbortController();
  const abort = () => left.abort(signal?.reason);
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort, { once: true });
  const items: Item[] = [];
  let wake = () => {};
  let result: { readonly value: Result } | undefined;
  let failure: { readonly error: unknown } | undefined;
  const running = work((item) => {
    items.push(item);
    wake();
  }, left.signal)
    .then(
      (value) => {
        result = { value };
      },
      (error: unknown) => {
        failure = { error };
      },
    )
    .finally(() => wake());
  try {
    for (;;) {
      // The last item waits for the result.
      while (items.length > 1) yield items.shift()!;
      if (failure) throw failure.error;
      if (result) {
        const last = items.shift();
        if (last !== undefined) yield finish(last, result.value);
        return;
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    signal?.removeEventListener('abort', abort);
    left.abort();
    await running;
  }
}

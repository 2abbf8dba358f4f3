/**
 * Waits as `Promise.all` does, but rejects only when all promises are settled, so that the caller can close their
 * files.
 */
export async function whenAll<Value>(promises: readonly Promise<Value>[]): Promise<Value[]> {
  const results = await Promise.allSettled(promises);
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

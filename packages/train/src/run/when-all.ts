/** As `Promise.all`, but rejects only when nothing is under way any more, so that what is read from may be closed then. */
export async function whenAll<Value>(promises: readonly Promise<Value>[]): Promise<Value[]> {
  const results = await Promise.allSettled(promises);
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

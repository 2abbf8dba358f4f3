/** As `Promise.all`, but rejects only when all promises are settled, so that the caller may close the files that they read. */
export async function whenAll<Value>(promises: readonly Promise<Value>[]): Promise<Value[]> {
  const results = await Promise.allSettled(promises);
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

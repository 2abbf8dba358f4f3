/** Locks between threads. */

/** A shared array of one element: the ID of the thread that holds the lock, or 0. */
export type Lock = Int32Array;

export const newLock = (): Lock => new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));

/** Runs `work` while holding the lock. Blocks this thread until no other thread holds it. */
export async function withLock<T>(lock: Lock, threadId: number, work: () => Promise<T>): Promise<T> {
  for (let other = Atomics.compareExchange(lock, 0, 0, threadId); other !== 0; ) {
    Atomics.wait(lock, 0, other);
    other = Atomics.compareExchange(lock, 0, 0, threadId);
  }
  try {
    return await work();
  } finally {
    unlock(lock, threadId);
  }
}

/** Releases a lock if the given thread holds it. */
export function unlock(lock: Lock, threadId: number): void {
  if (Atomics.compareExchange(lock, 0, threadId, 0) === threadId) Atomics.notify(lock, 0, 1);
}

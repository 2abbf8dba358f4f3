/** The processes that train together, one on each host. All of them make the same calls in the same order. */
export interface Hosts {
  /** The number of this process, from 0. */
  readonly rank: number;
  /** The number of processes. */
  readonly size: number;
  /**
   * Adds up the arrays of all hosts, in place. Every host then has the same sums.
   *
   * @throws HostError if a host is lost.
   */
  sum(values: Float32Array): Promise<void>;
  /**
   * Overwrites an array with that of rank 0.
   *
   * @throws HostError if a host is lost.
   */
  broadcast(values: Float32Array): Promise<void>;
  /**
   * Returns a value of each host, by rank: plain JSON. Waits for all hosts, however long one takes.
   *
   * @throws HostError if a host is lost.
   */
  gather<Value>(value: Value): Promise<Value[]>;
  /** Names a host for messages: `rank 1 on node-b`. */
  nameOf(rank: number): string;
  /** Leaves the other hosts, after all have called it. */
  close(): Promise<void>;
  /**
   * Tells the other hosts why this process ends, and ends it at once: an orderly end would wait for the other hosts. It
   * does not return.
   */
  abort(reason: string, exitCode?: number): Promise<never>;
}

/** A process that trains alone. */
export const oneHost: Hosts = {
  rank: 0,
  size: 1,
  sum: async () => undefined,
  broadcast: async () => undefined,
  gather: async (value) => [value],
  nameOf: () => 'rank 0',
  close: async () => undefined,
  abort: async (_, exitCode = 1) => process.exit(exitCode),
};

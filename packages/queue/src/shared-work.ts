import { setTimeout as sleep } from 'node:timers/promises';
import { type Queue, Worker } from 'bullmq';
import { connect, jobId, jobOptions, openQueue, type ShardData } from './queue.js';

/** Numbered shards that several machines write into a common storage. */
export interface SharedWork {
  /** The name of the queue. */
  readonly queue: string;
  /** Number of shards. */
  readonly count: number;
  /** The shards that are written, of those that {@link refresh} has found. */
  readonly written: { readonly size: number; has(shard: number): boolean };
  /** Finds the shards that other machines have written. */
  refresh(): Promise<void>;
}

/** A shard that was given up. */
export interface GivenUpShard {
  readonly shard: number;
  /** The message of the error of its last try. */
  readonly reason: string;
  readonly attempts: number;
}

export interface CoordinateWorkOptions {
  readonly redis: string;
  readonly pollEvery?: number | undefined;
  readonly attempts?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called after each look at what is written. */
  readonly onPoll?: (() => unknown) | undefined;
}

/**
 * Puts a job for each missing shard into the queue, and waits until all are written or given up. Jobs that the queue has lost, because Redis
 * has no persistence, are added again.
 *
 * @param missing The shards that are missing. Each is added when it is asked for.
 * @returns The shards that were given up.
 */
export async function coordinateWork(
  work: SharedWork,
  missing: AsyncIterable<number> | Iterable<number>,
  { redis, pollEvery = 2000, attempts = 5, signal, onPoll }: CoordinateWorkOptions,
): Promise<GivenUpShard[]> {
  const connection = connect(redis);
  const queue = openQueue(work, connection);
  const add = (shard: number) => queue.add('shard', { shard }, { ...jobOptions, attempts, jobId: jobId(shard) });
  try {
    // Shards that were given up are tried again by a new call.
    for (const job of await queue.getFailed()) await job.remove();
    for await (const shard of missing) await add(shard);
    for (;;) {
      signal?.throwIfAborted();
      await work.refresh();
      const givenUp = await givenUpShards(queue, work);
      await onPoll?.();
      const open = openShards(work, givenUp);
      if (open.length === 0) return givenUp;
      const queued = new Set(
        (await queue.getJobs(['waiting', 'active', 'delayed', 'prioritized'])).map((job) => job?.data.shard),
      );
      for (const shard of open) if (!queued.has(shard)) await add(shard);
      await sleep(pollEvery, undefined, { signal });
    }
  } finally {
    await queue.close();
    connection.disconnect();
  }
}

async function givenUpShards(queue: Queue<ShardData>, { written }: SharedWork): Promise<GivenUpShard[]> {
  const failed = (await queue.getFailed()).filter(({ data }) => !written.has(data.shard));
  return failed.map(({ data, failedReason, attemptsMade }) => ({
    shard: data.shard,
    reason: failedReason,
    attempts: attemptsMade,
  }));
}

/** Returns the shards that are neither written nor given up. */
function openShards({ count, written }: SharedWork, givenUp: readonly GivenUpShard[]): number[] {
  const ended = new Set(givenUp.map(({ shard }) => shard));
  const all = Array.from({ length: count }, (_, shard) => shard);
  return all.filter((shard) => !written.has(shard) && !ended.has(shard));
}

/** How a machine works on a queue. */
export interface WorkerOptions {
  /** The address of Redis or Valkey: `redis://host:6379`, or `rediss://` with TLS. */
  readonly redis: string;
  /** Shards at a time. Default 2. */
  readonly shards?: number | undefined;
  /** Milliseconds after which another worker takes over the shards of one that was killed or hangs. Default 60,000. */
  readonly lockDuration?: number | undefined;
  /** Milliseconds between two looks whether all is done. Default 5000. */
  readonly pollEvery?: number | undefined;
  /** Ends the work at once: others take over the shards that are under way. */
  readonly signal?: AbortSignal | undefined;
  /** Called after each shard that was written, and after each failed try. */
  readonly onShard?: ((shard: number, error?: Error) => unknown) | undefined;
}

/** How often a shard may be taken over from workers that were killed or hang. */
const takeovers = 10;

/** Takes shards from a queue and writes them by `run`, until all are written or given up. */
export async function workOn(
  work: SharedWork,
  run: (shard: number) => Promise<void>,
  { redis, shards = 2, lockDuration = 60_000, pollEvery = 5000, signal, onShard }: WorkerOptions,
): Promise<void> {
  const connection = connect(redis);
  const workerConnection = connect(redis);
  const queue = openQueue(work, connection);
  const worker = new Worker<ShardData>(work.queue, ({ data }) => run(data.shard), {
    connection: workerConnection,
    concurrency: shards,
    lockDuration,
    stalledInterval: lockDuration / 2,
    maxStalledCount: takeovers,
  });
  worker.on('error', () => undefined);
  worker.on('completed', ({ data }) => onShard?.(data.shard));
  worker.on('failed', (job, error) => job && onShard?.(job.data.shard, error));
  try {
    while (!(await isDone(work, queue))) await sleep(pollEvery, undefined, { signal });
  } finally {
    await worker.close(signal?.aborted);
    await queue.close();
    workerConnection.disconnect();
    connection.disconnect();
  }
}

async function isDone(work: SharedWork, queue: Queue<ShardData>): Promise<boolean> {
  await work.refresh();
  const givenUp = await givenUpShards(queue, work);
  return work.written.size + givenUp.length >= work.count;
}

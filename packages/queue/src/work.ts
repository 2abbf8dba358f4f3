import { setTimeout as sleep } from 'node:timers/promises';
import type { PictureFilter, PrepareSettings } from '@dalle-mini/prepare';
import { PrepareSession, readJob, rowsName, shardCount } from '@dalle-mini/prepare/jobs';
import { type Queue, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { Connectivity } from './connectivity.js';
import { connect, openQueue, queueName, type ShardData } from './queue.js';

export interface WorkOptions {
  /** The address of Redis or Valkey: `redis://host:6379`, or `rediss://` with TLS. */
  readonly redis: string;
  /** Shards at a time. Default 2. */
  readonly shards?: number | undefined;
  /** Milliseconds after which another worker takes over the shards of one that was killed or hangs. Default 60,000. */
  readonly lockDuration?: number | undefined;
  /** Milliseconds between two looks whether all is done. Default 5000. */
  readonly pollEvery?: number | undefined;
  /** Judges images before they are stored. Default: that of the settings. */
  readonly filter?: PictureFilter | undefined;
  /** Ends the work at once: others take over the shards that are under way. */
  readonly signal?: AbortSignal | undefined;
  /** Called after each shard that was written, and after each failed try. */
  readonly onShard?: ((shard: number, error?: Error) => unknown) | undefined;
}

/** How often a shard may be taken over from workers that were killed or hang. */
const takeovers = 10;

/**
 * Takes shards from the queue of a data set and writes them, until all are written or given up. It needs the settings and the storage, and
 * not the lists: the coordinator writes the rows of each shard into the storage.
 *
 * @throws DataError if no coordinator has made a plan; the reason of `signal` if it aborts.
 */
export async function work(settings: PrepareSettings, options: WorkOptions): Promise<void> {
  const connection = connect(options.redis);
  const connectivity = new Connectivity(connection);
  try {
    await workBy(connection, connectivity, settings, options);
  } finally {
    connectivity.close();
    connection.disconnect();
  }
}

async function workBy(
  connection: Redis,
  connectivity: Connectivity,
  settings: PrepareSettings,
  options: WorkOptions,
): Promise<void> {
  const { redis, shards = 2, lockDuration = 60_000, pollEvery = 5000, filter, signal, onShard } = options;
  const wasOffline = (time: number) => connectivity.wasLostSince(time);
  const session = await PrepareSession.open(settings, { usesStoredPlan: true, filter, wasOffline, signal });
  const workerConnection = connect(redis);
  const queue = openQueue(session, connection);
  const writeShard = async (number: number) => {
    await session.refresh();
    if (!session.written.has(number)) await session.runJob(await readJob(session.storage, number));
    await session.storage.remove(rowsName(number));
  };
  const worker = new Worker<ShardData>(queueName(session), ({ data }) => writeShard(data.shard), {
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
    while (!(await isDone(session, queue))) await sleep(pollEvery, undefined, { signal });
  } finally {
    await worker.close(signal?.aborted);
    await queue.close();
    workerConnection.disconnect();
    await session.close();
  }
}

async function isDone(session: PrepareSession, queue: Queue<ShardData>): Promise<boolean> {
  await session.refresh();
  const failed = (await queue.getFailed()).filter(({ data }) => !session.written.has(data.shard));
  return session.written.size + failed.length >= shardCount(session.plan);
}

import { type JobsOptions, Queue } from 'bullmq';
import { Redis } from 'ioredis';

/** The data of a job: the number of a shard. */
export interface ShardData {
  readonly shard: number;
}

/** Milliseconds without an answer after which a connection counts as lost. BullMQ waits for a job up to 10 s. */
const socketTimeout = 20_000;

/** Connects to Redis or Valkey, and again whenever the connection is lost. */
export function connect(url: string): Redis {
  const redis = new Redis(url, { maxRetriesPerRequest: null, socketTimeout });
  // Each is followed by another try.
  redis.on('error', () => undefined);
  return redis;
}

export function openQueue({ queue }: { readonly queue: string }, connection: Redis): Queue<ShardData> {
  return new Queue<ShardData>(queue, { connection });
}

/**
 * Opens the queues of a Redis, for a dashboard such as bull-board. Close each at the end.
 *
 * @param redis The address of Redis or Valkey: `redis://host:6379`, or `rediss://` with TLS.
 */
export async function openQueues(redis: string): Promise<Queue<ShardData>[]> {
  const connection = connect(redis);
  const names: string[] = [];
  for await (const keys of connection.scanStream({ match: 'bull:dalle-mini-*:meta', count: 1000 }))
    for (const key of keys as string[]) names.push(key.slice('bull:'.length, -':meta'.length));
  connection.disconnect();
  return [...new Set(names)].sort().map((name) => new Queue<ShardData>(name, { connection: { url: redis } }));
}

/** Shards are numbered: a job that is added twice is one. */
export const jobId = (shard: number): string => `shard-${shard}`;

/** Tries of a shard, with 5, 10, 20 and 40 seconds between them. */
export const jobOptions: JobsOptions = {
  attempts: 5,
  backoff: { type: 'exponential', delay: 5_000 },
  removeOnComplete: true,
  removeOnFail: false,
};

import type { PrepareSession } from '@dalle-mini/prepare/jobs';
import { type JobsOptions, Queue } from 'bullmq';
import { Redis } from 'ioredis';

/** The data of a job: a shard, whose rows are in the storage. */
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

/** The name of the queue of a data set, so that several have room in one Redis. */
export function queueName({ plan }: PrepareSession): string {
  return `dalle-mini-${plan.fingerprint.slice(0, 16)}`;
}

export function openQueue(session: PrepareSession, connection: Redis): Queue<ShardData> {
  return new Queue<ShardData>(queueName(session), { connection });
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

import { setTimeout as sleep } from 'node:timers/promises';
import { OptionError } from '@dalle-mini/core';
import type { PrepareProgress, PrepareSettings, PrepareSummary } from '@dalle-mini/prepare';
import { PrepareSession, shardCount, writeRows } from '@dalle-mini/prepare/jobs';
import type { Queue } from 'bullmq';
import { connect, jobId, jobOptions, openQueue, type ShardData } from './queue.js';

export interface CoordinateOptions {
  /** The address of Redis or Valkey: `redis://host:6379`, or `rediss://` with TLS. */
  readonly redis: string;
  /** Milliseconds between two looks at what is written. Default 2000. */
  readonly pollEvery?: number | undefined;
  /** Tries of a shard, before it is given up. Default 5. */
  readonly attempts?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: PrepareProgress) => unknown) | undefined;
}

/** A shard that was given up. */
export interface GivenUpShard {
  readonly shard: number;
  /** The message of the error of its last try. */
  readonly reason: string;
  readonly attempts: number;
}

export interface CoordinateSummary extends PrepareSummary {
  readonly givenUp: readonly GivenUpShard[];
}

/**
 * Prepares a data set by the workers of a queue: reads the lists, puts a job for each missing shard into the queue, and waits until all are
 * written or given up. A coordinator that has died is started again: what is written is not done again, and what is in the queue stays
 * there. Jobs that the queue has lost, because Redis has no persistence, are added again.
 *
 * @throws OptionError if a setting is wrong; DataError if a list is damaged, or the storage has shards of other lists or settings; the reason of `signal` if it aborts.
 */
export async function coordinate(settings: PrepareSettings, options: CoordinateOptions): Promise<CoordinateSummary> {
  const { redis, pollEvery = 2000, attempts = 5, signal, onProgress } = options;
  if (typeof settings.pictures?.duplicateDistance === 'number')
    throw new OptionError(
      'pictures.duplicateDistance',
      'null with a queue, whose machines do not know of each other',
      settings.pictures.duplicateDistance,
    );
  const session = await PrepareSession.open(settings, { signal, onProgress });
  const connection = connect(redis);
  const queue = openQueue(session, connection);
  const add = (shard: number) => queue.add('shard', { shard }, { ...jobOptions, attempts, jobId: jobId(shard) });
  try {
    // Shards that were given up are tried again by a new call.
    for (const job of await queue.getFailed()) await job.remove();
    for await (const job of session.missing().jobs) {
      await writeRows(session.storage, job);
      await add(job.number);
    }
    for (;;) {
      signal?.throwIfAborted();
      await session.refresh();
      const givenUp = await givenUpShards(queue, session);
      await onProgress?.(progressOf(session));
      const open = openShards(session, givenUp);
      if (open.length === 0) return { ...(await session.summarize()), givenUp };
      const queued = new Set(
        (await queue.getJobs(['waiting', 'active', 'delayed', 'prioritized'])).map((job) => job?.data.shard),
      );
      for (const shard of open) if (!queued.has(shard)) await add(shard);
      await sleep(pollEvery, undefined, { signal });
    }
  } finally {
    await queue.close();
    connection.disconnect();
    await session.close();
  }
}

async function givenUpShards(queue: Queue<ShardData>, { written }: PrepareSession): Promise<GivenUpShard[]> {
  const failed = (await queue.getFailed()).filter(({ data }) => !written.has(data.shard));
  return failed.map(({ data, failedReason, attemptsMade }) => ({
    shard: data.shard,
    reason: failedReason,
    attempts: attemptsMade,
  }));
}

/** Returns the shards that are neither written nor given up. */
function openShards({ plan, written }: PrepareSession, givenUp: readonly GivenUpShard[]): number[] {
  const ended = new Set(givenUp.map(({ shard }) => shard));
  const all = Array.from({ length: shardCount(plan) }, (_, shard) => shard);
  return all.filter((shard) => !written.has(shard) && !ended.has(shard));
}

function progressOf({ plan, written }: PrepareSession): PrepareProgress {
  const problems: Record<string, number> = {};
  let [done, successes, bytes] = [0, 0, 0];
  for (const stats of written.values()) {
    done += stats.count;
    successes += stats.successes;
    bytes += stats.bytes ?? 0;
    for (const [name, count] of Object.entries(stats.status_dict))
      if (name !== 'success') problems[name] = (problems[name] ?? 0) + count;
  }
  return { stage: 'download', unit: 'rows', done, total: plan.rows, successes, bytes, problems };
}

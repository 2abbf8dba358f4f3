import { OptionError } from '@dalle-mini/core';
import type { PrepareProgress, PrepareSettings, PrepareSummary } from '@dalle-mini/prepare';
import { PrepareSession, writeRows } from '@dalle-mini/prepare/jobs';
import { preparing } from './preparing.js';
import { coordinateWork, type GivenUpShard } from './shared-work.js';

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
  const { onProgress, ...coordinating } = options;
  const { signal } = options;
  if (typeof settings.pictures?.duplicateDistance === 'number')
    throw new OptionError(
      'pictures.duplicateDistance',
      'null with a queue, whose machines do not know of each other',
      settings.pictures.duplicateDistance,
    );
  const session = await PrepareSession.open(settings, { signal, onProgress });
  try {
    const onPoll = () => onProgress?.(progressOf(session));
    const givenUp = await coordinateWork(preparing(session), missingShards(session), { ...coordinating, onPoll });
    return { ...(await session.summarize()), givenUp };
  } finally {
    await session.close();
  }
}

/** Lists the missing shards, after their rows have been written for the workers. */
async function* missingShards(session: PrepareSession): AsyncGenerator<number> {
  for await (const job of session.missing().jobs) {
    await writeRows(session.storage, job);
    yield job.number;
  }
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

import type { PrepareSettings } from '@dalle-mini/prepare';
import { PrepareSession } from '@dalle-mini/prepare/jobs';
import { preparing } from './preparing.js';
import { connect, openQueue } from './queue.js';

/** The state of shards that are written by a queue. */
export interface QueueStatus {
  readonly shards: { readonly total: number; readonly written: number };
  /** Number of jobs by state: `waiting`, `active`, `delayed` (before another try), `failed` (given up). */
  readonly jobs: Readonly<Record<string, number>>;
  /** The same numbers in the text format of Prometheus. */
  readonly prometheus: string;
}

/** Reads the state of a data set from its storage and its queue. */
export async function queueStatus(
  settings: PrepareSettings,
  { redis }: { readonly redis: string },
): Promise<QueueStatus> {
  const session = await PrepareSession.open(settings, { usesStoredPlan: true });
  try {
    const { queue, count: total, written } = preparing(session);
    return await readStatus({ queue, total, written: written.size }, redis);
  } finally {
    await session.close();
  }
}

interface CountedShards {
  /** The name of their queue. */
  readonly queue: string;
  readonly total: number;
  readonly written: number;
}

/** Reads the state of the jobs of shards. */
export async function readStatus({ queue: name, ...shards }: CountedShards, redis: string): Promise<QueueStatus> {
  const connection = connect(redis);
  const queue = openQueue({ queue: name }, connection);
  try {
    const jobs = await queue.getJobCounts('waiting', 'active', 'delayed', 'failed');
    const own = Object.entries(shards).map(([name, value]) => `dalle_mini_shards_${name} ${value}\n`);
    return { shards, jobs, prometheus: `${await queue.exportPrometheusMetrics()}\n${own.join('')}` };
  } finally {
    await queue.close();
    connection.disconnect();
  }
}

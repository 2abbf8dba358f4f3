import type { PrepareSettings } from '@dalle-mini/prepare';
import { PrepareSession } from '@dalle-mini/prepare/jobs';
import { preparing } from './preparing.js';
import { connect, openQueue } from './queue.js';

/** The state of a data set that is prepared by a queue. */
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
  const connection = connect(redis);
  const work = preparing(session);
  const queue = openQueue(work, connection);
  try {
    const shards = { total: work.count, written: work.written.size };
    const jobs = await queue.getJobCounts('waiting', 'active', 'delayed', 'failed');
    const own = Object.entries(shards).map(([name, value]) => `dalle_mini_shards_${name} ${value}\n`);
    return { shards, jobs, prometheus: `${await queue.exportPrometheusMetrics()}\n${own.join('')}` };
  } finally {
    await queue.close();
    connection.disconnect();
    await session.close();
  }
}

import { isFolder } from '@dalle-mini/core/node';
import sharp from 'sharp';
import { readSettings, tellShard } from './data.js';
import { loadQueue } from './load-queue.js';

export interface WorkCommand {
  /** The address of Redis. */
  readonly queue: string;
  readonly shards: number;
  readonly overrides: Readonly<Record<string, unknown>>;
  readonly signal: AbortSignal;
}

/** Runs `dalle-mini data work`: downloads shards of a queue until all are written. */
export async function workOnData(file: string, { queue, shards, overrides, signal }: WorkCommand): Promise<void> {
  const settings = await readSettings(file, overrides);
  const { work } = await loadQueue();
  // Images are decoded many at a time: one thread each is faster than several for one.
  sharp.concurrency(1);
  await work(settings, { redis: queue, shards, signal, onShard: tellShard });
}

export interface StatusCommand {
  readonly queue: string;
  readonly prometheus?: boolean | undefined;
  readonly overrides: Readonly<Record<string, unknown>>;
}

/** Runs `dalle-mini data status`: prints the state of a data set that is prepared by a queue, or of a folder of tokens. */
export async function printStatus(path: string, { queue: redis, prometheus, overrides }: StatusCommand): Promise<void> {
  const { queueStatus, encodingStatus } = await loadQueue();
  const status = (await isFolder(path))
    ? await encodingStatus(path, { redis })
    : await queueStatus(await readSettings(path, overrides), { redis });
  const lines = [
    `${status.shards.written} of ${status.shards.total} shards are written.`,
    ...Object.entries(status.jobs).map(([state, count]) => `  ${count} ${state}`),
  ];
  process.stdout.write(prometheus ? status.prometheus : `${lines.join('\n')}\n`);
}

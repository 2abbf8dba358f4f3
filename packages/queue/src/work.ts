import type { PictureFilter, PrepareSettings } from '@dalle-mini/prepare';
import { PrepareSession, readJob, rowsName } from '@dalle-mini/prepare/jobs';
import { Connectivity } from './connectivity.js';
import { preparing } from './preparing.js';
import { connect } from './queue.js';
import { type WorkerOptions, workOn } from './shared-work.js';

export interface WorkOptions extends WorkerOptions {
  /** Judges images before they are stored. Default: that of the settings. */
  readonly filter?: PictureFilter | undefined;
}

/**
 * Takes shards from the queue of a data set and writes them, until all are written or given up. It needs the settings and the storage, and
 * not the lists: the coordinator writes the rows of each shard into the storage.
 *
 * @throws DataError if no coordinator has made a plan; the reason of `signal` if it aborts.
 */
export async function work(settings: PrepareSettings, options: WorkOptions): Promise<void> {
  const { filter, ...working } = options;
  const connection = connect(options.redis);
  const connectivity = new Connectivity(connection);
  const wasOffline = (time: number) => connectivity.wasLostSince(time);
  try {
    const session = await PrepareSession.open(settings, {
      usesStoredPlan: true,
      filter,
      wasOffline,
      signal: options.signal,
    });
    const writeShard = async (number: number) => {
      await session.refresh();
      if (!session.written.has(number)) await session.runJob(await readJob(session.storage, number));
      await session.storage.remove(rowsName(number));
    };
    await workOn(preparing(session), writeShard, working).finally(() => session.close());
  } finally {
    connectivity.close();
    connection.disconnect();
  }
}

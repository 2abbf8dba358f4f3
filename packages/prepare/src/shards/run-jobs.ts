import { dropDuplicates } from '../pictures/duplicates.js';
import type { SeenHashes } from '../pictures/seen-hashes.js';
import { downloadSample, type ShardDownload } from './download-shard.js';
import type { ShardJob } from './jobs.js';
import { readSamples } from './read-shard.js';
import { shardName } from './sample.js';
import { Spool } from './spool.js';
import type { ShardStats } from './stats.js';
import type { Storage } from './storage.js';
import { writeShard } from './write-shard.js';

/** What all jobs share. */
export interface JobOptions {
  readonly storage: Storage;
  /** Rows per shard. */
  readonly shardSize: number;
  readonly download: ShardDownload;
  /** The hashes of the images so far, if duplicates are left out. */
  readonly hashes?: SeenHashes | undefined;
  /** Called after a shard is written. */
  readonly onWritten: (number: number, stats: ShardStats) => unknown;
}

/** Runs jobs, some at a time. The first failure ends them all, and is thrown when all have ended. */
export async function runJobs(jobs: AsyncGenerator<ShardJob>, atOnce: number, options: JobOptions): Promise<void> {
  const { stop } = options.download;
  let previous: Promise<unknown> = Promise.resolve();
  const takeJobs = async () => {
    try {
      for (;;) {
        stop.signal.throwIfAborted();
        const { done, value: job } = await jobs.next();
        if (done) return;
        const written = runJob(job, options, previous);
        // Which of two duplicates is the first one must not depend on the network.
        if (options.hashes !== undefined) previous = written.catch(() => undefined);
        await written;
      }
    } catch (error) {
      stop.abort(error);
      throw error;
    }
  };
  await allSettled(Array.from({ length: atOnce }, takeJobs));
}

/**
 * Downloads the rows of a shard and, after `previous`, writes it; not if another try has brought nothing new.
 *
 * @throws What stops the download of all rows, such as a full disk; the reason of `options.download.stop` if it aborts.
 */
export async function runJob(
  job: ShardJob,
  options: JobOptions,
  previous: Promise<unknown> = Promise.resolve(),
): Promise<void> {
  const { number, rows, earlier } = job;
  const { storage, shardSize, download, hashes, onWritten } = options;
  const startTime = Date.now() / 1000;
  let bytes = earlier?.bytes ?? 0;
  const counted: ShardDownload = {
    ...download,
    onSample(sample, size) {
      bytes += size;
      return download.onSample?.(sample, size);
    },
  };
  const spool = await Spool.open();
  try {
    const samples = earlier === undefined ? [] : await readSamples(storage, number, spool);
    const indices = [...rows.keys()];
    const fetched = await allSettled(indices.map((index) => downloadSample(rows.get(index)!, spool, counted)));
    if (earlier !== undefined && fetched.every(({ status }) => status === 'failed_to_download')) return;
    for (const [position, index] of indices.entries()) samples[index] = fetched[position]!;
    await previous;
    download.stop.signal.throwIfAborted();
    if (hashes !== undefined) dropDuplicates(samples, indices, hashes);
    // Until it is written again, the shard is missing, and not half old and half new.
    if (earlier !== undefined) await storage.remove(`${shardName(number)}_stats.json`);
    onWritten(number, await writeShard({ number, shardSize, samples, spool, startTime, bytes }, storage));
  } finally {
    await spool.close();
  }
}

/** Waits until all have ended, and throws the first failure. */
export async function allSettled<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(promises);
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

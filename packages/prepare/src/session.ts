import { setMaxListeners } from 'node:events';
import { object, readOptions } from '@dalle-mini/core';
import { isTemporaryName } from '@dalle-mini/core/node';
import { DataError } from '@dalle-mini/data';
import type { Lookup } from './download/dispatcher.js';
import { Downloader, type WasOffline } from './download/downloader.js';
import { downloadFields } from './download/options.js';
import { fingerprintOf } from './lists/read-rows.js';
import { Meter, type PrepareProgress } from './meter.js';
import { knownHashes } from './pictures/duplicates.js';
import { loadFilter, type PictureFilter } from './pictures/filter.js';
import { type PictureSettings, pictureFields } from './pictures/options.js';
import { findPlan, type Plan, planName, readPlan, shardCount } from './plan.js';
import { prepareReport } from './report/report.js';
import { type PrepareSettings, prepareField } from './settings.js';
import type { ShardDownload } from './shards/download-shard.js';
import { type ShardJob, type Work, workOnFailures, workOnLists } from './shards/jobs.js';
import { openStorage } from './shards/open-storage.js';
import { isRowsName } from './shards/row-files.js';
import { type JobOptions, runJob, runJobs } from './shards/run-jobs.js';
import { readAllStats, type ShardStats } from './shards/stats.js';
import type { Storage } from './shards/storage.js';
import { type PrepareSummary, summarize } from './summary.js';

export interface SessionOptions {
  /** Uses the plan that another machine has written, instead of the lists, which need not be here. Default false. */
  readonly usesStoredPlan?: boolean | undefined;
  /** Judges images before they are stored. Default: that of the settings. */
  readonly filter?: PictureFilter | undefined;
  /** Finds the addresses of hosts. Default: by the name servers of the system. */
  readonly lookup?: Lookup | undefined;
  /** Tells when this machine had no network: downloads that failed meanwhile are tried again, and do not count as failures. Default: never. */
  readonly wasOffline?: WasOffline | undefined;
  /** Stops all that is under way. */
  readonly signal?: AbortSignal | undefined;
  /** Called while the lists are read, unless an earlier call has read them. */
  readonly onProgress?: ((progress: PrepareProgress) => unknown) | undefined;
}

/** What the settings lead to, when they are read. */
interface SessionParts {
  readonly settings: PrepareSettings;
  readonly pictures: PictureSettings;
  readonly filter: PictureFilter | undefined;
  readonly storage: Storage;
  readonly plan: Plan;
  readonly written: Map<number, ShardStats>;
  readonly downloader: Downloader;
}

const defaultShardSize = 10_000;
/** Shards at a time: while the last rows of one wait for slow hosts, those of the next are downloaded. */
const shardsAtOnce = 3;

/** A data set that is being prepared: its storage, its plan, its written shards, and the connections for downloads. */
export class PrepareSession {
  /** Aborts with the signal of the options, or with the first failure of a shard. */
  private readonly stop = new AbortController();
  private readonly forward: () => void;

  private constructor(
    private readonly parts: SessionParts,
    private readonly signal: AbortSignal | undefined,
  ) {
    // Each download listens.
    setMaxListeners(0, this.stop.signal);
    this.forward = () => this.stop.abort(signal?.reason);
    signal?.addEventListener('abort', this.forward);
  }

  /**
   * Opens the storage, and reads the lists unless an earlier call has.
   *
   * @throws OptionError if a setting is wrong; DataError if a list is damaged, or the storage has shards of other lists or settings.
   */
  static async open(given: PrepareSettings, options: SessionOptions = {}): Promise<PrepareSession> {
    const settings = readOptions(prepareField('.'), given, 'prepare');
    const { usesStoredPlan = false, lookup, wasOffline, signal, onProgress } = options;
    const { out, s3, shardSize = defaultShardSize } = settings;
    signal?.throwIfAborted();
    const pictures = readOptions(object(pictureFields), settings.pictures ?? {}, 'prepare');
    const downloads = readOptions(object(downloadFields), settings.download ?? {}, 'prepare');
    const filter = options.filter ?? (await loadFilter(settings.filter));
    const storage = await openStorage(out, s3);
    const written = await readAllStats(storage);
    const findOwnPlan = async () => {
      const fingerprint = await fingerprintOf(settings, { shardSize, pictures });
      return findPlan(storage, settings, { fingerprint, shardSize, hasShards: written.size > 0, signal, onProgress });
    };
    const plan = usesStoredPlan ? await readPlan(storage) : await findOwnPlan();
    if (plan === undefined)
      throw new DataError(`${storage.placeOf(planName)} is missing. Start the coordinator first.`);
    const downloader = new Downloader(downloads, lookup, wasOffline);
    return new PrepareSession({ settings, pictures, filter, storage, plan, written, downloader }, signal);
  }

  get plan(): Plan {
    return this.parts.plan;
  }

  get storage(): Storage {
    return this.parts.storage;
  }

  /** The counts of the written shards, by number. */
  get written(): ReadonlyMap<number, ShardStats> {
    return this.parts.written;
  }

  /** Finds the shards that other machines have written since. */
  async refresh(): Promise<void> {
    const { storage, written } = this.parts;
    const found = await readAllStats(storage, written);
    written.clear();
    for (const [number, stats] of found) written.set(number, stats);
  }

  /** Returns the work on the shards of this machine that are missing. */
  missing(): Work {
    const { settings, plan, written } = this.parts;
    return workOnLists(settings, plan, (number) => this.isMine(number) && !written.has(number), this.stop.signal);
  }

  /** Returns the work on the rows of this machine's shards that could not be downloaded. */
  failures(): Work {
    return workOnFailures(this.storage, this.written, (number) => this.isMine(number));
  }

  /** Runs jobs, some at a time. The first failure ends them all, and is thrown. */
  async run({ rows, jobs }: Work, onProgress?: (progress: PrepareProgress) => unknown): Promise<void> {
    const meter = new Meter(rows, onProgress);
    const options = await this.jobOptions(this.stop, (sample, bytes) => meter.add(sample, bytes));
    await runJobs(jobs, shardsAtOnce, options);
  }

  /** Runs one job. What stops it, such as a full disk, does not stop others. */
  async runJob(job: ShardJob): Promise<void> {
    const own = new AbortController();
    // Each download listens.
    setMaxListeners(0, own.signal);
    const forward = () => own.abort(this.stop.signal.reason);
    this.stop.signal.addEventListener('abort', forward);
    try {
      await runJob(job, await this.jobOptions(own));
    } finally {
      this.stop.signal.removeEventListener('abort', forward);
    }
  }

  private async jobOptions(stop: AbortController, onSample?: ShardDownload['onSample']): Promise<JobOptions> {
    const { storage, plan, pictures, filter, downloader, written } = this.parts;
    const { duplicateDistance } = pictures;
    return {
      storage,
      shardSize: plan.shardSize,
      download: { downloader, pictures, filter, stop, onSample },
      hashes: duplicateDistance === null ? undefined : await knownHashes(storage, written.keys(), duplicateDistance),
      onWritten: (number, stats) => written.set(number, stats),
    };
  }

  /** Writes the report, and returns the counts of all written shards. */
  async summarize(): Promise<PrepareSummary> {
    const { settings, plan, written, storage } = this.parts;
    const summary = summarize(plan, written);
    await storage.write('report.html', prepareReport(settings.out, summary, written));
    if (settings.share === undefined && written.size === shardCount(plan)) await this.removeLeftovers();
    return summary;
  }

  /** Removes what machines that were killed have left in the storage. Nobody else may be at work. */
  private async removeLeftovers(): Promise<void> {
    for (const name of await this.storage.list())
      if (isRowsName(name) || isTemporaryName(name)) await this.storage.remove(name);
  }

  async close(): Promise<void> {
    this.signal?.removeEventListener('abort', this.forward);
    await this.parts.downloader.close();
  }

  private isMine(number: number): boolean {
    const { share } = this.parts.settings;
    return share === undefined || number % share.count === share.rank;
  }
}

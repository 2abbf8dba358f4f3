import type { Progress } from '@dalle-mini/core';
import type { Sample } from './shards/sample.js';

/** Progress of `prepare`: first the lists are read (`scan`, whose total is not known and grows), then rows are downloaded. */
export interface PrepareProgress extends Progress {
  readonly stage: 'scan' | 'download';
  readonly unit: 'rows';
  /** Images that were stored. */
  readonly successes: number;
  /** Bytes that were downloaded. */
  readonly bytes: number;
  /** Bytes per second, averaged over the last seconds. */
  readonly bytesPerSecond?: number | undefined;
  /** Rows without an image, by the problem. */
  readonly problems: Readonly<Record<string, number>>;
}

/** Seconds over which rates are averaged, and between two calls of the listener. */
const averagedOver = 10;
const callEvery = 0.5;

/** Counts samples, and tells a listener twice a second. */
export class Meter {
  private done = 0;
  private successes = 0;
  private bytes = 0;
  private readonly problems: Record<string, number> = {};
  /** Counts of the last seconds, oldest first. */
  private readonly history: { time: number; done: number; bytes: number }[];
  private lastCall = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly total: number,
    private readonly listener: ((progress: PrepareProgress) => unknown) | undefined,
  ) {
    this.history = [{ time: performance.now() / 1000, done: 0, bytes: 0 }];
  }

  async add(sample: Sample, bytes: number): Promise<void> {
    this.done++;
    this.bytes += bytes;
    if (sample.status === 'success') this.successes++;
    else this.problems[sample.problem] = (this.problems[sample.problem] ?? 0) + 1;
    const time = performance.now() / 1000;
    if (time - this.lastCall < callEvery && this.done < this.total) return;
    this.lastCall = time;
    this.history.push({ time, done: this.done, bytes: this.bytes });
    while (this.history.length > 2 && this.history[0]!.time < time - averagedOver) this.history.shift();
    await this.listener?.(this.progress());
  }

  private progress(): PrepareProgress {
    const { done, total, successes, bytes, problems, history } = this;
    const first = history[0]!;
    const last = history.at(-1)!;
    const seconds = last.time - first.time;
    const rate = seconds > 0 ? (last.done - first.done) / seconds : undefined;
    const bytesPerSecond = seconds > 0 ? (last.bytes - first.bytes) / seconds : undefined;
    const secondsLeft = rate ? (total - done) / rate : undefined;
    const counts = { done, total, successes, bytes, problems: { ...problems } };
    return { stage: 'download', unit: 'rows', ...counts, rate, secondsLeft, bytesPerSecond };
  }
}

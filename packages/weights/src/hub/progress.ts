import type { Progress } from '@dalle-mini/core';

/** How far a download is. `done` includes the bytes that were in the cache before. */
export interface DownloadProgress extends Progress {
  readonly stage: 'download';
  readonly unit: 'bytes';
}

/** Seconds between reports. */
const interval = 0.1;

/** Seconds over which the rate is averaged. */
const averagedOver = 5;

/** Adds up the bytes of files that are downloaded at once, and reports them up to ten times a second. */
export class DownloadMeter {
  private readonly positions = new Map<string, number>();
  private arrived = 0;
  private rate: number | undefined;
  private reported = performance.now();

  constructor(
    private readonly total: number,
    private readonly listener: (progress: DownloadProgress) => unknown = () => undefined,
    /** Called with the error of a listener whose promise rejects. */
    private readonly fail: (error: unknown) => void = () => undefined,
  ) {}

  /** Records that `position` bytes of a file are in place, of which `arrived` have just been received. */
  update(etag: string, position: number, arrived = 0): void {
    this.positions.set(etag, position);
    this.arrived += arrived;
    if (performance.now() - this.reported >= interval * 1000) Promise.resolve(this.report()).catch(this.fail);
  }

  /** Reports a last time, and waits for the listener. */
  async finish(): Promise<void> {
    await this.report();
  }

  /** Returns what the listener returns, which may be a promise. */
  private report(): unknown {
    const now = performance.now();
    const seconds = (now - this.reported) / 1000;
    if (this.arrived > 0 && seconds > 0) {
      const rate = this.arrived / seconds;
      this.rate = rate + ((this.rate ?? rate) - rate) * Math.exp(-seconds / averagedOver);
    }
    this.reported = now;
    this.arrived = 0;
    const { total, rate } = this;
    const done = [...this.positions.values()].reduce((sum, position) => sum + position, 0);
    const secondsLeft = rate === undefined ? undefined : (total - done) / rate;
    return this.listener({ stage: 'download', unit: 'bytes', done, total, rate, secondsLeft });
  }
}

import type { Progress, Stage } from '@dalle-mini/core';

/** How far a download is. `done` includes the bytes that were in the cache before. */
export interface DownloadProgress extends Progress {
  readonly stage: 'download';
  readonly unit: 'bytes';
}

/** Seconds between reports. */
const interval = 0.1;

/** Seconds over which the rate is averaged. */
const averagedOver = 5;

/** How far an upload is: reading the files, to know which of them the hub has, and then sending the others. */
export interface UploadProgress extends Progress {
  readonly stage: 'hash' | 'upload';
  readonly unit: 'bytes';
}

/** Adds up the bytes of files that are processed at once, and reports them up to ten times a second. */
export class ByteMeter<S extends Stage> {
  private readonly positions = new Map<string, number>();
  private arrived = 0;
  private rate: number | undefined;
  private reported = performance.now();

  constructor(
    private readonly stage: S,
    private readonly total: number,
    private readonly listener: (progress: Progress & { readonly stage: S; readonly unit: 'bytes' }) => unknown = () =>
      undefined,
    /** Called with the error of a listener whose promise rejects. */
    private readonly fail: (error: unknown) => void = () => undefined,
  ) {}

  /** Records that `position` bytes of a file are done, of which `arrived` have just been transferred. */
  update(file: string, position: number, arrived = 0): void {
    this.positions.set(file, position);
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
    const { stage, total, rate } = this;
    const done = [...this.positions.values()].reduce((sum, position) => sum + position, 0);
    const secondsLeft = rate === undefined ? undefined : (total - done) / rate;
    return this.listener({ stage, unit: 'bytes', done, total, rate, secondsLeft });
  }
}

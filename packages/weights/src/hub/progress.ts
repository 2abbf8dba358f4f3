export interface DownloadProgress {
  /** Bytes in place: those that the cache held before, too. */
  readonly bytes: number;
  /** Bytes of all files. */
  readonly total: number;
  /** Bytes that arrive in a second, averaged over the last few seconds. */
  readonly rate: number;
  /** At this rate; undefined as long as there is none. */
  readonly secondsLeft: number | undefined;
}

/** Seconds between reports. */
const INTERVAL = 0.1;

/** Seconds over which the rate is averaged. */
const AVERAGED = 5;

/** Adds up the bytes of blobs that come at once, and reports them, not more often than a display can show. */
export class Progress {
  private readonly positions = new Map<string, number>();
  private arrived = 0;
  private rate: number | undefined;
  private reported = performance.now();

  constructor(
    private readonly total: number,
    private readonly listener: (progress: DownloadProgress) => void = () => undefined,
  ) {}

  /** A blob has `position` bytes in place, of which `arrived` have just come. */
  update(etag: string, position: number, arrived = 0): void {
    this.positions.set(etag, position);
    this.arrived += arrived;
    if (performance.now() - this.reported >= INTERVAL * 1000) this.report();
  }

  report(): void {
    const now = performance.now();
    const seconds = (now - this.reported) / 1000;
    if (this.arrived > 0 && seconds > 0) {
      const rate = this.arrived / seconds;
      this.rate = rate + ((this.rate ?? rate) - rate) * Math.exp(-seconds / AVERAGED);
    }
    this.reported = now;
    this.arrived = 0;
    const bytes = [...this.positions.values()].reduce((sum, position) => sum + position, 0);
    const secondsLeft = this.rate === undefined ? undefined : (this.total - bytes) / this.rate;
    this.listener({ bytes, total: this.total, rate: this.rate ?? 0, secondsLeft });
  }
}

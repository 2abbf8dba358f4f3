import { RequestError } from './errors.js';

export interface JobQueueOptions {
  /** Jobs that run at the same time. */
  readonly concurrency: number;
  /** Most jobs that wait. */
  readonly length: number;
  /** Most jobs of one client, running and waiting. */
  readonly perClient: number;
}

/** A job that was admitted. It must leave, whether it has run or not. */
export interface Job {
  /**
   * Waits until the job may run.
   *
   * @param onAhead Called with the number of waiting jobs that run earlier, whenever it changes.
   * @throws The signal's reason if it aborts.
   */
  turn(signal: AbortSignal, onAhead?: (ahead: number) => void): Promise<void>;
  leave(): void;
}

interface Waiting {
  readonly start: () => void;
  readonly onAhead: (ahead: number) => void;
}

/** Runs jobs in the order of their arrival, and refuses those that are too many. */
export class JobQueue {
  private readonly waiting: Waiting[] = [];
  private readonly jobsOf = new Map<string, number>();
  private admitted = 0;
  private taken = 0;

  constructor(private readonly options: JobQueueOptions) {}

  /** Jobs that run now. */
  get running(): number {
    return this.taken;
  }

  /** Jobs that wait now. */
  get length(): number {
    return this.admitted - this.taken;
  }

  /**
   * Admits a job.
   *
   * @throws RequestError with status 429 if the client has too many jobs, 503 if the queue is full.
   */
  enter(client: string): Job {
    const { concurrency, length, perClient } = this.options;
    const jobs = this.jobsOf.get(client) ?? 0;
    const retry = { 'retry-after': '5' };
    if (jobs >= perClient) {
      const message = `A client may have ${perClient} jobs at a time. Wait until one is done, or cancel it.`;
      throw new RequestError(429, 'TOO_MANY_JOBS', message, retry);
    }
    if (this.admitted >= concurrency + length) {
      throw new RequestError(503, 'QUEUE_FULL', `${length} jobs are waiting. Try again in a few seconds.`, retry);
    }
    this.jobsOf.set(client, jobs + 1);
    this.admitted++;
    let runs = false;
    return {
      turn: async (signal, onAhead = () => {}) => {
        await this.wait(signal, onAhead);
        runs = true;
      },
      leave: () => {
        this.admitted--;
        const others = this.jobsOf.get(client)! - 1;
        if (others > 0) this.jobsOf.set(client, others);
        else this.jobsOf.delete(client);
        if (runs) this.release();
      },
    };
  }

  private async wait(signal: AbortSignal, onAhead: (ahead: number) => void): Promise<void> {
    signal.throwIfAborted();
    if (this.taken < this.options.concurrency) {
      this.taken++;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const abort = () => {
        this.waiting.splice(this.waiting.indexOf(waiting), 1);
        this.reportPlaces();
        reject(signal.reason);
      };
      const start = () => {
        signal.removeEventListener('abort', abort);
        resolve();
      };
      const waiting = { start, onAhead };
      signal.addEventListener('abort', abort, { once: true });
      this.waiting.push(waiting);
      onAhead(this.waiting.length - 1);
    });
  }

  /** Gives the place of a job that ran to the first one that waits. */
  private release(): void {
    const next = this.waiting.shift();
    if (next) next.start();
    else this.taken--;
    this.reportPlaces();
  }

  private reportPlaces(): void {
    for (const [ahead, { onAhead }] of this.waiting.entries()) onAhead(ahead);
  }
}

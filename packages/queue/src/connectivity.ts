import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';

/** Milliseconds between two questions to Redis, and without an answer after which a machine counts as cut off. */
const askEvery = 500;
const longestSilence = 1500;

/**
 * Watches whether a machine reaches Redis. One that does not may have no network at all, or was suspended: what its downloads failed with
 * meanwhile says nothing about the images.
 */
export class Connectivity {
  private lastAnswer = performance.now();
  /** The end of the last silence. */
  private lastReturn = Number.NEGATIVE_INFINITY;
  private isClosed = false;

  constructor(private readonly redis: Redis) {
    void this.watch();
  }

  /** Waits until Redis answers. Returns whether it was silent at any time since `time`, of `performance.now()`. */
  async wasLostSince(time: number): Promise<boolean> {
    await this.ask();
    return this.lastReturn >= time;
  }

  close(): void {
    this.isClosed = true;
  }

  private async watch(): Promise<void> {
    while (!this.isClosed) {
      // It rejects when the connection is closed.
      await this.ask().catch(() => undefined);
      await sleep(askEvery, undefined, { ref: false });
    }
  }

  private async ask(): Promise<void> {
    await this.redis.ping();
    const now = performance.now();
    if (now - this.lastAnswer > longestSilence) this.lastReturn = now;
    this.lastAnswer = now;
  }
}

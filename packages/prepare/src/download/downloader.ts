import pLimit, { type LimitFunction } from 'p-limit';
import { createDispatcher, type Lookup } from './dispatcher.js';
import { DownloadError } from './download-error.js';
import { downloadImage } from './download-image.js';
import type { DownloadSettings } from './options.js';

/**
 * Returns whether this machine was without a network at any time since `time`, of `performance.now()`. If it still is, it first waits until
 * the network is back.
 */
export type WasOffline = (time: number) => Promise<boolean>;

/** Downloads images, with limits for all of them and for each host. */
export class Downloader {
  private readonly all: LimitFunction;
  private readonly hosts = new Map<string, LimitFunction>();
  private readonly dispatcher;

  constructor(
    private readonly settings: DownloadSettings,
    lookup?: Lookup,
    private readonly wasOffline?: WasOffline,
  ) {
    this.all = pLimit(settings.connections);
    this.dispatcher = createDispatcher(settings, lookup);
  }

  /**
   * Downloads an image when its host and the limit allow it, and uses it. It counts until it has been used, so that images that wait for
   * a processor do not fill the memory.
   *
   * @throws DownloadError if there is no image; the reason of `signal` if it aborts.
   */
  async withImage<T>(url: string, use: (file: Buffer) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const { host } = new URL(url);
    const limit = this.hosts.get(host) ?? pLimit(this.settings.connectionsPerHost);
    this.hosts.set(host, limit);
    try {
      return await limit(() => this.all(async () => use(await this.download(url, signal))));
    } finally {
      // The last one: a list has millions of hosts.
      if (limit.activeCount === 0 && limit.pendingCount === 0) this.hosts.delete(host);
    }
  }

  /** Downloads an image, again if it may have failed only because this machine was without a network. */
  private async download(url: string, signal: AbortSignal | undefined): Promise<Buffer> {
    for (;;) {
      const start = performance.now();
      try {
        return await downloadImage(url, this.dispatcher, this.settings, signal);
      } catch (error) {
        const isTransient = error instanceof DownloadError && error.isTransient;
        if (!isTransient || !(await this.wasOffline?.(start))) throw error;
      }
    }
  }

  async close(): Promise<void> {
    await this.dispatcher.destroy();
  }
}

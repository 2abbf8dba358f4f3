import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { makeFolder } from '@dalle-mini/core/node';
import { hashOf } from '../content-hash.js';
import { downloadFile, isAddress } from './files.js';
import type { S3Options } from './s3.js';

interface Copy {
  readonly path: Promise<string>;
  /** Number of calls that read it. */
  users: number;
}

export interface RemoteCacheOptions {
  /** Most files that are kept. Those that were used last stay. */
  readonly most: number;
  /** The server of `s3://` addresses. */
  readonly s3?: S3Options | undefined;
  /** Called before the copy of an address is deleted. */
  readonly onDelete?: ((address: string) => unknown) | undefined;
}

/**
 * Copies of files of web servers and buckets, in a folder of this process. The folder is removed when the process ends; those of processes
 * that were killed are removed by the next one on this machine.
 */
export class RemoteCache {
  private readonly copies = new Map<string, Copy>();
  private folder: Promise<string> | undefined;
  private downloads = 0;

  /** @param parent The folder of the copies of all processes. */
  constructor(
    private readonly parent: string,
    private readonly options: RemoteCacheOptions,
  ) {}

  /** Calls `use` with the path of a file, which is downloaded first if it is an address, and stays until `use` has ended. */
  async use<Result>(place: string, use: (path: string) => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    if (!isAddress(place)) return use(place);
    const known = this.copies.get(place);
    const copy = known ?? { path: this.download(place, signal), users: 0 };
    // Deleting it first moves it to the end of the map, away from the files that are deleted.
    this.copies.delete(place);
    this.copies.set(place, copy);
    copy.users++;
    try {
      return await use(await copy.path);
    } finally {
      copy.users--;
      await this.evict();
    }
  }

  private async download(address: string, signal: AbortSignal | undefined): Promise<string> {
    try {
      this.folder ??= this.makeFolder();
      // Its own, since an earlier copy may be about to be deleted.
      const folder = join(await this.folder, String(this.downloads++));
      await makeFolder(folder);
      const path = join(folder, basename(new URL(address).pathname));
      await downloadFile(address, path, { s3: this.options.s3, signal });
      return path;
    } catch (error) {
      this.copies.delete(address);
      throw error;
    }
  }

  private async evict(): Promise<void> {
    for (const [address, { path, users }] of this.copies) {
      if (this.copies.size <= this.options.most) return;
      if (users > 0) continue;
      this.copies.delete(address);
      this.options.onDelete?.(address);
      await rm(dirname(await path), { recursive: true, force: true });
    }
  }

  private async makeFolder(): Promise<string> {
    const { parent } = this;
    await makeFolder(parent);
    for (const name of await readdir(parent))
      if (isAbandoned(name)) await rm(join(parent, name), { recursive: true, force: true });
    const folder = join(parent, `${prefix}${process.pid}-${randomUUID()}`);
    await makeFolder(folder);
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    return folder;
  }
}

/** What the names of the folders of this machine begin with. */
const prefix = `downloads-${hashOf(hostname())}-`;

/** Whether a name is that of a folder of a process that has ended. */
function isAbandoned(name: string): boolean {
  if (!name.startsWith(prefix)) return false;
  const pid = Number.parseInt(name.slice(prefix.length), 10);
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

import { createHash, randomUUID } from 'node:crypto';
import { copyFile, link, readdir, readFile, rename, rm, stat, symlink, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { makeFolder, writeFileAtomically } from '@dalle-mini/core/node';
import { type HubFile, isCommit } from './listing.js';

/**
 * A model in the cache of huggingface_hub in Python:
 *
 *     models--org--name/blobs/<etag>                  contents
 *     models--org--name/refs/<revision>               the commit of a branch or tag at its last download
 *     models--org--name/snapshots/<commit>/<file>     links to the blobs
 */
export class ModelCache {
  readonly folder: string;
  private readonly blobs: string;

  constructor(cacheDir: string, repo: string) {
    this.folder = resolve(cacheDir, `models--${repo.replace('/', '--')}`);
    this.blobs = join(this.folder, 'blobs');
  }

  snapshot(commit: string): string {
    return join(this.folder, 'snapshots', commit);
  }

  path(commit: string, name: string): string {
    return join(this.snapshot(commit), name);
  }

  blob(etag: string): string {
    return join(this.blobs, etag);
  }

  /** Returns the commit of a revision, if the cache has files of it. */
  async commitOf(revision: string): Promise<string | undefined> {
    const commit = isCommit(revision) ? revision : await readFile(this.ref(revision), 'utf8').catch(() => '');
    if (!isCommit(commit)) return undefined;
    return stat(this.snapshot(commit)).then(
      () => commit,
      () => undefined,
    );
  }

  /** Stores the commit of a branch or tag. */
  async setCommit(revision: string, commit: string): Promise<void> {
    if (revision === commit || (await this.commitOf(revision)) === commit) return;
    await makeFolder(dirname(this.ref(revision)));
    await writeFileAtomically(this.ref(revision), commit);
  }

  private ref(revision: string): string {
    return join(this.folder, 'refs', revision);
  }

  /** Lists the files of a commit in the cache. */
  async files(commit: string): Promise<HubFile[]> {
    const files: HubFile[] = [];
    for (const path of await readdir(this.snapshot(commit), { recursive: true })) {
      const size = await fileSize(this.path(commit, path));
      if (size !== undefined) files.push({ name: path.replaceAll(sep, '/'), size });
    }
    return files;
  }

  /** Creates a file of a snapshot: a link to a blob. */
  async link(etag: string, commit: string, name: string): Promise<void> {
    const blob = this.blob(etag);
    const path = this.path(commit, name);
    const folder = dirname(path);
    await makeFolder(folder);
    const temporary = join(folder, `.${randomUUID()}.tmp`);
    try {
      // Windows allows symbolic links for developers only, and some file systems have no links.
      await symlink(relative(folder, blob), temporary)
        .catch(() => link(blob, temporary))
        .catch(() => copyFile(blob, temporary));
      await rename(temporary, path);
    } finally {
      // Renaming a hard link to another one of the same file does nothing.
      await rm(temporary, { force: true });
    }
  }

  /**
   * Returns a file for the bytes of a blob as they arrive, which no other download writes until `releasePartial`: the
   * file of an earlier download of the blob, or a new one.
   */
  async claimPartial(etag: string): Promise<string> {
    await makeFolder(this.blobs);
    const path = join(this.blobs, `${etag}.${thisHost}-${process.pid}-${++claims}.incomplete`);
    claimed.add(path);
    for (const left of await this.leftPartials(etag)) {
      try {
        const now = new Date();
        await utimes(left, now, now);
        await rename(left, path);
        break;
      } catch (error) {
        // Another download has claimed it.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
    return path;
  }

  /** Turns a complete partial file into a blob. Removes abandoned partial files of the same blob. */
  async keepPartial(partial: string, etag: string): Promise<void> {
    await rename(partial, this.blob(etag));
    for (const left of await this.leftPartials(etag)) await rm(left, { force: true });
  }

  releasePartial(partial: string): void {
    claimed.delete(partial);
  }

  /** Lists the partial files of a blob whose downloads have ended. */
  private async leftPartials(etag: string): Promise<string[]> {
    const left: string[] = [];
    for (const name of await readdir(this.blobs)) {
      const [, owned, host, pid] = partialName.exec(name) ?? [];
      const path = join(this.blobs, name);
      if (owned === etag && !claimed.has(path) && !(await isWritten(path, host!, Number(pid)))) left.push(path);
    }
    return left;
  }
}

/**
 * The names of partial files contain their host and process, because Node.js has no locks that end with their process.
 */
const partialName = /^([0-9a-f]+)\.([0-9a-f]{8})-(\d+)-\d+\.incomplete$/;

/** Computers and containers may share a cache, but they have different process numbers. */
const thisHost = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);

/** The partial files that downloads of this process write. */
const claimed = new Set<string>();
let claims = 0;

/** Milliseconds without a byte after which a download has certainly ended. */
const abandonedAfter = 300_000;

async function isWritten(path: string, host: string, pid: number): Promise<boolean> {
  if (host === thisHost && (pid === process.pid || !isRunning(pid))) return false;
  const modified = await stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
  return Date.now() - modified < abandonedAfter;
}

function isRunning(pid: number): boolean {
  try {
    // Signal 0 only checks.
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Returns the size of a file in bytes, following links, or undefined if there is no such file. */
export async function fileSize(path: string): Promise<number | undefined> {
  try {
    const found = await stat(path);
    return found.isFile() ? found.size : undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

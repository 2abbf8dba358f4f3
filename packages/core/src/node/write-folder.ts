import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { isMissing, withFileErrors } from './file-error.js';
import { exists } from './read.js';
import { makeFolder, syncFolder } from './write-file.js';

/** Milliseconds between updates of a folder's time, and the age at which a folder is taken to have no writer any more. */
const heartbeat = 10_000;
const abandonedAfter = 600_000;

export interface WriteFolderOptions {
  /**
   * Checks a target that is there when the new folder is complete. If it returns true, the target stays and the new folder is deleted, so
   * that a process that has begun to read the target can go on. Default: the target is replaced.
   */
  readonly keep?: ((target: string) => Promise<boolean>) | undefined;
}

/**
 * Writes a folder so that a reader finds either the complete old folder or the complete new one. `fill` writes into a temporary folder
 * next to the target, which then replaces the target. On failure the temporary folder is removed.
 *
 * A killed writer leaves its temporary folder behind. The next writer removes it, or puts it in place if the target is missing: see
 * {@link recoverFolder}. If several processes write the same target at once, the last one wins, unless `keep` says otherwise.
 *
 * @throws FileError if the folder cannot be written, and any error that `fill` throws.
 */
export async function writeFolderAtomically(
  target: string,
  fill: (folder: string) => Promise<void>,
  options: WriteFolderOptions = {},
): Promise<void> {
  await makeFolder(dirname(resolve(target)));
  await recoverFolder(target);
  const own = siblings(target);
  const part = own('part');
  const complete = own('new');
  await withFileErrors('write', target, async () => {
    await mkdir(part);
    const alive = setInterval(() => utimes(part, new Date(), new Date()).catch(() => undefined), heartbeat);
    alive.unref();
    try {
      await fill(part);
      await syncFolder(part);
      await rename(part, complete);
      await swap(complete, target, options);
    } catch (error) {
      // The first error matters more than a failed cleanup.
      for (const folder of [part, complete]) await remove(folder).catch(() => undefined);
      throw error;
    } finally {
      clearInterval(alive);
    }
  });
  await syncFolder(dirname(resolve(target)));
}

/** Renames a complete folder to the target and removes the old folder, or removes the complete folder if the old one is kept. */
async function swap(complete: string, target: string, { keep }: WriteFolderOptions): Promise<void> {
  const replaced: string[] = [];
  try {
    // Another process may create the target between the two renames; then its folder is replaced as well.
    for (let attempt = 1; ; attempt++) {
      try {
        await rename(complete, target);
        break;
      } catch (error) {
        if (!isTaken(error) || attempt === 100) throw error;
      }
      if (await keep?.(target)) return await remove(complete);
      const old = siblings(target)('old');
      if (await renameIfPresent(target, old)) replaced.push(old);
    }
  } catch (error) {
    const last = replaced.pop();
    if (last !== undefined) await rename(last, target).catch(() => undefined);
    throw error;
  } finally {
    for (const folder of replaced) await remove(folder);
  }
}

/** Checks whether a rename failed because the target exists. */
function isTaken(error: unknown): boolean {
  // Windows reports EPERM.
  return ['ENOTEMPTY', 'EEXIST', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '');
}

async function renameIfPresent(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/**
 * Cleans up after killed writers of a folder. If the target is missing, it is restored: from a complete new folder if there is one,
 * otherwise from the old folder. All other leftovers are deleted. Temporary folders of running writers stay.
 *
 * @throws FileError
 */
export async function recoverFolder(target: string): Promise<void> {
  const parent = dirname(resolve(target));
  await withFileErrors('write', target, async () => {
    const names = await readdir(parent).catch((error: unknown) => {
      if (isMissing(error)) return [];
      throw error;
    });
    const prefix = siblingPrefix(target);
    const leftovers: string[] = [];
    for (const name of names.filter((one) => one.startsWith(prefix))) {
      if (await isAbandoned(join(parent, name), name.slice(prefix.length))) leftovers.push(name);
    }
    if (leftovers.length === 0) return;
    // Prefer the complete new folder to the old one.
    for (const kind of ['new', 'old']) {
      const candidate = leftovers.find((name) => name.endsWith(`.${kind}`));
      if (candidate !== undefined && !(await exists(target))) {
        await renameIfPresent(join(parent, candidate), target);
      }
    }
    for (const name of leftovers) await remove(join(parent, name));
  });
}

/** Creates the paths of one writer's temporary folders, next to the target. Their names identify the host and the process. */
function siblings(target: string): (kind: 'part' | 'new' | 'old') => string {
  const id = `${host()}.${process.pid}.${randomUUID()}`;
  return (kind) => join(dirname(resolve(target)), `${siblingPrefix(target)}${id}.${kind}`);
}

/** Contains a hash of the target's name, because the name itself may already have the maximum length. */
function siblingPrefix(target: string): string {
  return `.dalle-mini-${hashOf(basename(resolve(target)))}.`;
}

/** Whether a name is that of a temporary folder of {@link writeFolderAtomically}, which a process that was killed leaves behind. */
export function isTemporaryFolderName(name: string): boolean {
  return /^\.dalle-mini-[\da-f]{12}\.[\da-f]{12}\.\d+\.[\da-f-]{36}\.(part|new|old)$/.test(name);
}

const host = () => hashOf(hostname());

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

async function isAbandoned(path: string, id: string): Promise<boolean> {
  const [writerHost, pid] = id.split('.');
  if (writerHost === host() && !isRunning(Number(pid))) return true;
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > abandonedAfter;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

async function remove(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}

import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { isMissing, withFileErrors } from './file-error.js';
import { exists } from './read.js';
import { makeFolder, syncFolder } from './write-file.js';

/** Milliseconds between signs of life, and after which a folder without one has no writer any more. */
const heartbeat = 10_000;
const abandonedAfter = 600_000;

/**
 * Writes a folder so that a reader finds either the old folder or the new one, whole. `fill` writes into a new folder next to the
 * target; when it is complete, it takes the target's place. On failure the new folder is removed.
 *
 * What a writer leaves behind that was killed is removed by the next one, or put in place if the target is missing: see
 * {@link recoverFolder}. If several processes write the same target at once, the last one's folder stays.
 *
 * @throws FileError if the folder cannot be written; whatever `fill` throws.
 */
export async function writeFolderAtomically(target: string, fill: (folder: string) => Promise<void>): Promise<void> {
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
      await swap(complete, target);
    } catch (error) {
      // The first error says more than a failure to clean up after it.
      for (const folder of [part, complete]) await remove(folder).catch(() => undefined);
      throw error;
    } finally {
      clearInterval(alive);
    }
  });
  await syncFolder(dirname(resolve(target)));
}

/** Puts a complete folder in the place of the target, and removes what was there. */
async function swap(complete: string, target: string): Promise<void> {
  const replaced: string[] = [];
  try {
    // Another process may put its folder there between the two steps; then that one is replaced in turn.
    for (let attempt = 1; ; attempt++) {
      try {
        await rename(complete, target);
        break;
      } catch (error) {
        if (!isTaken(error) || attempt === 100) throw error;
      }
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

/** Whether a folder could not be renamed because there is another one. */
function isTaken(error: unknown): boolean {
  // Windows has EPERM.
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
 * Cleans up after writers of a folder that were killed: a complete folder takes the place of a target that is missing, or else the
 * one that was being replaced comes back; what remains is deleted. Folders of writers that are still at work are left alone.
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
    // A complete new folder is what the writer wanted; the old one is what there was.
    for (const kind of ['new', 'old']) {
      const candidate = leftovers.find((name) => name.endsWith(`.${kind}`));
      if (candidate !== undefined && !(await exists(target))) {
        await renameIfPresent(join(parent, candidate), target);
      }
    }
    for (const name of leftovers) await remove(join(parent, name));
  });
}

/** Paths next to a target for what one writer makes; the name tells whose it is. */
function siblings(target: string): (kind: 'part' | 'new' | 'old') => string {
  const id = `${host()}.${process.pid}.${randomUUID()}`;
  return (kind) => join(dirname(resolve(target)), `${siblingPrefix(target)}${id}.${kind}`);
}

/** Of the target's name only a hash, since a name may already be as long as a name can be. */
function siblingPrefix(target: string): string {
  return `.dalle-mini-${hashOf(basename(resolve(target)))}.`;
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

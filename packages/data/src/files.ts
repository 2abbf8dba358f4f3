import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** What went wrong, by `errno` name, in words that say how to mend it. */
const remedies: Record<string, string> = {
  ENOENT: 'it does not exist; check the path',
  EACCES: 'permission denied; change its permissions or choose another path',
  EPERM: 'permission denied; change its permissions or choose another path',
  EROFS: 'the file system is read-only; choose another path',
  ENOSPC: 'the disk is full; free some space and run again',
  EDQUOT: 'the disk quota is used up; free some space and run again',
  ENOTDIR: 'a part of the path is a file, not a folder; choose another path',
  EISDIR: 'it is a folder, a file was expected; check the path',
  EMFILE: 'too many open files; close some datasets or raise the limit with `ulimit -n`',
};

/** Wraps a file system error into one that names the deed, the path and the mend. Other errors pass through. */
export function fileError(deed: string, path: string, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (typeof code !== 'string' || (error as NodeJS.ErrnoException).syscall === undefined) return error;
  return new Error(`Cannot ${deed} ${path}: ${remedies[code] ?? (error as Error).message}.`, { cause: error });
}

/** Whether an error says that a file or folder is not there. */
export function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
}

/** Creates a folder and its parents. */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    throw fileError('create the folder', path, error);
  }
}

/** Writes a whole file under a temporary name beside it, then renames it: a reader sees the old file or the new one. */
export async function writeFileAtomically(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(temporary, content);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw fileError('write', path, error);
  }
}

/** Reads a text file, or `undefined` if it is not there. */
export async function readTextIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw fileError('read', path, error);
  }
}

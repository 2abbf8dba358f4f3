import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** The longest string of Node.js is a little longer. */
const textByteLimit = 500 * 1024 ** 2;

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

/** Opens a file for reading. Throws if it is a folder, or a pipe or device, whose reading may never end. */
export async function openFile(path: string): Promise<FileHandle> {
  try {
    const status = await stat(path);
    if (!status.isFile()) {
      const kind = status.isDirectory() ? 'a folder' : 'a pipe or device';
      throw new Error(`${path} must be a file, not ${kind}. Check the path.`);
    }
    return await open(path, 'r');
  } catch (error) {
    throw fileError('read', path, error);
  }
}

/** Reads a whole file of at most `byteLimit` bytes. */
export async function readBytes(path: string, byteLimit = 2 ** 31 - 1): Promise<Uint8Array> {
  const file = await openFile(path);
  try {
    const { size } = await file.stat();
    if (size > byteLimit) {
      throw new Error(`${path} must be a file of at most ${byteLimit} bytes, not ${size}. Split it or replace it.`);
    }
    return await file.readFile();
  } catch (error) {
    throw fileError('read', path, error);
  } finally {
    await file.close();
  }
}

/** Reads a text file, without its byte order mark, or `undefined` if it is not there. */
export async function readTextIfPresent(path: string): Promise<string | undefined> {
  try {
    return new TextDecoder().decode(await readBytes(path, textByteLimit));
  } catch (error) {
    if (isMissing((error as Error).cause)) return undefined;
    throw error;
  }
}

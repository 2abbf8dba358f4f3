import { randomUUID } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { FileError, isSystemError } from '../errors/file-error.js';

/** Bytes for one call of the system, which takes less than 2 GiB. */
export const BYTES_PER_CALL = 2 ** 26;

/**
 * Writes a file so that a reader finds either the old content or the new one, whole, whatever happens in between: the bytes go
 * to a new file in the same folder, reach the disk, and take the name. On failure that file is removed.
 * A symbolic link at `path` is replaced, not followed.
 * @throws FileError if the file cannot be written.
 */
export async function writeFileAtomically(path: string, bytes: Uint8Array): Promise<void> {
  await writeParts(path, [bytes]);
}

/** Writes a file as {@link writeFileAtomically} does, from the pieces of its content. */
export async function writeParts(path: string, parts: Iterable<Uint8Array>): Promise<void> {
  const folder = dirname(resolve(path));
  // Not derived from the file's name, which may already be as long as a name can be.
  const temporary = join(folder, `.${randomUUID()}.tmp`);
  try {
    const file = await open(temporary, 'wx');
    try {
      for (const part of parts) await writeFully(file, part);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    // The first error says more than a failure to clean up after it.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw isSystemError(error) ? new FileError('write', path, error) : error;
  }
  await syncFolder(folder);
}

async function writeFully(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.byteLength; ) {
    const { bytesWritten } = await file.write(bytes, offset, Math.min(BYTES_PER_CALL, bytes.byteLength - offset));
    offset += bytesWritten;
  }
}

/**
 * Makes the new name itself survive a power cut. By now the file is in place and whole, so where a system cannot open or sync
 * folders (Windows, some network file systems) that is no failure.
 */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

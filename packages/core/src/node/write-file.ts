import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { withFileErrors } from './file-error.js';

/** Bytes of one call of the system, which takes less than 2 GiB. */
const chunk = 2 ** 26;

/**
 * Creates a folder and its parents.
 * @throws FileError
 */
export async function makeFolder(path: string): Promise<void> {
  await withFileErrors('write', path, () => mkdir(path, { recursive: true }));
}

/**
 * Writes a file so that a reader finds either the old content or the new one, whole, whatever happens in between: the bytes go
 * to a new file in the same folder, reach the disk, and take the name. On failure that file is removed.
 * A symbolic link at `path` is replaced, not followed.
 *
 * @param content Text, bytes, or parts of bytes in their order, which are not held in memory together.
 * @throws FileError if the file cannot be written.
 */
export async function writeFileAtomically(
  path: string,
  content: string | Uint8Array | Iterable<Uint8Array>,
): Promise<void> {
  const parts =
    typeof content === 'string'
      ? [new TextEncoder().encode(content)]
      : content instanceof Uint8Array
        ? [content]
        : content;
  const folder = dirname(resolve(path));
  // Not derived from the file's name, which may already be as long as a name can be.
  const temporary = join(folder, `.${randomUUID()}.tmp`);
  await withFileErrors('write', path, async () => {
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
      throw error;
    }
  });
  await syncFolder(folder);
}

/**
 * Writes a value as an indented JSON file, with {@link writeFileAtomically}.
 * @throws FileError
 */
export async function writeJsonFile(path: string, value: object): Promise<void> {
  await writeFileAtomically(path, `${JSON.stringify(value, null, 2)}\n`);
}

async function writeFully(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.byteLength; ) {
    const { bytesWritten } = await file.write(bytes, offset, Math.min(chunk, bytes.byteLength - offset));
    offset += bytesWritten;
  }
}

/**
 * Makes the names in a folder survive a power cut. The files are in place and whole by now, so where a system cannot open or sync
 * folders (Windows, some network file systems) that is not a failure.
 */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { withFileErrors } from './file-error.js';

/** Bytes per write. The system accepts less than 2 GiB per call. */
const chunk = 2 ** 26;

/**
 * Creates a folder and its parents.
 * @throws FileError
 */
export async function makeFolder(path: string): Promise<void> {
  await withFileErrors('write', path, () => mkdir(path, { recursive: true }));
}

/**
 * Writes a file atomically: a reader finds either the complete old content or the complete new content, even after a crash. It writes
 * a temporary file in the same folder, syncs it to disk and renames it. On failure it removes the temporary file.
 * A symbolic link at `path` is replaced, not followed.
 *
 * @param content Text, bytes, or consecutive parts of the bytes. Parts are written one at a time, so they need not fit into memory
 *   together.
 * @throws FileError if the file cannot be written.
 */
export async function writeFileAtomically(
  path: string,
  content: string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  const parts =
    typeof content === 'string'
      ? [new TextEncoder().encode(content)]
      : content instanceof Uint8Array
        ? [content]
        : content;
  const folder = dirname(resolve(path));
  // Not derived from the file's name, which may already have the maximum length.
  const temporary = join(folder, `.${randomUUID()}.tmp`);
  await withFileErrors('write', path, async () => {
    try {
      const file = await open(temporary, 'wx');
      try {
        for await (const part of parts) await writeFully(file, part);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (error) {
      // The first error matters more than a failed cleanup.
      await rm(temporary, { force: true }).catch(() => undefined);
      throw error;
    }
  });
  await syncFolder(folder);
}

/** Whether a name is that of a temporary file of {@link writeFileAtomically}, which a process that was killed leaves behind. */
export function isTemporaryName(name: string): boolean {
  return /^\.[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}\.tmp$/.test(name);
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
 * Syncs a folder to disk, so that renames in it survive a power failure. The files themselves are complete by then. Windows and some
 * network file systems cannot sync folders; this is ignored.
 */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createGunzip } from 'node:zlib';
import { exists, makeFolder, openFile, withFileErrors, writeFileAtomically } from '@dalle-mini/core/node';
import { DataError } from '../data-error.js';

/** Checks whether a file is compressed with gzip, whatever its name. */
export async function isGzip(path: string): Promise<boolean> {
  const file = await openFile(path);
  try {
    const { bytesRead, buffer } = await withFileErrors('read', path, () => file.read(Buffer.alloc(2), 0, 2, 0));
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
  } finally {
    await file.close();
  }
}

/**
 * Unpacks an archive that is compressed with gzip into the cache, once: samples are read in any order, which gzip does not allow. An archive
 * that has changed is unpacked again, and its old copy deleted.
 *
 * @returns The path of the `.tar` archive.
 * @throws DataError if the archive is truncated or damaged; FileError if the disk is full.
 */
export async function unpackArchive(path: string, cacheFolder: string, signal?: AbortSignal): Promise<string> {
  const { size, mtimeMs } = await withFileErrors('read', path, () => stat(path));
  const hash = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 16);
  const place = hash(resolve(path));
  const name = `${place}-${hash(`${size} ${mtimeMs}`)}.tar`;
  const unpacked = join(cacheFolder, name);
  if (await exists(unpacked)) return unpacked;
  await makeFolder(cacheFolder);
  const old = (await readdir(cacheFolder)).filter((other) => other.startsWith(`${place}-`));
  await Promise.all(old.map((other) => rm(join(cacheFolder, other), { force: true })));
  const source = createReadStream(path);
  const gunzip = createGunzip();
  source.on('error', (error) => gunzip.destroy(error));
  try {
    await writeFileAtomically(unpacked, abortable(source.pipe(gunzip), signal));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'Z_BUF_ERROR')
      throw new DataError(`${path} is truncated. Download or copy it again.`, { cause: error });
    if (code?.startsWith('Z_'))
      throw new DataError(`${path} is damaged: ${(error as Error).message}. Download or copy it again.`, {
        cause: error,
      });
    throw error;
  } finally {
    source.destroy();
  }
  return unpacked;
}

async function* abortable(
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  for await (const part of bytes) {
    signal?.throwIfAborted();
    yield part;
  }
}

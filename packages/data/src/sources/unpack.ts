import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createGunzip } from 'node:zlib';
import { exists, makeFolder, openFile, withFileErrors, writeFileAtomically } from '@dalle-mini/core/node';
import { DataError } from '../data-error.js';
import { tarOfParquet } from './parquet-images.js';

/**
 * Unpacks an archive that is compressed with gzip, or a Parquet file with images, into the cache, once: samples are read in any
 * order, which these formats do not allow. An archive that has changed is unpacked again, and its old copy deleted.
 *
 * @returns The path of the `.tar` archive: the given one if it is not compressed.
 * @throws DataError if the archive is truncated or damaged; FileError if the disk is full.
 */
export async function unpackArchive(path: string, cacheFolder: string, signal?: AbortSignal): Promise<string> {
  const start = await firstBytes(path);
  const unpack = start.startsWith('\x1f\x8b') ? gunzipped : start === 'PAR1' ? tarOfParquet : undefined;
  if (unpack === undefined) return path;
  const { size, mtimeMs } = await withFileErrors('read', path, () => stat(path));
  const hash = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 16);
  const place = hash(resolve(path));
  const name = `${place}-${hash(`${size} ${mtimeMs}`)}.tar`;
  const unpacked = join(cacheFolder, name);
  if (await exists(unpacked)) return unpacked;
  await makeFolder(cacheFolder);
  const old = (await readdir(cacheFolder)).filter((other) => other.startsWith(`${place}-`));
  await Promise.all(old.map((other) => rm(join(cacheFolder, other), { force: true })));
  await writeFileAtomically(unpacked, unpack(path, signal));
  return unpacked;
}

/** Returns the first four bytes of a file, as Latin-1. The content tells its format, not its name. */
async function firstBytes(path: string): Promise<string> {
  const file = await openFile(path);
  try {
    const { bytesRead, buffer } = await withFileErrors('read', path, () => file.read(Buffer.alloc(4), 0, 4, 0));
    return buffer.toString('latin1', 0, bytesRead);
  } finally {
    await file.close();
  }
}

async function* gunzipped(path: string, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  const source = createReadStream(path);
  const gunzip = createGunzip();
  source.on('error', (error) => gunzip.destroy(error));
  try {
    yield* abortable(source.pipe(gunzip), signal);
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

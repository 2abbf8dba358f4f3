import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { exists, withFileErrors, writeFileAtomically } from '@dalle-mini/core/node';
import type { S3Options } from '@dalle-mini/data';
import { DataError } from '@dalle-mini/data';
import { expand } from 'brace-expansion';
import { S3Storage } from '../shards/s3-storage.js';

/** An archive of samples. */
export interface Archive {
  /** The name of its file, without the ending. */
  readonly name: string;
  /** The path or the address, for messages. */
  readonly place: string;
  /** Returns the path of the archive, which is downloaded into `folder` unless it is local. */
  fetch(folder: string, signal?: AbortSignal): Promise<string>;
}

const ending = /\.(tar|tar\.gz|tgz)$/i;
/** Most archives of a pattern. */
const mostArchives = 1_000_000;

/**
 * Lists archives: paths and addresses (`s3://bucket/…`, `https://…`), also patterns such as `{00000..00012}.tar`, and folders and prefixes of buckets,
 * whose archives are taken in order of their names.
 *
 * @throws DataError if there are none, or two with the same name.
 */
export async function listArchives(sources: readonly string[], s3?: S3Options): Promise<Archive[]> {
  const archives: Archive[] = [];
  for (const source of sources.flatMap((one) => expand(one, { max: mostArchives }))) {
    if (source.startsWith('s3://')) archives.push(...(await archivesOfBucket(source, s3)));
    else if (/^https?:\/\//i.test(source)) archives.push(archiveOfWeb(source));
    else archives.push(...(await localArchives(source)));
  }
  if (archives.length === 0)
    throw new DataError(
      `${sources.join(', ')} must have archives, files that end in .tar, .tar.gz or .tgz. Check the path.`,
    );
  const names = new Map<string, Archive>();
  for (const archive of archives) {
    const other = names.get(archive.name);
    if (other !== undefined) throw new DataError(`${archive.place} and ${other.place} have the same name. Rename one.`);
    names.set(archive.name, archive);
  }
  return archives;
}

const nameOf = (file: string) => file.replace(ending, '');

async function localArchives(path: string): Promise<Archive[]> {
  const isFolder = await withFileErrors('read', path, async () => (await stat(path)).isDirectory());
  const paths = isFolder
    ? (await readdir(path)).filter((name) => ending.test(name)).map((name) => join(path, name))
    : [path];
  return paths.sort().map((place) => ({ name: nameOf(basename(place)), place, fetch: async () => place }));
}

async function archivesOfBucket(address: string, s3?: S3Options): Promise<Archive[]> {
  const isArchive = ending.test(address);
  const end = isArchive ? address.lastIndexOf('/') : address.length;
  const storage = new S3Storage(address.slice(0, end), s3);
  const names = isArchive ? [address.slice(end + 1)] : [...(await storage.list())].filter((name) => ending.test(name));
  return names
    .filter((name) => !name.includes('/'))
    .sort()
    .map((name) => ({
      name: nameOf(name),
      place: storage.placeOf(name),
      fetch: (folder, signal) => download(join(folder, name), () => storage.parts(name), storage.placeOf(name), signal),
    }));
}

function archiveOfWeb(address: string): Archive {
  const file = decodeURIComponent(new URL(address).pathname.split('/').at(-1)!);
  const parts = async function* (signal?: AbortSignal) {
    const response = await fetch(address, { signal: signal ?? null });
    if (!response.ok) throw new Error(`the server answered with status ${response.status}`);
    yield* response.body as unknown as AsyncIterable<Uint8Array>;
  };
  return {
    name: nameOf(file),
    place: address,
    fetch: (folder, signal) => download(join(folder, file), () => parts(signal), address, signal),
  };
}

/** Tries of a download, and seconds before the second one. */
const tries = 4;
const firstDelay = 1;

async function download(
  path: string,
  parts: () => AsyncIterable<Uint8Array>,
  place: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  if (await exists(path)) return path;
  for (let attempt = 0; ; attempt++) {
    try {
      await writeFileAtomically(path, parts());
      return path;
    } catch (error) {
      signal?.throwIfAborted();
      const { message } = error as Error;
      if (attempt + 1 === tries || /status 4\d\d/.test(message))
        throw new DataError(`Cannot download ${place}: ${message}. Check the address, and try again.`, {
          cause: error,
        });
      await sleep(firstDelay * 2 ** attempt * 1000, undefined, { signal });
    }
  }
}

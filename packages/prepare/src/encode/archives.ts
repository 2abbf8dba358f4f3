import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { exists, withFileErrors } from '@dalle-mini/core/node';
import type { S3Options } from '@dalle-mini/data';
import { DataError, downloadFile } from '@dalle-mini/data';
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
    else if (/^https?:\/\//i.test(source)) archives.push(remoteArchive(source));
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
  if (ending.test(address)) return [remoteArchive(address, s3)];
  const storage = new S3Storage(address, s3);
  const names = [...(await storage.list())].filter((name) => ending.test(name) && !name.includes('/'));
  return names.sort().map((name) => remoteArchive(storage.placeOf(name), s3));
}

function remoteArchive(address: string, s3?: S3Options): Archive {
  // The names of objects are not escaped.
  const file = address.startsWith('s3:') ? basename(address) : decodeURIComponent(basename(new URL(address).pathname));
  return {
    name: nameOf(file),
    place: address,
    async fetch(folder, signal) {
      const path = join(folder, file);
      if (!(await exists(path))) await downloadFile(address, path, { s3, signal });
      return path;
    },
  };
}

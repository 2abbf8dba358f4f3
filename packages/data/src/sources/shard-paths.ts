import { stat } from 'node:fs/promises';
import { basename, resolve, sep } from 'node:path';
import { quote } from '@dalle-mini/core';
import { exists, withFileErrors } from '@dalle-mini/core/node';
import { expand } from 'brace-expansion';
import { DataError } from '../data-error.js';
import type { Omission } from './listing.js';
import { walkFolder } from './walk.js';

/** An archive, and its name in the keys of samples. */
export interface Shard {
  readonly path: string;
  readonly name: string;
}

/** The archives of a source, and what is left out of it. */
export interface ShardPaths {
  readonly shards: readonly Shard[];
  readonly omissions: readonly Omission[];
  /** Paths of the folders that were left out. */
  readonly excluded: readonly string[];
}

const tarEnding = /\.(tar|tar\.gz|tgz)$/i;
const parquetEnding = /\.parquet$/i;
const archiveEnding = /\.(tar|tar\.gz|tgz|parquet)$/i;
const otherArchive = /\.(tar\.(zst|zstd|bz2|xz|lz4|lzma)|tzst|tbz2?|txz|zip|7z|rar)$/i;
/** The largest number of paths of a pattern. */
const mostPaths = 1_000_000;

/**
 * Finds the archives of a source: paths, patterns such as `{00000..00012}.tar` and folders, which are searched with all
 * folders below them.
 *
 * @throws DataError if there are none, if one is given twice, or for an address of a network.
 * @throws FileError if one does not exist.
 */
export async function findShards(
  source: string | readonly string[],
  options: { exclude?: readonly string[] | undefined; signal?: AbortSignal | undefined } = {},
): Promise<ShardPaths> {
  const found: Shard[] = [];
  const omissions: Omission[] = [];
  const excluded: string[] = [];
  for (const path of (await Promise.all([source].flat().map(expandPattern))).flat()) {
    const state = await withFileErrors('read', path, () => stat(path));
    if (!state.isDirectory()) {
      found.push({ path, name: basename(path).replace(archiveEnding, '') });
      continue;
    }
    const folder = await walkFolder(path, options);
    omissions.push(...folder.omissions);
    excluded.push(...folder.excluded);
    const names = new Map<string, string>();
    // Next to archives, Parquet files are lists of what was downloaded.
    const ending = [...folder.files.keys()].some((name) => tarEnding.test(name)) ? tarEnding : parquetEnding;
    for (const [name, file] of folder.files) {
      const key = name.replace(archiveEnding, '');
      if (otherArchive.test(name)) {
        const message = `${file.path} must be a .tar or .tar.gz archive. Repack it as one of these.`;
        omissions.push({ key: name, reason: 'unsupported-format', message });
      } else if (ending.test(name) && names.has(key)) {
        const message = `${file.path} is left out: ${names.get(key)} has the same name.`;
        omissions.push({ key: name, reason: 'duplicate', message });
      } else if (ending.test(name)) {
        names.set(key, file.path);
        found.push({ path: file.path, name: key });
      }
    }
    if (names.size === 0 && omissions.length === 0) throw noArchivesError(path, [...folder.files.keys()]);
  }
  const paths = new Set<string>();
  for (const { path } of found) {
    const unpacked = resolve(path).replace(archiveEnding, '');
    if (paths.has(unpacked)) throw new DataError(`${path} is given twice. Name each archive once.`);
    paths.add(unpacked);
  }
  return { shards: withDistinctNames(found), omissions, excluded };
}

function noArchivesError(path: string, names: readonly string[]): DataError {
  const image = names.find((name) => /\.(jpe?g|png|webp)$/i.test(name));
  return new DataError(
    image === undefined
      ? `${path} must have tar archives or Parquet files, which end in .tar, .tar.gz, .tgz or .parquet. Check the path.`
      : `${path} must have tar archives, and has images such as ${image}. Open it as a folder of images instead.`,
  );
}

async function expandPattern(source: string): Promise<readonly string[]> {
  // A name may have braces.
  if (await exists(source)) return [source];
  const parts = source.split('::').flatMap((part) => {
    if (/^(pipe:|[a-z][a-z0-9+.-]+:\/\/)/i.test(part))
      throw new DataError(`An archive must be a file, not ${quote(part)}. Download it first.`);
    return expand(sep === '\\' ? part.replaceAll(sep, '/') : part, { max: mostPaths });
  });
  if (parts.length >= mostPaths) throw new DataError(`${quote(source)} must name fewer than ${mostPaths} archives.`);
  if (parts.length < 2) {
    if (/[*?]/.test(source))
      throw new DataError(
        `${quote(source)} must be a path or a pattern with braces, such as {00000..00012}.tar; * and ? are not expanded. Name the folder instead.`,
      );
    return [source];
  }
  const missing: string[] = [];
  for (const path of parts) if (!(await exists(path))) missing.push(path);
  if (missing.length === 0) return parts;
  throw new DataError(
    `${missing.length} of the ${parts.length} archives of the pattern ${quote(source)} are missing, such as ${missing[0]}. ` +
      'Download them, or correct the pattern.',
  );
}

/** Where archives have the same name, puts as much of their folders before it as makes the names differ. */
function withDistinctNames(shards: readonly Shard[]): Shard[] {
  const named = shards.map((shard) => ({ ...shard, depth: shard.name.split('/').length }));
  for (;;) {
    const counts = new Map<string, number>();
    for (const { name } of named) counts.set(name, (counts.get(name) ?? 0) + 1);
    const same = named.filter(({ name }) => counts.get(name)! > 1);
    if (same.length === 0) return named.map(({ path, name }) => ({ path, name }));
    for (const shard of same) {
      shard.depth++;
      const parts = resolve(shard.path).replace(archiveEnding, '').split(sep);
      shard.name = parts.slice(-shard.depth).join('/').normalize('NFC');
    }
  }
}

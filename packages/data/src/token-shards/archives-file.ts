import { join } from 'node:path';
import { field, list, number, object, optional, parseJsonObject, readConfig } from '@dalle-mini/core';
import { exists, writeJsonFile } from '@dalle-mini/core/node';
import { DataError } from '../data-error.js';
import { joinPlace, readTextAt } from '../remote/files.js';
import { indexName, writeAgain } from './index-file.js';

/** The file of a folder with a folder of token shards for each of several archives, which lists their names. */
const archivesName = 'archives.json';

interface Archives {
  /** Their names, in order. */
  readonly archives: readonly string[];
  /** The smallest score of an image, if others were left out. */
  readonly minScore?: number | undefined;
}

const archivesField = object<Archives>({
  archives: list(
    field<string>('the name of a folder', (name) => typeof name === 'string' && /^[^/\\]*[^/\\.][^/\\]*$/.test(name)),
    { min: 1 },
  ),
  minScore: optional(number()),
});

/** Reads the names of the archives of a folder; `undefined` if it is not one of several archives. */
export async function readArchiveNames(folder: string): Promise<readonly string[] | undefined> {
  return (await readArchives(folder))?.archives;
}

/** Returns the folder itself, or those of its archives. */
export async function foldersIn(folder: string): Promise<string[]> {
  const archives = await readArchiveNames(folder);
  return archives === undefined ? [folder] : archives.map((name) => joinPlace(folder, name));
}

async function readArchives(folder: string): Promise<Archives | undefined> {
  const path = joinPlace(folder, archivesName);
  const text = await readTextAt(path);
  if (text === undefined) return undefined;
  return readConfig(archivesField, parseJsonObject(text, path, writeAgain), path, writeAgain);
}

/**
 * Writes the names of the archives whose token shards a folder gets, each in a folder of that name, so that `openTokenShards` joins them in
 * this order.
 *
 * @param minScore The smallest score of their images, if others are left out.
 * @throws DataError if the folder has those of other archives, or of another smallest score.
 */
export async function writeArchiveNames(folder: string, names: readonly string[], minScore?: number): Promise<void> {
  const path = join(folder, archivesName);
  const earlier = await readArchives(folder);
  if (earlier === undefined) return writeJsonFile(path, { archives: names, minScore });
  if (earlier.minScore !== minScore)
    throw new DataError(
      `minScore must be ${earlier.minScore ?? 'left out'}, as for the archives in ${path}, not ${minScore ?? 'left out'}. ` +
        'Choose another folder, or delete it to encode them anew.',
    );
  if (JSON.stringify(earlier.archives) === JSON.stringify(names)) return;
  const range = (all: readonly string[]) => `${all[0]} to ${all.at(-1)} (${all.length})`;
  throw new DataError(
    `${path} must have the archives ${range(names)}, not ${range(earlier.archives)}. Choose another folder, or delete it to encode them anew.`,
  );
}

/** Returns whether `writeTokenShards` has finished a folder. */
export function hasTokenShards(folder: string): Promise<boolean> {
  return exists(join(folder, indexName));
}

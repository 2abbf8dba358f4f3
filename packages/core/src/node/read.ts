import { access, readFile, stat } from 'node:fs/promises';
import { parseJsonObject } from '../json.js';
import { withFileErrors } from './file-error.js';

/**
 * Reads a text file as UTF-8, without its byte order mark.
 * @throws FileError if it cannot be read.
 */
export async function readTextFile(path: string): Promise<string> {
  const text = await withFileErrors('read', path, () => readFile(path, 'utf8'));
  return text.startsWith('\ufeff') ? text.slice(1) : text;
}

/**
 * Reads a file that holds a JSON object.
 * @throws FileError if it cannot be read; ConfigError if it holds anything else.
 */
export async function readJsonFile(path: string): Promise<Record<string, unknown>> {
  return parseJsonObject(await readTextFile(path), path);
}

/** Checks whether a file or a folder exists. One that this user may not look at is taken to exist. */
export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    ({ code }: NodeJS.ErrnoException) => code !== 'ENOENT' && code !== 'ENOTDIR',
  );
}

/** Checks whether a path is a folder, or a link to one. */
export async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

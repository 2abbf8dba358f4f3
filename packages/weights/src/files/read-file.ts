import { access, readFile } from 'node:fs/promises';
import { CheckpointError } from '../errors/checkpoint-error.js';
import { FileError } from '../errors/file-error.js';

/**
 * Reads a file that holds a JSON object.
 * @throws FileError if it cannot be read; CheckpointError, with the path in its message, if it holds anything else.
 */
export async function readJsonFile(path: string): Promise<Record<string, unknown>> {
  const text = await readTextFile(path);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    // Some of V8's messages quote the text, line breaks and all.
    const why = (error as Error).message.replace(/\s+/g, ' ');
    throw new CheckpointError(`${path}: it is not JSON (${why}); fetch or export the model again.`, { cause: error });
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new CheckpointError(`${path}: it must hold an object; fetch or export the model again.`);
  return json as Record<string, unknown>;
}

/**
 * Reads a text file, as UTF-8.
 * @throws FileError if it cannot be read.
 */
export async function readTextFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new FileError('read', path, error as NodeJS.ErrnoException);
  }
}

/** Whether there is a file or a folder at a path; one that may not be looked at is taken to be there. */
export async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    ({ code }: NodeJS.ErrnoException) => code !== 'ENOENT' && code !== 'ENOTDIR',
  );
}

import { access, type FileHandle, open, stat } from 'node:fs/promises';
import { parseJsonObject } from '../json.js';
import { decodeText } from '../text.js';
import { FileError, isMissing, withFileErrors } from './file-error.js';

/** In bytes. Slightly less than the longest string of Node.js. */
const longestText = 500 * 2 ** 20;

/**
 * Opens a file for reading.
 * @throws FileError if it cannot be opened, or is a folder, a pipe or a device. Reading a pipe or a device may never end.
 */
export async function openFile(path: string): Promise<FileHandle> {
  return withFileErrors('read', path, async () => {
    const status = await stat(path);
    // Check before opening: opening a pipe blocks until it has a writer.
    if (!status.isFile() && !status.isDirectory())
      throw new FileError('read', path, 'it is a pipe or a device, not a file. Check the path.');
    const file = await open(path, 'r');
    if (status.isFile()) return file;
    await file.close();
    throw new FileError('read', path, 'it is a folder. Pass the path of a file in it.');
  });
}

/**
 * Reads a whole file.
 * @param byteLimit The largest accepted size. Default 2³¹ − 1.
 * @throws FileError if it cannot be read, or is larger than `byteLimit`.
 */
export async function readBytes(path: string, byteLimit = 2 ** 31 - 1): Promise<Uint8Array> {
  const file = await openFile(path);
  try {
    const { size } = await file.stat();
    if (size > byteLimit)
      throw new FileError('read', path, `it must have at most ${byteLimit} bytes, not ${size}. Split or replace it.`);
    return await withFileErrors('read', path, () => file.readFile());
  } finally {
    await file.close();
  }
}

/**
 * Reads a text file without its byte order mark: UTF-8, or UTF-16, as {@link decodeText} recognizes it.
 * @throws FileError if it cannot be read; EncodingError if it is in another encoding.
 */
export async function readTextFile(path: string): Promise<string> {
  return decodeText(await readBytes(path, longestText), path);
}

/**
 * Reads a text file like {@link readTextFile}, but returns `undefined` if it does not exist.
 * @throws FileError if it exists but cannot be read.
 */
export async function readTextIfPresent(path: string): Promise<string | undefined> {
  return readTextFile(path).catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
}

/**
 * Reads a file that contains a JSON object.
 * @throws FileError if it cannot be read; ConfigError if it does not contain a JSON object.
 */
export async function readJsonFile(path: string): Promise<Record<string, unknown>> {
  return parseJsonObject(await readTextFile(path), path);
}

/** Checks whether a file or a folder exists. Returns true if this user has no permission to look. */
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

/** Folders of files: read by name, and written whole or not at all. */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Checkpoint } from '@dalle-mini/weights';
import {
  FileError,
  isThere,
  readCheckpointFile,
  readJsonFile,
  readTextFile,
  writeFileAtomically,
} from '@dalle-mini/weights/node';

/** A model folder cannot be read or written. The message names the file and says how to mend it. */
export class ModelFolderError extends Error {
  override readonly name = 'ModelFolderError';
}

/** The error of a file, with its path in front unless it is in the message. */
export function folderError(path: string, error: unknown): ModelFolderError {
  const message = error instanceof Error ? error.message : String(error);
  return new ModelFolderError(message.includes(path) ? message : `${path}: ${message}`, { cause: error });
}

/** Runs what may fail because of a file, and names it if it does. */
export async function inFile<Result>(path: string, work: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw folderError(path, error);
  }
}

export function fail(why: string, cause?: unknown): never {
  throw new ModelFolderError(`The model cannot be written: ${why}`, { cause });
}

export const readText = (path: string): Promise<string> => inFile(path, () => readTextFile(path));

/** The tensors of a checkpoint file. */
export const readTensors = (path: string): Promise<Checkpoint> =>
  inFile(path, async () => (await readCheckpointFile(path)).tensors);

export async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

export async function readJson(path: string): Promise<Record<string, unknown>>;
export async function readJson(path: string, optional: 'optional'): Promise<Record<string, unknown> | undefined>;
export async function readJson(path: string, optional?: 'optional'): Promise<Record<string, unknown> | undefined> {
  if (optional && !(await isThere(path))) return undefined;
  return inFile(path, () => readJsonFile(path));
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Refuses to replace a folder that holds anything but what would be written. */
export async function checkReplaceable(folder: string, contents: readonly string[]): Promise<void> {
  let entries: string[];
  try {
    entries = await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw new FileError('write', folder, error as NodeJS.ErrnoException);
  }
  const stranger = entries.find((name) => !contents.includes(name));
  if (stranger !== undefined) {
    throw new ModelFolderError(
      `${folder} holds ${stranger}, which is no part of a model, and would be lost; choose another folder, or move it away.`,
    );
  }
}

/** Fills a new folder beside the target, and puts it in the target's place. */
export async function writeFolder(target: string, fill: (temporary: string) => Promise<void>): Promise<void> {
  const beside = (suffix: string) => join(dirname(target), `.${basename(target)}.${randomUUID()}.${suffix}`);
  const temporary = beside('tmp');
  const replaced = beside('old');
  try {
    await makeFolder(dirname(target));
    await makeFolder(temporary);
    await fill(temporary);
    const exists = await rename(target, replaced).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return false;
        throw new FileError('write', target, error);
      },
    );
    try {
      await rename(temporary, target);
    } catch (error) {
      if (exists) await rename(replaced, target);
      throw new FileError('write', target, error as NodeJS.ErrnoException);
    }
  } catch (error) {
    // The first error says more than a failure to clean up after it.
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    throw error;
  }
  await rm(replaced, { recursive: true, force: true });
}

export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    throw new FileError('write', path, error as NodeJS.ErrnoException);
  }
}

export async function writeJson(path: string, value: object): Promise<void> {
  await writeFileAtomically(path, new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`));
}

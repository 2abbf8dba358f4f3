/** Reads the files of models, and names them in errors. */
import { readdir } from 'node:fs/promises';
import { DalleMiniError } from '@dalle-mini/core';
import { exists, FileError, isMissing, readJsonFile, readTextFile } from '@dalle-mini/core/node';
import { RuntimeUnavailableError } from '@dalle-mini/graph';
import type { Checkpoint, ReadOptions } from '@dalle-mini/weights';
import { readCheckpointFile } from '@dalle-mini/weights/node';

/** A model folder cannot be read or written. The message names the file and what to do. */
export class ModelFolderError extends DalleMiniError {
  static override readonly code = 'MODEL_FOLDER';
}

/**
 * Wraps an error of a file. Puts the file's path before the message unless it is in there. Returns the error of a runtime that cannot be
 * loaded as it is: the file is not the reason.
 */
export function folderError(path: string, error: unknown): DalleMiniError {
  if (RuntimeUnavailableError.isInstance(error)) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new ModelFolderError(message.includes(path) ? message : `${path}: ${message}`, { cause: error });
}

/** Runs work on a file, and names the file in errors. */
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

/** Reads the tensors of a checkpoint file. */
export const readTensors = (path: string, options?: ReadOptions): Promise<Checkpoint> =>
  inFile(path, async () => (await readCheckpointFile(path, options)).tensors);

export async function readJson(path: string): Promise<Record<string, unknown>>;
export async function readJson(path: string, optional: 'optional'): Promise<Record<string, unknown> | undefined>;
export async function readJson(path: string, optional?: 'optional'): Promise<Record<string, unknown> | undefined> {
  if (optional && !(await exists(path))) return undefined;
  return inFile(path, () => readJsonFile(path));
}

/** Throws if a folder that will be replaced has files with other names than those that will be written. */
export async function checkReplaceable(folder: string, contents: readonly string[]): Promise<void> {
  const entries = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (isMissing(error)) return [];
    throw new FileError('write', folder, error);
  });
  const other = entries.find((name) => !contents.includes(name));
  if (other !== undefined) {
    throw new ModelFolderError(
      `${folder} must have only the files of a model, not ${other}, which would be lost. Choose another folder, or move the file.`,
    );
  }
}

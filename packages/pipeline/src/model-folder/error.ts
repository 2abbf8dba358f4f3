import { DalleMiniError } from '@dalle-mini/core';
import { RuntimeUnavailableError } from '@dalle-mini/graph';

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

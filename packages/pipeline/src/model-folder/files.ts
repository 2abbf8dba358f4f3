/** Reads the files of models, and names them in errors. */
import { readdir } from 'node:fs/promises';
import { exists, FileError, isMissing, readJsonFile, readTextFile } from '@dalle-mini/core/node';
import type { Checkpoint, ReadOptions } from '@dalle-mini/weights';
import { readCheckpointFile } from '@dalle-mini/weights/node';
import { inFile, ModelFolderError } from './error.js';

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

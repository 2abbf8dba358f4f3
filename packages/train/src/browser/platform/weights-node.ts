/** What runs use of `@dalle-mini/weights/node`, with the files of the browser. */
import {
  CheckpointError,
  type CheckpointFile,
  type ReadOptions,
  readCheckpoint,
  type SafetensorsWriteOptions,
  type StoredTensor,
  writeSafetensors,
} from '@dalle-mini/weights';
import { readBytes, writeFileAtomically } from './core-node.js';

export async function readCheckpointFile(path: string, options?: ReadOptions): Promise<CheckpointFile> {
  const bytes = await readBytes(path);
  try {
    return readCheckpoint(bytes, options);
  } catch (error) {
    throw error instanceof CheckpointError ? new CheckpointError(`${path}: ${error.message}`, { cause: error }) : error;
  }
}

export async function writeCheckpointFile(
  path: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
  options: SafetensorsWriteOptions = {},
): Promise<void> {
  await writeFileAtomically(path, writeSafetensors(tensors, metadata, options));
}

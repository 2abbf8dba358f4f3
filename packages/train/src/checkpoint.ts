import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Shape } from '@dalle-mini/graph';
import { type Checkpoint, fromFloat32, toFloat32 } from '@dalle-mini/weights';
import { FileError, readCheckpointFile, writeCheckpointFile } from '@dalle-mini/weights/node';

/** All that a training run needs to go on as if it had never stopped. */
export interface TrainingState {
  /** Steps taken. */
  readonly step: number;
  /** What the training graph carries, by name. */
  readonly tensors: Map<string, Float32Array>;
}

/** A checkpoint does not belong to the run that would resume from it. */
export class ResumeError extends Error {
  override readonly name = 'ResumeError';
}

const fileName = (step: number) => `checkpoint-${String(step).padStart(8, '0')}.safetensors`;
const filePattern = /^checkpoint-(\d{8,})\.safetensors$/;

/** Writes a checkpoint, and then deletes all but the newest `keep`. */
export async function saveCheckpoint(
  folder: string,
  state: TrainingState,
  shapes: ReadonlyMap<string, Shape>,
  fingerprint: string,
  keep: number,
): Promise<string> {
  await mkdir(folder, { recursive: true });
  const tensors: Checkpoint = new Map();
  for (const [name, data] of state.tensors) tensors.set(name, fromFloat32(data, shapes.get(name)!, 'F32'));
  const path = join(folder, fileName(state.step));
  await writeCheckpointFile(path, tensors, { step: String(state.step), fingerprint });
  const old = (await checkpointsIn(folder)).slice(0, -keep);
  await Promise.all(old.map((name) => rm(join(folder, name), { force: true })));
  return path;
}

/**
 * Reads the newest checkpoint of a folder, or nothing if there is none.
 *
 * @throws ResumeError if it was made with other settings; CheckpointError if the file is damaged.
 */
export async function loadCheckpoint(
  folder: string,
  shapes: ReadonlyMap<string, Shape>,
  fingerprint: string,
): Promise<TrainingState | undefined> {
  const newest = (await checkpointsIn(folder)).at(-1);
  if (!newest) return undefined;
  const path = join(folder, newest);
  const { tensors, metadata } = await readCheckpointFile(path);
  if (metadata.fingerprint !== fingerprint) {
    throw new ResumeError(
      `${path} belongs to a run with other settings, so that going on from it would not give what either asks for. ` +
        `Train into another folder, or delete the checkpoints in ${folder}.\nIts settings: ${metadata.fingerprint}\nThese: ${fingerprint}`,
    );
  }
  const state = new Map<string, Float32Array>();
  for (const [name, shape] of shapes) {
    const tensor = tensors.get(name);
    if (!tensor || tensor.shape.join() !== shape.join())
      throw new ResumeError(`${path} lacks ${name} of shape [${shape}]; delete it to go on from the one before`);
    // A copy: the file's own bytes may not be aligned, and are given away to the runtime.
    state.set(name, toFloat32(tensor).slice());
  }
  return { step: Number(metadata.step), tensors: state };
}

async function checkpointsIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => filePattern.test(name)).sort();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return [];
    throw new FileError('read', folder, error as NodeJS.ErrnoException);
  }
}

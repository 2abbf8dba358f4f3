import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DalleMiniError } from '@dalle-mini/core';
import { withFileErrors } from '@dalle-mini/core/node';
import type { Shape } from '@dalle-mini/graph';
import { bindParameters, decodeParameter } from '@dalle-mini/graph/stored';
import { type Checkpoint, CheckpointError, fromFloat32 } from '@dalle-mini/weights';
import { readCheckpointFile, writeCheckpointFile } from '@dalle-mini/weights/node';
import { differences, type Settings } from './settings.js';

/** The state from which a training run resumes exactly. */
export interface TrainingState {
  /** Steps taken. */
  readonly step: number;
  /** The state of the training graph, by name. */
  readonly tensors: Map<string, Float32Array>;
  /** The length of the dataset when the checkpoint was saved. */
  readonly dataLength?: number | undefined;
}

/** A run cannot resume from a checkpoint. The message names the reason, and what to do. */
export class ResumeError extends DalleMiniError {
  static override readonly code = 'RESUME';
}

/** Formats a step for file names, so that they sort by step. */
export const fileStep = (step: number): string => String(step).padStart(8, '0');

const filePattern = /^checkpoint-(\d{8,})\.safetensors$/;
const stepOf = (name: string) => Number(filePattern.exec(name)?.[1]);
/** The newest checkpoint, and one more in case it is damaged. */
const keptCheckpoints = 2;
/** Names of temporary files of `writeCheckpointFile` and `writeFileAtomically`, which a killed process leaves. */
const unfinishedPattern = /^\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp$/;

/**
 * Writes a checkpoint, `checkpoint-<step>.safetensors`, of float32 with the settings in its metadata.
 *
 * @param shapes Shape of each tensor of the state.
 * @throws FileError if it cannot be written. No part of it remains, and earlier checkpoints are unchanged.
 */
export async function saveCheckpoint(
  folder: string,
  state: TrainingState,
  shapes: ReadonlyMap<string, Shape>,
  settings: Settings,
): Promise<void> {
  const tensors: Checkpoint = new Map();
  for (const [name, data] of state.tensors) tensors.set(name, fromFloat32(data, shapes.get(name)!, 'F32'));
  const metadata = { step: String(state.step), settings: JSON.stringify(settings) };
  await writeCheckpointFile(join(folder, `checkpoint-${fileStep(state.step)}.safetensors`), tensors, metadata);
}

/** Deletes all checkpoints except the newest two. Returns the steps of these. */
export async function deleteOldCheckpoints(folder: string): Promise<number[]> {
  const names = await checkpointsIn(folder);
  const old = names.slice(0, -keptCheckpoints);
  await Promise.all(old.map((name) => rm(join(folder, name), { force: true })));
  return names.slice(-keptCheckpoints).map(stepOf);
}

/**
 * Reads the newest checkpoint of a folder. Returns `undefined` if there is none. The settings may differ in `data`.
 *
 * @param shapes Shape of each tensor that the checkpoint must have.
 * @param settings The settings that must be those of the checkpoint. The number of steps may differ.
 * @param defaults Defaults of settings that checkpoints of older versions may lack.
 * @throws ResumeError if it is damaged, or was made with other settings; FileError if it cannot be read.
 */
export async function loadCheckpoint(
  folder: string,
  shapes: ReadonlyMap<string, Shape>,
  settings: Settings,
  defaults: Settings,
): Promise<TrainingState | undefined> {
  const all = await checkpointsIn(folder);
  const newest = all.at(-1);
  if (!newest) return undefined;
  const path = join(folder, newest);
  const from = all.length > 1 ? `from ${all.at(-2)}` : 'from the beginning';
  const explained = (error: unknown) =>
    error instanceof CheckpointError
      ? new ResumeError(
          `The checkpoint is damaged: ${error.message.replace(/\.$/, '')}. Delete ${path} and run again: training then resumes ${from}.`,
          { cause: error },
        )
      : error;
  const { tensors, metadata } = await readCheckpointFile(path).catch((error: unknown) => {
    throw explained(error);
  });
  const { data: earlierData, steps: _, ...there } = parseSettings(metadata.settings) ?? {};
  const { data, steps, ...here } = settings;
  const differing = differences(there, here, defaults);
  if (differing.length > 0) {
    throw new ResumeError(
      `${path} belongs to a run with other settings: ${differing.join('; ')}. Restore the previous settings, ` +
        'or train into another folder. To keep what this run has learned, start from its result there: ' +
        '`startFrom` in a settings file, `parameters` in a program.',
    );
  }
  const taken = stepOf(newest);
  if (taken > Number(steps)) {
    throw new ResumeError(
      `steps must be at least ${taken}, the steps that the run in ${folder} has taken, not ${steps}. ` +
        'To train for fewer steps, train into another folder.',
    );
  }
  const declared = new Map([...shapes].map(([name, shape]) => [name, { shape }]));
  const state = new Map<string, Float32Array>();
  try {
    // Copies, because the runtime takes over their memory.
    for (const [name, value] of bindParameters(declared, tensors)) state.set(name, decodeParameter(value).slice());
  } catch (error) {
    throw explained(error);
  }
  const dataLength = (earlierData as { length?: number } | undefined)?.length;
  return { step: taken, tensors: state, dataLength };
}

/** Deletes the temporary files of a killed run. */
export async function deleteUnfinishedFiles(folder: string): Promise<void> {
  const names = (await namesIn(folder)).filter((name) => unfinishedPattern.test(name));
  await Promise.all(names.map((name) => rm(join(folder, name), { force: true })));
}

/** Lists the names of a folder's checkpoints, oldest first. */
async function checkpointsIn(folder: string): Promise<string[]> {
  const names = (await namesIn(folder)).filter((name) => filePattern.test(name));
  return names.sort((a, b) => stepOf(a) - stepOf(b));
}

/** Lists the names of a folder's files. */
export function namesIn(folder: string): Promise<string[]> {
  return withFileErrors('read', folder, () => readdir(folder));
}

function parseSettings(json: string | undefined): Settings | undefined {
  try {
    return JSON.parse(json ?? '') as Settings;
  } catch {
    return undefined;
  }
}

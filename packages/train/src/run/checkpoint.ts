import { join } from 'node:path';
import { DalleMiniError } from '@dalle-mini/core';
import { exists } from '@dalle-mini/core/node';
import type { ResidentState, Shape } from '@dalle-mini/graph';
import { bindParameters, decodeParameter } from '@dalle-mini/graph/stored';
import { HostError, type Hosts, oneHost } from '@dalle-mini/hosts';
import { CheckpointError, fromFloat32 } from '@dalle-mini/weights';
import { writeCheckpointFile } from '@dalle-mini/weights/node';
import { checkpointFiles, checkpointsIn, deleteCheckpoint } from './checkpoint-files.js';
import { type CheckpointContent, contentOfBlocks, readParts, wholeBlocks } from './checkpoint-parts.js';
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

/** The newest checkpoint, and one more in case it is damaged. */
const keptCheckpoints = 2;

/** What a checkpoint is written from. */
export interface LiveState {
  readonly state: Pick<ResidentState, 'read' | 'division'>;
  /** Tensors that are not on devices, by name. */
  readonly memory: ReadonlyMap<string, Float32Array>;
}

/**
 * Writes a checkpoint of float32, with the settings in the metadata: `checkpoint-<step>.safetensors` or, if the state is divided over
 * devices, `checkpoint-<step>-<part>-of-<parts>.safetensors` for each part. Then only one part at a time is in the memory of JavaScript,
 * and several hosts, which all must call it, each write some of the parts.
 *
 * @param shapes Shape of each tensor of the state.
 * @throws FileError if it cannot be written. Earlier checkpoints are unchanged. HostError if the hosts do not share the folder.
 */
export async function saveCheckpoint(
  folder: string,
  step: number,
  { state, memory }: LiveState,
  shapes: ReadonlyMap<string, Shape>,
  settings: Settings,
  hosts: Hosts = oneHost,
): Promise<void> {
  const division = state.division ?? { parts: 1, read: async () => wholeBlocks(await state.read()) };
  const names = checkpointFiles(step, division.parts);
  const common = { step: String(step), settings: JSON.stringify(settings) };
  for (let part = division.parts - 1; part >= 0; part--) {
    // The first part, which makes the checkpoint complete, waits for those of the other hosts.
    if (part === 0 && division.parts > 1) await checkWritten(folder, names.slice(1), hosts);
    if (part % hosts.size !== hosts.rank) continue;
    const { tensors, metadata } = contentOfBlocks(await division.read(part), shapes);
    if (part === 0) for (const [name, data] of memory) tensors.set(name, fromFloat32(data, shapes.get(name)!, 'F32'));
    await writeCheckpointFile(join(folder, names[part]!), tensors, { ...common, ...metadata });
  }
}

/** Waits until all hosts have written their parts of a checkpoint. */
async function checkWritten(folder: string, names: readonly string[], hosts: Hosts): Promise<void> {
  await hosts.gather('written');
  if (hosts.rank > 0) return;
  for (const [i, name] of names.entries()) {
    if (await exists(join(folder, name))) continue;
    throw new HostError(
      `The folder of the run must be on a file system that all hosts share, but ${hosts.nameOf((i + 1) % hosts.size)} has written ` +
        `${name} elsewhere than to ${folder}. Train into a folder that is shared.`,
    );
  }
}

/** Deletes all checkpoints except the newest two. Returns the steps of these. */
export async function deleteOldCheckpoints(folder: string): Promise<number[]> {
  const all = await checkpointsIn(folder);
  await Promise.all(all.slice(0, -keptCheckpoints).map((old) => deleteCheckpoint(folder, old)));
  return all.slice(-keptCheckpoints).map(({ step }) => step);
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
  const paths = newest.files.map((file) => join(folder, file));
  const path = paths[0]!;
  const from = all.length > 1 ? `from ${all.at(-2)!.files[0]}` : 'from the beginning';
  const explained = (error: unknown) =>
    error instanceof CheckpointError
      ? new ResumeError(
          `The checkpoint is damaged: ${error.message.replace(/\.$/, '')}. Delete ${path} and run again: training then resumes ${from}.`,
          { cause: error },
        )
      : error;
  const { tensors, metadata } = await readPresent(paths).catch((error: unknown) => {
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
  const taken = newest.step;
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

/** @throws CheckpointError if a file is missing or damaged. */
async function readPresent(paths: readonly string[]): Promise<CheckpointContent> {
  for (const path of paths) if (!(await exists(path))) throw new CheckpointError(`${path} is missing.`);
  return readParts(paths);
}

function parseSettings(json: string | undefined): Settings | undefined {
  try {
    return JSON.parse(json ?? '') as Settings;
  } catch {
    return undefined;
  }
}

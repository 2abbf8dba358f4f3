import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Shape, TensorData } from '@dalle-mini/graph';
import { bindParameters, decodeParameter } from '@dalle-mini/graph/stored';
import { type Checkpoint, CheckpointError, fromFloat32 } from '@dalle-mini/weights';
import { readCheckpointFile, writeCheckpointFile } from '@dalle-mini/weights/node';
import { ResumeError } from './checkpoint.js';
import { fileStep, namesIn } from './checkpoint-files.js';
import type { MetricsRecord } from './metrics.js';

/** The metric of an evaluation by which the best step of a run is chosen. */
export interface Score {
  readonly metric: string;
  readonly better: 'lower' | 'higher';
}

/** The best evaluation of a run so far. */
export interface BestEvaluation {
  readonly step: number;
  readonly value: number;
  /** Number of evaluations after it. */
  readonly since: number;
}

/** Returns the best evaluation of some records, ordered by step. Of equal ones, the first is the best. */
export function bestEvaluation(
  records: readonly MetricsRecord[],
  { metric, better }: Score,
): BestEvaluation | undefined {
  let best: BestEvaluation | undefined;
  for (const { step, [metric]: value } of records) {
    if (value === undefined) continue;
    const improves = best === undefined || (better === 'lower' ? value < best.value : value > best.value);
    best = improves ? { step, value, since: 0 } : { ...best!, since: best!.since + 1 };
  }
  return best;
}

const filePattern = /^best-(\d{8,})\.safetensors$/;
const stepOf = (name: string) => Number(filePattern.exec(name)?.[1]);
const bestFile = (step: number) => `best-${fileStep(step)}.safetensors`;

/** Lists the steps of a folder's best parameters, ascending. */
export async function bestSteps(folder: string): Promise<number[]> {
  const names = (await namesIn(folder)).filter((name) => filePattern.test(name));
  return names.map(stepOf).sort((a, b) => a - b);
}

/**
 * Writes the parameters of the best evaluation so far, `best-<step>.safetensors`, in float32.
 *
 * @throws FileError if they cannot be written. No part of them remains.
 */
export async function saveBest(
  folder: string,
  step: number,
  parameters: ReadonlyMap<string, TensorData>,
): Promise<void> {
  const tensors: Checkpoint = new Map();
  for (const [name, { data, shape }] of parameters) tensors.set(name, fromFloat32(data as Float32Array, shape, 'F32'));
  await writeCheckpointFile(join(folder, bestFile(step)), tensors, { step: String(step) });
}

/**
 * Reads the parameters that {@link saveBest} wrote.
 *
 * @throws ResumeError if the file is damaged; FileError if it cannot be read.
 */
export async function readBest(
  folder: string,
  step: number,
  declared: ReadonlyMap<string, { readonly shape: Shape }>,
): Promise<Map<string, TensorData>> {
  const path = join(folder, bestFile(step));
  try {
    const { tensors } = await readCheckpointFile(path);
    const parameters = new Map<string, TensorData>();
    for (const [name, value] of bindParameters(declared, tensors))
      parameters.set(name, { dtype: 'float32', shape: value.shape, data: decodeParameter(value) });
    return parameters;
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    throw new ResumeError(
      `The best parameters of the run are damaged: ${error.message.replace(/\.$/, '')}. ` +
        `Delete ${path}, or set result to "last" to get the parameters of the last step.`,
      { cause: error },
    );
  }
}

/**
 * Deletes the best parameters that no kept checkpoint needs: a run that resumes from a checkpoint needs the newest ones
 * up to its step. Those of later steps belong to steps that are computed again.
 *
 * @param checkpoints Steps of the kept checkpoints.
 */
export async function deleteOldBest(folder: string, checkpoints: readonly number[]): Promise<void> {
  const steps = await bestSteps(folder);
  const needed = new Set(checkpoints.map((checkpoint) => steps.findLast((step) => step <= checkpoint)));
  const old = steps.filter((step) => !needed.has(step));
  await Promise.all(old.map((step) => rm(join(folder, bestFile(step)), { force: true })));
}

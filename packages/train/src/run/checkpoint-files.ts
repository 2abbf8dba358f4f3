/**
 * The files of a run's checkpoints: one for each or, if the state is divided over devices, one for each part of it. The first part is
 * written last: a checkpoint without it is unfinished.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { withFileErrors } from '@dalle-mini/core/node';

/** A checkpoint in a folder. */
export interface CheckpointEntry {
  readonly step: number;
  /** Names of its files, the first one first. */
  readonly files: readonly string[];
}

/** Formats a step for file names, so that they sort by step. */
export const fileStep = (step: number): string => String(step).padStart(8, '0');

const pattern = /^checkpoint-(\d{8,})(?:-(\d{5,})-of-(\d{5,}))?\.safetensors$/;
/** Names of temporary files of `writeCheckpointFile` and `writeFileAtomically`, which a killed process leaves. */
const temporaryPattern = /^\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp$/;

/** Returns the names of the files of a checkpoint in some parts, by part. */
export function checkpointFiles(step: number, parts: number): string[] {
  const name = `checkpoint-${fileStep(step)}`;
  const number = (value: number) => String(value).padStart(5, '0');
  if (parts === 1) return [`${name}.safetensors`];
  return Array.from({ length: parts }, (_, part) => `${name}-${number(part + 1)}-of-${number(parts)}.safetensors`);
}

/** Lists the checkpoints of a folder, oldest first. Files of one may be missing, except the first. */
export async function checkpointsIn(folder: string): Promise<CheckpointEntry[]> {
  const names = await namesIn(folder);
  const found = names.flatMap((name) => {
    const [, step, part, parts] = pattern.exec(name) ?? [];
    const isFirst = step !== undefined && (part === undefined || Number(part) === 1);
    return isFirst ? [{ step: Number(step), files: checkpointFiles(Number(step), Number(parts ?? 1)) }] : [];
  });
  return found.sort((a, b) => a.step - b.step);
}

/** Deletes a checkpoint, its first file first: what remains after a crash is unfinished. */
export async function deleteCheckpoint(folder: string, { files }: CheckpointEntry): Promise<void> {
  for (const file of files) await rm(join(folder, file), { force: true });
}

/** Deletes what a killed run has left: temporary files, and files of unfinished checkpoints. */
export async function deleteUnfinishedFiles(folder: string): Promise<void> {
  const finished = new Set((await checkpointsIn(folder)).flatMap(({ files }) => files));
  const isUnfinished = (name: string) => temporaryPattern.test(name) || (pattern.test(name) && !finished.has(name));
  const names = (await namesIn(folder)).filter(isUnfinished);
  await Promise.all(names.map((name) => rm(join(folder, name), { force: true })));
}

/** Lists the names of a folder's files. */
export function namesIn(folder: string): Promise<string[]> {
  return withFileErrors('read', folder, () => readdir(folder));
}

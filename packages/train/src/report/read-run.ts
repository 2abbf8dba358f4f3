import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { OptionError } from '@dalle-mini/core';
import { exists, withFileErrors } from '@dalle-mini/core/node';
import { type SheetFile, sheetFiles } from '../evaluation/sheet-files.js';
import { type MetricsRecord, readMetrics } from '../run/metrics.js';
import { type Machine, type RunLogRecord, readRunLog } from '../run/run-log.js';
import type { Settings } from '../run/settings.js';

/** A sheet of images with its file. */
export interface Sheet extends SheetFile {
  readonly png: Buffer;
}

/** What the folder of a run tells of it. */
export interface Run {
  readonly name: string;
  readonly records: readonly MetricsRecord[];
  /** Some of the sheets, evenly spaced, with the last. */
  readonly sheets: readonly Sheet[];
  readonly sheetCount: number;
  /** Steps per second by step. */
  readonly speeds: readonly (readonly [step: number, value: number])[];
  /** Seconds of computing steps, also those that were computed twice. */
  readonly seconds: number;
  readonly starts: readonly { readonly time: string; readonly step: number }[];
  readonly settings: Settings | undefined;
  readonly samplePrompts: readonly string[];
  readonly machine: Machine | undefined;
}

/** Most sheets of a run in a report. */
const mostSheets = 24;

/** Reads the folders of runs. Runs whose folders have the same name are named by their paths. */
export async function readRuns(folders: readonly string[]): Promise<Run[]> {
  const names = folders.map((folder) => basename(resolve(folder)));
  const isUnique = new Set(names).size === names.length;
  return Promise.all(folders.map((folder, i) => readRun(folder, isUnique ? names[i]! : folder)));
}

async function readRun(folder: string, name: string): Promise<Run> {
  const metrics = join(folder, 'metrics.jsonl');
  if (!(await exists(metrics)))
    throw new OptionError(
      'folders',
      'folders of training runs',
      folder,
      `${folder} must be the folder of a training run, and has no metrics.jsonl. Check the path; a new run has it after its first steps.`,
    );
  const [records, log, files] = await Promise.all([readMetrics(metrics), readRunLog(folder), sheetFiles(folder)]);
  const shown = files.length <= mostSheets ? files : spread(files, mostSheets);
  const sheets = await Promise.all(
    shown.map(async (file) => ({ ...file, png: await withFileErrors('read', file.path, () => readFile(file.path)) })),
  );
  const starts = log.filter((record) => record.event === 'start');
  const last = starts.at(-1);
  return {
    name,
    records,
    sheets,
    sheetCount: files.length,
    speeds: speedsOf(log),
    seconds: log.reduce((sum, record) => sum + (record.event === 'steps' ? record.seconds : 0), 0),
    starts,
    settings: last?.settings,
    samplePrompts: last?.samplePrompts ?? [],
    machine: last?.machine,
  };
}

/** Chooses `count` items, evenly spaced, with the first and the last. */
function spread<T>(items: readonly T[], count: number): T[] {
  return Array.from({ length: count }, (_, i) => items[Math.round((i * (items.length - 1)) / (count - 1))]!);
}

/** Returns the speed by step. A start drops what was computed after its step. */
function speedsOf(log: readonly RunLogRecord[]): [step: number, value: number][] {
  let speeds: [number, number][] = [];
  for (const record of log) {
    if (record.event === 'start') speeds = speeds.filter(([step]) => step <= record.step);
    else if (record.seconds > 0) speeds.push([record.step, record.steps / record.seconds]);
  }
  return speeds;
}

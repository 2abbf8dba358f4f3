import { readFile } from 'node:fs/promises';
import { arch, cpus, platform, totalmem } from 'node:os';
import { join } from 'node:path';
import { withFileErrors } from '@dalle-mini/core/node';
import { sheetFiles } from '../evaluation/sheet-files.js';
import { appendJsonLines, filterJsonLines, readJsonLines } from './json-lines.js';
import type { MetricsRecord } from './metrics.js';
import type { Settings } from './settings.js';
import { TensorBoardFile } from './tensorboard.js';

/** The computer of a run. */
export interface Machine {
  readonly processor: string;
  /** Logical processor cores. */
  readonly cores: number;
  /** Bytes. */
  readonly memory: number;
  /** Such as `linux x64`. */
  readonly system: string;
  /** The version of Node.js. */
  readonly node: string;
}

/** A line of `run-log.jsonl`: the start of a run or its continuation, or the time that some steps took. */
export type RunLogRecord =
  | {
      readonly event: 'start';
      /** Steps taken before. */
      readonly step: number;
      /** ISO 8601. */
      readonly time: string;
      /** Everything that decides the result. */
      readonly settings: Readonly<Record<string, unknown>>;
      /** The captions of the images on the sheets. */
      readonly samplePrompts?: readonly string[] | undefined;
      readonly machine: Machine;
    }
  | {
      readonly event: 'steps';
      /** Steps taken after them. */
      readonly step: number;
      readonly steps: number;
      /** Seconds for these steps, without evaluation and saving. */
      readonly seconds: number;
      readonly time: string;
    };

export interface RunLogOptions {
  readonly samplePrompts?: readonly string[] | undefined;
  /** Whether to write a TensorBoard event file too. */
  readonly tensorboard?: boolean | undefined;
}

const fileName = 'run-log.jsonl';

/** Reads the log of a run. Returns no records if the file is missing. */
export async function readRunLog(folder: string): Promise<RunLogRecord[]> {
  return readJsonLines<RunLogRecord>(join(folder, fileName));
}

/**
 * Writes what depends on the time and the machine, and so is not in `metrics.jsonl`, whose bytes do not: `run-log.jsonl`
 * and, if asked to, a TensorBoard event file.
 */
export class RunLog {
  private constructor(
    private readonly folder: string,
    private readonly tensorBoard: TensorBoardFile | undefined,
  ) {}

  /**
   * Begins the log of a run that starts, or continues after `step` steps.
   *
   * @throws FileError if a file cannot be written.
   */
  static async start(
    folder: string,
    step: number,
    settings: Settings,
    { samplePrompts, tensorboard = false }: RunLogOptions,
  ): Promise<RunLog> {
    const path = join(folder, fileName);
    // A killed process may have left half a line.
    await filterJsonLines(path, () => true);
    const time = new Date().toISOString();
    await appendJsonLines(path, [
      { event: 'start', step, time, settings, samplePrompts, machine: machine() } satisfies RunLogRecord,
    ]);
    const file = tensorboard ? await TensorBoardFile.create(folder, step + 1) : undefined;
    await file?.write([{ step, text: { name: 'settings', markdown: code(settings) } }]);
    return new RunLog(folder, file);
  }

  /** Adds steps and their metrics, and the sheets of an evaluation at the last of them. */
  async add(records: readonly MetricsRecord[], seconds: number): Promise<void> {
    const { step } = records.at(-1)!;
    const line = { event: 'steps', step, steps: records.length, seconds, time: new Date().toISOString() } as const;
    await appendJsonLines(join(this.folder, fileName), [line satisfies RunLogRecord]);
    if (this.tensorBoard === undefined) return;
    const scalars = records.map(({ step, ...metrics }) => ({ step, scalars: metrics }));
    const sheets = (await sheetFiles(this.folder)).filter((sheet) => sheet.step === step);
    const images = await Promise.all(
      sheets.map(async ({ kind, path }) => {
        return { step, image: { name: kind, png: await withFileErrors('read', path, () => readFile(path)) } };
      }),
    );
    const speed = { step, scalars: { stepsPerSecond: records.length / seconds } };
    await this.tensorBoard.write([...scalars, speed, ...images]);
  }
}

function machine(): Machine {
  const cores = cpus();
  return {
    processor: cores[0]?.model.trim() ?? 'unknown',
    cores: cores.length,
    memory: totalmem(),
    system: `${platform()} ${arch()}`,
    node: process.versions.node,
  };
}

/** Returns a value as a block of code in Markdown. */
function code(value: object): string {
  return JSON.stringify(value, null, 2).replace(/^/gm, '    ');
}

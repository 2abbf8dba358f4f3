import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withFileErrors } from '@dalle-mini/core/node';
import { sheetFiles } from '../evaluation/sheet-files.js';
import { readMetrics } from '../run/metrics.js';
import { readRunLog } from '../run/run-log.js';

/** The last evaluation of a run, and what it needs to be understood. */
export interface LastEvaluation {
  readonly step: number;
  /** The metrics whose names begin with `evaluation`. */
  readonly figures: Readonly<Record<string, number>>;
  /** Number of training samples. */
  readonly samples: number | undefined;
  /** The last sheet of images that were generated from prompts. */
  readonly sheet: { readonly png: Uint8Array; readonly prompts: readonly string[] } | undefined;
}

/**
 * Reads the last evaluation of a run from its folder. Returns `undefined` if the folder has none.
 *
 * @throws FileError if a file cannot be read.
 */
export async function readLastEvaluation(folder: string): Promise<LastEvaluation | undefined> {
  const records = await readMetrics(join(folder, 'metrics.jsonl'));
  const names = (record: object) => Object.keys(record).filter((name) => name.startsWith('evaluation'));
  const last = records.findLast((record) => names(record).length > 0);
  if (last === undefined) return undefined;
  const start = (await readRunLog(folder)).findLast((record) => record.event === 'start');
  const sheet = (await sheetFiles(folder)).findLast(({ kind, step }) => kind === 'samples' && step <= last.step);
  const length = (start?.settings.data as { length?: unknown } | undefined)?.length;
  return {
    step: last.step,
    figures: Object.fromEntries(names(last).map((name) => [name, last[name]!])),
    samples: typeof length === 'number' ? length : undefined,
    sheet: sheet && {
      png: await withFileErrors('read', sheet.path, () => readFile(sheet.path)),
      prompts: start?.samplePrompts ?? [],
    },
  };
}

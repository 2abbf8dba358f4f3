import { integer, list, object, parseJsonObject, readConfig, string } from '@dalle-mini/core';
import { DataError } from '@dalle-mini/data';
import { readRows } from './lists/read-rows.js';
import { isBadRow, type RowProblem } from './lists/row.js';
import type { PrepareProgress } from './meter.js';
import type { ListSettings, PrepareSettings } from './settings.js';
import type { Storage } from './shards/storage.js';

/** What the lists of a data set have. */
export interface Plan {
  /** Hash of what the plan follows from: settings and lists. */
  readonly fingerprint: string;
  /** Rows per shard. */
  readonly shardSize: number;
  /** Rows that can be used. */
  readonly rows: number;
  /** Rows that cannot be used, by the problem. */
  readonly problems: readonly ProblemCount[];
}

export interface ProblemCount {
  readonly problem: RowProblem;
  readonly count: number;
  /** The first of them. */
  readonly example: string;
}

export interface PlanOptions {
  /** Hash of what the plan follows from. */
  readonly fingerprint: string;
  readonly shardSize: number;
  readonly signal?: AbortSignal | undefined;
  /** Called after each some thousand rows, with the number of rows so far. */
  readonly onProgress?: ((rows: number) => unknown) | undefined;
}

/**
 * Reads all lists once, and counts the rows: those that can be used, and the others by their problem, with an example each. It keeps no
 * rows in memory.
 *
 * @throws DataError if a list is damaged or lacks a column; FileError if it cannot be read; the reason of `signal` if it aborts.
 */
export async function planRows(settings: ListSettings, options: PlanOptions): Promise<Plan> {
  const { fingerprint, shardSize, signal, onProgress } = options;
  const problems = new Map<RowProblem, ProblemCount>();
  let rows = 0;
  let read = 0;
  for await (const batch of readRows(settings, signal)) {
    for (const row of batch) {
      if (!isBadRow(row)) {
        rows++;
        continue;
      }
      const { problem, place, message } = row;
      const known = problems.get(problem);
      problems.set(problem, {
        problem,
        count: (known?.count ?? 0) + 1,
        example: known?.example ?? `${place} ${message}`,
      });
    }
    read += batch.length;
    await onProgress?.(read);
  }
  return { fingerprint, shardSize, rows, problems: [...problems.values()] };
}

const planField = object<Plan>(
  {
    fingerprint: string(),
    shardSize: integer({ min: 1 }),
    rows: integer(),
    problems: list(object<ProblemCount>({ problem: string() as never, count: integer({ min: 1 }), example: string() })),
  },
  { unknown: 'ignore' },
);

/** JSON. img2dataset takes every `.json` of a folder for the counts of a shard. */
export const planName = 'prepare.plan';
const planAction = 'Delete it, and the lists are read again.';

export interface FindPlanOptions extends Omit<PlanOptions, 'onProgress'> {
  /** Whether shards are written. */
  readonly hasShards: boolean;
  readonly onProgress?: ((progress: PrepareProgress) => unknown) | undefined;
}

/**
 * Returns the plan of an earlier call, or reads the lists.
 *
 * @throws DataError if shards are written, of other lists or with other settings.
 */
export async function findPlan(storage: Storage, settings: PrepareSettings, options: FindPlanOptions): Promise<Plan> {
  const { hasShards, onProgress, ...planning } = options;
  const earlier = await readPlan(storage);
  if (earlier !== undefined) {
    if (earlier.fingerprint === planning.fingerprint) return earlier;
    if (hasShards)
      throw new DataError(
        `${settings.out} has shards of other lists, or with other settings. Choose another folder, or delete it to begin anew.`,
      );
  }
  const counts = { stage: 'scan', unit: 'rows', successes: 0, bytes: 0, problems: {} } as const;
  const tell = (rows: number) => onProgress?.({ ...counts, done: rows, total: rows });
  const plan = await planRows(settings, { ...planning, onProgress: tell });
  await storage.write(planName, `${JSON.stringify(plan, null, 2)}\n`);
  return plan;
}

/** Reads the plan of an earlier call. */
export async function readPlan(storage: Storage): Promise<Plan | undefined> {
  const bytes = await storage.read(planName);
  if (bytes === undefined) return undefined;
  const place = storage.placeOf(planName);
  return readConfig(planField, parseJsonObject(new TextDecoder().decode(bytes), place, planAction), place, planAction);
}

/** Returns the number of shards of a plan. */
export function shardCount({ rows, shardSize }: Plan): number {
  return Math.ceil(rows / shardSize);
}

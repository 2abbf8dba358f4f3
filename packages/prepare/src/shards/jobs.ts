import { readRows } from '../lists/read-rows.js';
import { isBadRow, type Row } from '../lists/row.js';
import { type Plan, shardCount } from '../plan.js';
import type { PrepareSettings } from '../settings.js';
import { readMetadata, rowOf } from './read-shard.js';
import type { ShardStats } from './stats.js';
import type { Storage } from './storage.js';

/** The work of one shard. */
export interface ShardJob {
  readonly number: number;
  /** The rows to download, by their index in the shard. */
  readonly rows: ReadonlyMap<number, Row>;
  /** The counts of the shard if it is written, whose other rows then stay as they are. */
  readonly earlier?: ShardStats | undefined;
}

/** The jobs of a call, and how many rows they have. */
export interface Work {
  readonly rows: number;
  readonly jobs: AsyncGenerator<ShardJob>;
}

/** Returns the work on the shards of a plan that are `wanted`. */
export function workOnLists(
  settings: PrepareSettings,
  plan: Plan,
  wanted: (number: number) => boolean,
  signal: AbortSignal,
): Work {
  const { rows, shardSize } = plan;
  const numbers = Array.from({ length: shardCount(plan) }, (_, number) => number).filter(wanted);
  const sizes = numbers.map((number) => Math.min(shardSize, rows - number * shardSize));
  return { rows: sum(sizes), jobs: jobsOfLists(settings, shardSize, new Set(numbers), signal) };
}

async function* jobsOfLists(
  settings: PrepareSettings,
  shardSize: number,
  numbers: ReadonlySet<number>,
  signal: AbortSignal,
): AsyncGenerator<ShardJob> {
  if (numbers.size === 0) return;
  const last = [...numbers].at(-1);
  let count = 0;
  let rows = new Map<number, Row>();
  for await (const batch of readRows(settings, signal)) {
    for (const row of batch) {
      if (isBadRow(row)) continue;
      const number = Math.floor(count / shardSize);
      if (numbers.has(number)) rows.set(count % shardSize, row);
      if (++count % shardSize !== 0) continue;
      if (rows.size > 0) yield { number, rows };
      if (number === last) return;
      rows = new Map();
    }
  }
  if (rows.size > 0) yield { number: Math.floor(count / shardSize), rows };
}

/** Returns the work on the rows of `wanted` shards that could not be downloaded. */
export function workOnFailures(
  storage: Storage,
  written: ReadonlyMap<number, ShardStats>,
  wanted: (number: number) => boolean,
): Work {
  const failed = [...written].filter(([number, stats]) => wanted(number) && stats.failed_to_download > 0);
  return { rows: sum(failed.map(([, stats]) => stats.failed_to_download)), jobs: jobsOfFailures(storage, failed) };
}

async function* jobsOfFailures(
  storage: Storage,
  failed: readonly (readonly [number, ShardStats])[],
): AsyncGenerator<ShardJob> {
  for (const [number, earlier] of failed) {
    const rows = new Map<number, Row>();
    for (const [index, record] of (await readMetadata(storage, number)).entries()) {
      if (record.status === 'failed_to_download') rows.set(index, rowOf(record));
    }
    yield { number, rows, earlier };
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

import { type Field, field, integer, number, object, optional, parseJsonObject, readConfig } from '@dalle-mini/core';
import type { Shard } from './shard.js';
import type { Storage } from './storage.js';

/** `00000_stats.json`: the counts of a shard, as img2dataset names them. */
export interface ShardStats {
  /** Rows. */
  readonly count: number;
  readonly successes: number;
  readonly failed_to_download: number;
  /** Images that were downloaded, and could not be decoded or were left out by a filter. */
  readonly failed_to_resize: number;
  /** In seconds. */
  readonly duration: number;
  /** In seconds since 1970. */
  readonly start_time: number;
  readonly end_time: number;
  /** Rows by `success` or the problem. */
  readonly status_dict: Readonly<Record<string, number>>;
  /** Bytes that were downloaded. */
  readonly bytes?: number | undefined;
}

export function statsOf({ samples, startTime, bytes }: Shard, endTime: number): ShardStats {
  const status: Record<string, number> = {};
  for (const sample of samples) {
    const name = sample.status === 'success' ? 'success' : sample.problem;
    status[name] = (status[name] ?? 0) + 1;
  }
  const count = (of: string) => samples.filter((sample) => sample.status === of).length;
  return {
    count: samples.length,
    successes: count('success'),
    failed_to_download: count('failed_to_download'),
    failed_to_resize: count('failed_to_resize'),
    duration: endTime - startTime,
    start_time: startTime,
    end_time: endTime,
    status_dict: Object.fromEntries(Object.entries(status).sort(([, a], [, b]) => b - a)),
    bytes,
  };
}

const counts: Field<Readonly<Record<string, number>>> = field(
  'an object of numbers',
  (value) =>
    typeof value === 'object' && value !== null && Object.values(value).every((count) => Number.isInteger(count)),
);

const statsField = object<ShardStats>(
  {
    count: integer(),
    successes: integer(),
    failed_to_download: integer(),
    failed_to_resize: integer(),
    duration: number(),
    start_time: number(),
    end_time: number(),
    status_dict: counts,
    bytes: optional(integer()),
  },
  { unknown: 'ignore' },
);

/** Reads the counts of all written shards, by number. Those that are known are not read again. */
export async function readAllStats(
  storage: Storage,
  known: ReadonlyMap<number, ShardStats> = new Map(),
): Promise<Map<number, ShardStats>> {
  const names = [...(await storage.list())].filter((name) => /^\d{5,}_stats\.json$/.test(name)).sort();
  const stats = new Map<number, ShardStats>();
  const action = 'Delete it, and the shard is written again.';
  for (const name of names) {
    const number = Number.parseInt(name, 10);
    const earlier = known.get(number);
    if (earlier !== undefined) {
      stats.set(number, earlier);
      continue;
    }
    const place = storage.placeOf(name);
    const json = parseJsonObject(new TextDecoder().decode(await storage.read(name)), place, action);
    stats.set(number, readConfig(statsField, json, place, action));
  }
  return stats;
}

import { type Plan, shardCount } from './plan.js';
import type { ShardStats } from './shards/stats.js';

/** What a data set has after a call of {@link prepare}. */
export interface PrepareSummary {
  readonly plan: Plan;
  /** Numbers of all shards of the plan, and of those that are written. */
  readonly shards: { readonly total: number; readonly written: number };
  /** Counts of the rows of all written shards, also of earlier calls. */
  readonly rows: number;
  readonly successes: number;
  readonly failedToDownload: number;
  readonly failedToResize: number;
  readonly bytes: number;
  /** Rows without an image, by the problem, most first. */
  readonly problems: Readonly<Record<string, number>>;
}

/** Adds up the counts of the written shards. */
export function summarize(plan: Plan, written: ReadonlyMap<number, ShardStats>): PrepareSummary {
  const all = [...written.values()];
  const sum = (count: (stats: ShardStats) => number) => all.reduce((so, stats) => so + count(stats), 0);
  const problems: Record<string, number> = {};
  for (const { status_dict } of all)
    for (const [name, count] of Object.entries(status_dict))
      if (name !== 'success') problems[name] = (problems[name] ?? 0) + count;
  return {
    plan,
    shards: { total: shardCount(plan), written: all.length },
    rows: sum(({ count }) => count),
    successes: sum(({ successes }) => successes),
    failedToDownload: sum(({ failed_to_download }) => failed_to_download),
    failedToResize: sum(({ failed_to_resize }) => failed_to_resize),
    bytes: sum(({ bytes = 0 }) => bytes),
    problems: Object.fromEntries(Object.entries(problems).sort(([, a], [, b]) => b - a)),
  };
}

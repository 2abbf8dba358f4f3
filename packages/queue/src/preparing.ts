import { type PrepareSession, shardCount } from '@dalle-mini/prepare/jobs';
import type { SharedWork } from './shared-work.js';

/** Returns what several machines know of a data set that is prepared. Several data sets have room in one Redis. */
export function preparing(session: PrepareSession): SharedWork {
  return {
    queue: `dalle-mini-${session.plan.fingerprint.slice(0, 16)}`,
    count: shardCount(session.plan),
    written: session.written,
    refresh: () => session.refresh(),
  };
}

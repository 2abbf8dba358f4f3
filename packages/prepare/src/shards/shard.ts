import type { ColumnValue } from '../lists/row.js';
import type { Sample } from './sample.js';
import type { Spool } from './spool.js';

/** The samples of a shard in the order of the list, with their images. */
export interface Shard {
  readonly number: number;
  readonly shardSize: number;
  readonly samples: readonly Sample[];
  readonly spool: Spool;
  /** Time of the start, in seconds since 1970. */
  readonly startTime: number;
  /** Bytes that were downloaded. */
  readonly bytes: number;
}

/** The metadata of a sample, as img2dataset names it. */
export type Metadata = Record<string, ColumnValue>;

import type { DownloadProblem } from '../download/download-error.js';
import type { ColumnValue, Row } from '../lists/row.js';
import type { Picture, PictureProblem } from '../pictures/picture.js';
import type { SpoolPlace } from './spool.js';

/** The states of img2dataset. `failed_to_resize` is every failure after the download. */
export type SampleStatus = 'success' | 'failed_to_download' | 'failed_to_resize';

/** What became of a row. */
export type Sample = StoredSample | FailedSample;

export interface StoredSample {
  readonly status: 'success';
  readonly row: Row;
  readonly picture: Omit<Picture, 'jpeg'> & { readonly jpeg: SpoolPlace };
  /** Columns that a filter has added. */
  readonly scores: Readonly<Record<string, ColumnValue>>;
}

export interface FailedSample {
  readonly status: 'failed_to_download' | 'failed_to_resize';
  readonly row: Row;
  readonly problem: DownloadProblem | PictureProblem;
  readonly message: string;
}

/** Digits of the number of a shard, as in img2dataset. */
const shardDigits = 5;

/** Returns the name of the files of a shard, without endings. */
export function shardName(number: number): string {
  return String(number).padStart(shardDigits, '0');
}

/** Returns the key of a row: the number of the shard, and as many digits as the numbers of its rows need. */
export function sampleKey(shard: number, index: number, shardSize: number): string {
  const digits = Math.ceil(Math.log10(shardSize));
  return shardName(shard) + (digits === 0 ? '' : String(index).padStart(digits, '0'));
}

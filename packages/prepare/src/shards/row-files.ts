import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { DataError } from '@dalle-mini/data';
import type { Row } from '../lists/row.js';
import type { ShardJob } from './jobs.js';
import { shardName } from './sample.js';
import type { Storage } from './storage.js';

/** The name of the file with the rows of a shard, for machines that do not have the lists. */
export const rowsName = (number: number): string => `${shardName(number)}_rows.json.gz`;

export const isRowsName = (name: string): boolean => /^\d{5,}_rows\.json\.gz$/.test(name);

/** Writes the rows of a job into the storage. */
export async function writeRows(storage: Storage, { number, rows }: ShardJob): Promise<void> {
  await storage.write(rowsName(number), await promisify(gzip)(JSON.stringify([...rows])));
}

/** Reads the job that {@link writeRows} has written. */
export async function readJob(storage: Storage, number: number): Promise<ShardJob> {
  const bytes = await storage.read(rowsName(number));
  if (bytes === undefined)
    throw new DataError(`${storage.placeOf(rowsName(number))} is missing. Start the coordinator again.`);
  const rows = JSON.parse((await promisify(gunzip)(bytes)).toString('utf8')) as [number, Row][];
  return { number, rows: new Map(rows) };
}

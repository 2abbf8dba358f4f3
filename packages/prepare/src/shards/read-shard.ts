import { pipeline } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { DataError } from '@dalle-mini/data';
import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { extract } from 'tar-stream';
import type { Row } from '../lists/row.js';
import { type FailedSample, type Sample, shardName } from './sample.js';
import type { Metadata } from './shard.js';
import type { Spool, SpoolPlace } from './spool.js';
import type { Storage } from './storage.js';

/** Reads the metadata of all rows of a shard. */
export async function readMetadata(storage: Storage, number: number): Promise<Metadata[]> {
  const name = `${shardName(number)}.parquet`;
  const bytes = await storage.read(name);
  if (bytes === undefined)
    throw new DataError(
      `${storage.placeOf(name)} is missing. Delete ${shardName(number)}_stats.json to write the shard again.`,
    );
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  return (await parquetReadObjects({ file, compressors })) as Metadata[];
}

/** Reads the JPEGs of a shard, in order. */
export async function* readJpegs(storage: Storage, number: number): AsyncGenerator<[key: string, jpeg: Buffer]> {
  const archive = pipeline(storage.parts(`${shardName(number)}.tar`), extract(), () => undefined);
  for await (const entry of archive) {
    const { name } = entry.header;
    if (name.endsWith('.jpg')) yield [name.slice(0, -'.jpg'.length), await buffer(entry)];
    else entry.resume();
  }
}

/** The columns that a shard adds to those of a list. */
const ownColumns = new Set([
  'caption',
  'url',
  'key',
  'status',
  'error_message',
  'width',
  'height',
  'original_width',
  'original_height',
  'difference_hash',
]);

/** Returns the row of a list that a record of a shard has come from. */
export function rowOf(record: Metadata): Row {
  const columns = Object.fromEntries(Object.entries(record).filter(([name]) => !ownColumns.has(name)));
  return { url: String(record.url), caption: String(record.caption), columns };
}

/** Reads all samples of a shard, in order. Images go into the spool. */
export async function readSamples(storage: Storage, number: number, spool: Spool): Promise<Sample[]> {
  const records = await readMetadata(storage, number);
  const images = new Map<string, SpoolPlace>();
  for await (const [key, jpeg] of readJpegs(storage, number)) images.set(key, await spool.append(jpeg));
  return records.map((record) => {
    const row = rowOf(record);
    const jpeg = images.get(String(record.key));
    if (record.status === 'success' && jpeg !== undefined) {
      const differenceHash = record.difference_hash == null ? undefined : String(record.difference_hash);
      const size = { width: Number(record.width), height: Number(record.height) };
      const original = { originalWidth: Number(record.original_width), originalHeight: Number(record.original_height) };
      return { status: 'success', row, picture: { jpeg, ...size, ...original, differenceHash }, scores: {} };
    }
    const [, problem, message] = /^([\w-]+): (.*)$/s.exec(String(record.error_message)) ?? [];
    const status = record.status === 'failed_to_resize' ? record.status : 'failed_to_download';
    return { status, row, problem: (problem ?? 'connection') as FailedSample['problem'], message: message ?? '' };
  });
}

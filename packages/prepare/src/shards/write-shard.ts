import { type ColumnSource, parquetWriteBuffer } from 'hyparquet-writer';
import { pack } from 'tar-stream';
import type { ColumnValue } from '../lists/row.js';
import { type Sample, type StoredSample, sampleKey, shardName } from './sample.js';
import type { Metadata, Shard } from './shard.js';
import type { Spool } from './spool.js';
import type { ShardStats } from './stats.js';
import { statsOf } from './stats.js';
import type { Storage } from './storage.js';

/**
 * Writes a shard as img2dataset does: `00000.tar` with a `.jpg`, `.txt` and `.json` for each image, `00000.parquet` with the metadata of
 * all rows, also of those without an image, and `00000_stats.json`. The last one is written last: a shard that has it is whole.
 */
export async function writeShard(shard: Shard, storage: Storage): Promise<ShardStats> {
  const name = shardName(shard.number);
  const records = shard.samples.map((sample, index) =>
    metadataOf(sample, sampleKey(shard.number, index, shard.shardSize)),
  );
  await storage.write(`${name}.tar`, tarOf(shard, records));
  await storage.write(`${name}.parquet`, parquetOf(records));
  const stats = statsOf(shard, Date.now() / 1000);
  await storage.write(`${name}_stats.json`, `${JSON.stringify(stats, null, 4)}\n`);
  return stats;
}

function metadataOf(sample: Sample, key: string): Metadata {
  const { row, status } = sample;
  const picture = status === 'success' ? sample.picture : undefined;
  return {
    caption: row.caption,
    url: row.url,
    ...row.columns,
    key,
    status,
    error_message: status === 'success' ? null : `${sample.problem}: ${sample.message}`,
    width: picture?.width ?? null,
    height: picture?.height ?? null,
    original_width: picture?.originalWidth ?? null,
    original_height: picture?.originalHeight ?? null,
    ...(picture?.differenceHash !== undefined && { difference_hash: picture.differenceHash }),
    ...(status === 'success' ? sample.scores : {}),
  };
}

/** The time of all members, so that equal shards have equal bytes. */
const mtime = new Date(0);

async function* tarOf({ samples, spool }: Shard, records: readonly Metadata[]): AsyncGenerator<Uint8Array> {
  const archive = pack();
  const add = (name: string, content: Buffer) =>
    new Promise<void>((resolve, reject) => {
      archive.entry({ name, size: content.length, mtime, mode: 0o644 }, content, (error) =>
        error ? reject(error) : resolve(),
      );
    });
  const fill = async () => {
    for (const [index, sample] of samples.entries()) {
      if (sample.status !== 'success') continue;
      const { key } = records[index]!;
      for (const [ending, content] of await membersOf(sample, records[index]!, spool))
        await add(`${key}.${ending}`, content);
    }
    archive.finalize();
  };
  fill().catch((error: Error) => archive.destroy(error));
  yield* archive as AsyncIterable<Uint8Array>;
}

async function membersOf(
  sample: StoredSample,
  record: Metadata,
  spool: Spool,
): Promise<[ending: string, content: Buffer][]> {
  return [
    ['jpg', await spool.read(sample.picture.jpeg)],
    ['txt', Buffer.from(sample.row.caption)],
    ['json', Buffer.from(JSON.stringify(record, null, 4))],
  ];
}

const integers = new Set(['width', 'height', 'original_width', 'original_height']);

function parquetOf(records: readonly Metadata[]): Uint8Array {
  const names = [...new Set(records.flatMap(Object.keys))];
  const columnData = names.map((name): ColumnSource => {
    const values = records.map((record) => record[name] ?? null);
    const type = integers.has(name) ? 'INT32' : columnType(values);
    return {
      name,
      type,
      data: type === 'STRING' ? values.map((value) => (value === null ? null : String(value))) : values,
    };
  });
  return new Uint8Array(parquetWriteBuffer({ columnData }));
}

function columnType(values: readonly ColumnValue[]): 'DOUBLE' | 'BOOLEAN' | 'STRING' {
  const types = new Set(values.filter((value) => value !== null).map((value) => typeof value));
  if (types.size !== 1) return 'STRING';
  return types.has('number') ? 'DOUBLE' : types.has('boolean') ? 'BOOLEAN' : 'STRING';
}

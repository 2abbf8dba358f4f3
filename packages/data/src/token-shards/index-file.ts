import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { readTextIfPresent } from '../files.js';
import { JsonFields, parseJson } from '../json-fields.js';

interface ShardRecord {
  /** Base name of its two files: `<name>.tokens` and `<name>.jsonl`. */
  readonly name: string;
  readonly samples: number;
  readonly tokensSha256: string;
  readonly captionsSha256: string;
}

/** `index.json` of a finished folder; `partial.json`, with the shards so far, of an unfinished one. */
export interface ShardIndex {
  readonly format: typeof indexFormat;
  readonly gridSize: number;
  readonly vocabularySize: number;
  /** Type of a token in the `.tokens` files, little-endian. */
  readonly tokenType: 'uint16' | 'uint32';
  /** Samples in all. */
  readonly length: number;
  /** Samples in each shard but the last. */
  readonly shardSize: number;
  readonly shards: readonly ShardRecord[];
}

export const indexFormat = 'dalle-mini-token-shards';
export const indexName = 'index.json';
export const partialName = 'partial.json';
/** Most tokens along the side of a grid: as many as the largest image has pixels. */
const gridSizeLimit = 8192;
const sha256Pattern = /^[0-9a-f]{64}$/;
export const writeAgain = 'Delete the folder and write the token shards again.';

export const bytesPerToken = { uint16: 2, uint32: 4 } as const;

/** Reads `index.json` or `partial.json` of a folder, or returns `undefined` if it is not there. Throws if a field is wrong. */
export async function readIndex(folder: string, name: string): Promise<ShardIndex | undefined> {
  const path = join(folder, name);
  const text = await readTextIfPresent(path);
  if (text === undefined) return undefined;
  const fields = new JsonFields(parseJson(text, path, writeAgain), path, writeAgain);
  const format = fields.oneOf('format', [indexFormat]);
  const gridSize = fields.integer('gridSize', 1, gridSizeLimit);
  const vocabularySize = fields.integer('vocabularySize', 1, 2 ** 31);
  const tokenType = fields.oneOf('tokenType', ['uint16', 'uint32']);
  const length = fields.integer('length', 1, Number.MAX_SAFE_INTEGER);
  const shardSize = fields.integer('shardSize', 1, Number.MAX_SAFE_INTEGER);
  const records = fields.array('shards');
  const count = Math.ceil(length / shardSize);
  if (name === indexName ? records.length !== count : records.length > count) {
    throw new Error(
      `shards in ${path} must list ${count} shards of ${shardSize} samples, not ${records.length}. ${writeAgain}`,
    );
  }
  const shards = records.map((record, number): ShardRecord => {
    const shard = new JsonFields(record, `shards[${number}] in ${path}`, writeAgain);
    const samples = Math.min(shardSize, length - number * shardSize);
    return {
      name: shard.oneOf('name', [shardName(number)]),
      samples: shard.integer('samples', samples, samples),
      tokensSha256: shard.string('tokensSha256', sha256Pattern, 'a SHA-256 in hexadecimal'),
      captionsSha256: shard.string('captionsSha256', sha256Pattern, 'a SHA-256 in hexadecimal'),
    };
  });
  return { format, gridSize, vocabularySize, tokenType, length, shardSize, shards };
}

export function shardName(number: number): string {
  return `shard-${String(number).padStart(6, '0')}`;
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

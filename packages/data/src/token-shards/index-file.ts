import { createHash } from 'node:crypto';
import {
  ConfigError,
  field,
  integer,
  list,
  object,
  oneOf,
  parseJsonObject,
  quote,
  readConfig,
  refuse,
  string,
} from '@dalle-mini/core';
import { DataError } from '../data-error.js';
import { joinPlace, readTextAt } from '../remote/files.js';

export interface ShardRecord {
  /** Base name of its two files: `<name>.tokens` and `<name>.jsonl`. */
  readonly name: string;
  readonly samples: number;
  readonly tokensSha256: string;
  readonly captionsSha256: string;
}

/** `index.json` of a finished folder, or `partial.json`, with the shards so far, of an unfinished one. */
export interface ShardIndex {
  readonly format: typeof indexFormat;
  readonly gridSize: number;
  readonly vocabularySize: number;
  /** Type of a token in the `.tokens` files, little-endian. */
  readonly tokenType: 'uint16' | 'uint32';
  /** Total number of samples. */
  readonly length: number;
  /** Samples in each shard except the last. */
  readonly shardSize: number;
  readonly shards: readonly ShardRecord[];
}

export const indexFormat = 'dalle-mini-token-shards';
export const indexName = 'index.json';
export const partialName = 'partial.json';
export const writeAgain = 'Delete the folder and write the token shards again.';

export const bytesPerToken = { uint16: 2, uint32: 4 } as const;

export const sha256Field = field<string>(
  'a SHA-256 in hexadecimal',
  (value) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value),
);
const shardFields = object<ShardRecord>(
  { name: string(), samples: integer(), tokensSha256: sha256Field, captionsSha256: sha256Field },
  { unknown: 'ignore' },
);
const indexFields = object<ShardIndex>(
  {
    format: oneOf([indexFormat]),
    gridSize: integer({ min: 1, max: 512 }),
    vocabularySize: integer({ min: 1, max: 2 ** 24 }),
    tokenType: oneOf(['uint16', 'uint32']),
    length: integer(),
    shardSize: integer({ min: 1 }),
    shards: list(shardFields),
  },
  {
    unknown: 'ignore',
    check({ length, shardSize, shards }) {
      const count = Math.ceil(length / shardSize);
      if (shards.length > count) refuse('shards', `a list of at most ${count}`, shards);
      shards.forEach(({ name, samples }, number) => {
        const expected = { name: shardName(number), samples: Math.min(shardSize, length - number * shardSize) };
        if (name !== expected.name) refuse(`shards[${number}].name`, quote(expected.name), name);
        if (samples !== expected.samples) refuse(`shards[${number}].samples`, String(expected.samples), samples);
      });
    },
  },
);

/**
 * Reads `index.json` or `partial.json` of a folder.
 *
 * @returns `undefined` if the file is missing.
 * @throws ConfigError if a field is wrong.
 */
export async function readIndex(folder: string, name: string): Promise<ShardIndex | undefined> {
  const path = joinPlace(folder, name);
  const text = await readTextAt(path);
  if (text === undefined) return undefined;
  const index = readConfig(indexFields, parseJsonObject(text, path, writeAgain), path, writeAgain);
  const count = Math.ceil(index.length / index.shardSize);
  if (name === indexName && index.shards.length !== count) {
    throw new ConfigError(path, 'shards', `must be a list of ${count}, not of ${index.shards.length}. ${writeAgain}`);
  }
  return index;
}

/**
 * Reads `index.json` of a folder.
 *
 * @throws DataError if `writeTokenShards` has not finished it.
 */
export async function finishedIndex(folder: string): Promise<ShardIndex> {
  const index = await readIndex(folder, indexName);
  if (index) return index;
  const unfinished = (await readTextAt(joinPlace(folder, partialName))) !== undefined;
  throw new DataError(
    unfinished
      ? `The token shards in ${folder} are not finished. Call writeTokenShards again to continue.`
      : `${folder} has no token shards, because ${indexName} is missing. Write them with writeTokenShards.`,
  );
}

export function shardName(number: number): string {
  return `shard-${String(number).padStart(6, '0')}`;
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

import { join } from 'node:path';
import { integer, object, optional, readOptions } from '@dalle-mini/core';
import { readTextIfPresent } from '@dalle-mini/core/node';
import { DataError } from '../data-error.js';
import { checkIndex, type Dataset } from '../dataset.js';
import { groupIndices } from '../sampler.js';
import { indexName, partialName, readIndex } from './index-file.js';
import type { TokenSample } from './shard.js';
import { ShardCache } from './shard-cache.js';

export interface OpenTokenShardsOptions {
  /**
   * Most bytes of shards in memory. The least recently used shard is dropped first, but the latest always stays.
   * Default 256 MiB.
   */
  readonly cacheBytes?: number | undefined;
}

const openFields = object<OpenTokenShardsOptions>({ cacheBytes: optional(integer(), 256 * 2 ** 20) });

/** Encoded samples on disk. */
export interface TokenDataset extends Dataset<TokenSample> {
  /** Width and height of the token grid. */
  readonly gridSize: number;
  readonly vocabularySize: number;
  /** Lists the indices of the samples of each group, for `createSampler`. It reads every shard. */
  groups(): Promise<number[][]>;
}

/**
 * Opens a folder that {@link writeTokenShards} has finished. Shards are read on first use. Each must have the SHA-256
 * and the number of samples of the index, and tokens below the vocabulary size.
 *
 * @throws DataError if the folder has no finished token shards. `get` throws it if a shard is damaged.
 * @throws ConfigError if a field of the index is wrong.
 */
export async function openTokenShards(folder: string, options: OpenTokenShardsOptions = {}): Promise<TokenDataset> {
  const { cacheBytes = 0 } = readOptions(openFields, options, 'openTokenShards');
  const index = await readIndex(folder, indexName);
  if (!index) {
    const unfinished = (await readTextIfPresent(join(folder, partialName))) !== undefined;
    throw new DataError(
      unfinished
        ? `The token shards in ${folder} are not finished. Call writeTokenShards again to continue.`
        : `${folder} has no token shards, because ${indexName} is missing. Write them with writeTokenShards.`,
    );
  }
  const { length, shardSize, gridSize, vocabularySize } = index;
  const shards = new ShardCache(folder, index, cacheBytes);
  return {
    length,
    gridSize,
    vocabularySize,
    async get(position) {
      checkIndex(position, length);
      const shard = await shards.load(Math.floor(position / shardSize));
      return shard.sample(position % shardSize);
    },
    async groups() {
      const samples: { group?: string | undefined }[] = [];
      for (let number = 0; number < index.shards.length; number++) {
        const shard = await shards.load(number);
        for (let offset = 0; offset < shard.length; offset++) samples.push({ group: shard.describe(offset).group });
      }
      return groupIndices(samples);
    },
  };
}

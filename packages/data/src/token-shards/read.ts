import { join } from 'node:path';
import { integer, object, optional, readOptions } from '@dalle-mini/core';
import { readTextIfPresent } from '@dalle-mini/core/node';
import { DataError } from '../data-error.js';
import { checkIndex, type Dataset } from '../dataset.js';
import { groupIndices } from '../sampler.js';
import { indexName, partialName, readIndex, type ShardIndex } from './index-file.js';
import { readShard, type Shard, type TokenSample } from './shard.js';

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

/** Shards in memory, least recently used first. */
class ShardCache {
  private readonly shards = new Map<number, Promise<Shard>>();
  /** Sizes in bytes of the shards that have been read. */
  private readonly sizes = new Map<number, number>();
  private readonly verified = new Set<number>();
  private bytes = 0;

  constructor(
    private readonly folder: string,
    private readonly index: ShardIndex,
    private readonly cacheBytes: number,
  ) {}

  load(number: number): Promise<Shard> {
    const shard = this.shards.get(number) ?? this.read(number);
    this.shards.delete(number);
    this.shards.set(number, shard);
    return shard;
  }

  private async read(number: number): Promise<Shard> {
    try {
      const shard = await readShard(this.folder, this.index, number, !this.verified.has(number));
      this.verified.add(number);
      this.sizes.set(number, shard.byteLength);
      this.bytes += shard.byteLength;
      this.evict(number);
      return shard;
    } catch (error) {
      this.shards.delete(number);
      throw error;
    }
  }

  /** Drops the least recently used shards until the rest fits, but never the latest. */
  private evict(latest: number): void {
    for (const number of this.shards.keys()) {
      const size = this.sizes.get(number);
      if (this.bytes <= this.cacheBytes) return;
      if (number === latest || size === undefined) continue;
      this.shards.delete(number);
      this.sizes.delete(number);
      this.bytes -= size;
    }
  }
}

import { join } from 'node:path';
import { integer, object, optional, readOptions } from '@dalle-mini/core';
import { readTextIfPresent } from '@dalle-mini/core/node';
import { DataError } from '../data-error.js';
import { checkIndex, type Dataset } from '../dataset.js';
import { groupIndices } from '../sampler.js';
import { indexName, partialName, readIndex, type ShardIndex } from './index-file.js';
import { readShard, type Shard, type TokenSample } from './shard.js';

export interface OpenTokenShardsOptions {
  /** Bytes of shards that stay in memory; the least recently used is dropped first, and one always stays. Default 256 MiB. */
  readonly cacheBytes?: number | undefined;
}

const openFields = object<OpenTokenShardsOptions>({ cacheBytes: optional(integer(), 256 * 2 ** 20) });

/** Encoded samples on disk. */
export interface TokenDataset extends Dataset<TokenSample> {
  /** Width and height of the token grid. */
  readonly gridSize: number;
  readonly vocabularySize: number;
  /** Indices of the samples of each group, for `createSampler`; reads the captions of every shard. */
  groups(): Promise<number[][]>;
}

/**
 * Opens a folder that {@link writeTokenShards} has finished. Shards are read when first used, and checked: their SHA-256, their number
 * of samples, and that every token is below the vocabulary size.
 *
 * @throws If the folder holds no finished token shards, or a field of its index is wrong. Reading throws if a shard is damaged.
 */
export async function openTokenShards(folder: string, options: OpenTokenShardsOptions = {}): Promise<TokenDataset> {
  const { cacheBytes = 0 } = readOptions(openFields, options, 'openTokenShards');
  const index = await readIndex(folder, indexName);
  if (!index) {
    const unfinished = (await readTextIfPresent(join(folder, partialName))) !== undefined;
    throw new DataError(
      unfinished
        ? `${folder} holds token shards that are not finished: run writeTokenShards again, it goes on where it was.`
        : `${folder} holds no token shards (${indexName} is missing): write them with writeTokenShards.`,
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
      const samples: { group?: string }[] = [];
      for (let number = 0; number < index.shards.length; number++) {
        const shard = await shards.load(number);
        for (let offset = 0; offset < shard.length; offset++) samples.push({ group: shard.describe(offset).group });
      }
      return groupIndices(samples);
    },
  };
}

/** The shards in use, least recently used first. */
class ShardCache {
  private readonly shards = new Map<number, Promise<Shard>>();
  /** Bytes of those that have been read. */
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

  /** Forgets the shards longest unused until the rest fits, but never the one just read. */
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

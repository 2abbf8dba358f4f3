import { basename } from 'node:path';
import { integer, object, oneOf, optional, readOptions } from '@dalle-mini/core';
import { expand } from 'brace-expansion';
import { DataError } from '../data-error.js';
import { checkIndex, type Dataset } from '../dataset.js';
import { lastAtMost, startsOf } from '../extents.js';
import { isAddress } from '../remote/files.js';
import { groupIndices } from '../sampler.js';
import { foldersIn } from './archives-file.js';
import { openHiddenStates, type StoredHiddenStates } from './caption-states.js';
import { finishedIndex } from './index-file.js';
import type { TokenSample } from './shard.js';
import { ShardCache, type ShardPlace, shardsOf } from './shard-cache.js';

export interface OpenTokenShardsOptions {
  /**
   * Most bytes of shards in memory. The least recently used shard is dropped first, but the latest always stays.
   * Default 256 MiB.
   */
  readonly cacheBytes?: number | undefined;
  /** Whether training uses the hidden states that `encodeCaptions` has stored, or computes them. Default `stored`, if there are any. */
  readonly hiddenStates?: 'stored' | 'computed' | undefined;
}

const openFields = object<OpenTokenShardsOptions>({
  cacheBytes: optional(integer(), 256 * 2 ** 20),
  hiddenStates: optional(oneOf(['stored', 'computed']), 'stored'),
});

/** Encoded samples on disk. */
export interface TokenDataset extends Dataset<TokenSample> {
  /** Width and height of the token grid. */
  readonly gridSize: number;
  readonly vocabularySize: number;
  /** Hidden states of the captions, if they are stored. */
  readonly hiddenStates?: StoredHiddenStates | undefined;
  /** Lists the indices of the samples of each group, for `createSampler`. It reads every shard. */
  groups(): Promise<number[][]>;
  /** Describes the shards of a large dataset, whose samples are too many to be described one by one. */
  describeShards?(): readonly ShardDescription[];
}

/** What is known of a shard without reading it. */
export interface ShardDescription {
  /** The name of its folder and its own, such as `00012/shard-000000`. */
  readonly key: string;
  /** SHA-256 of its tokens and of its captions. */
  readonly sha256: readonly string[];
}

/** Encoded samples in the shards of a folder. */
export interface TokenShards extends TokenDataset {
  /** Number of samples in each shard, in order, for `createSampler`. */
  readonly shardLengths: readonly number[];
  describeShards(): readonly ShardDescription[];
}

/**
 * Opens a folder that {@link writeTokenShards} has finished. Shards are read on first use. Each must have the SHA-256
 * and the number of samples of the index, and tokens below the vocabulary size.
 *
 * @param source A folder, several whose samples are joined in this order, or the folder that `encodeArchives` of `@dalle-mini/prepare`
 *   has finished, with a folder for each archive. Each may be an address, `https://…` or `s3://bucket/…`, also with patterns such as
 *   `{00000..00012}`; shards are then downloaded when they are needed. Keys of buckets come from `AWS_ACCESS_KEY_ID`,
 *   `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, the server from `AWS_ENDPOINT_URL`.
 * @throws DataError if a folder has no finished token shards, or if they are of different tokenizers or text encoders. `get` throws it if a shard is
 *   damaged.
 * @throws ConfigError if a field of the index is wrong.
 */
export async function openTokenShards(
  source: string | readonly string[],
  options: OpenTokenShardsOptions = {},
): Promise<TokenShards> {
  const { cacheBytes = 0, hiddenStates } = readOptions(openFields, options, 'openTokenShards');
  const places: ShardPlace[] = [];
  for (const folder of (await Promise.all(expandAddresses([source].flat()).map(foldersIn))).flat())
    places.push(...shardsOf(folder, await finishedIndex(folder)));
  const first = places[0];
  if (first === undefined)
    throw new DataError(
      `The token shards of ${[source].flat().join(', ')} must have at least one sample, not none. Check the path.`,
    );
  const { gridSize, vocabularySize } = first.index;
  checkSameTokenizer(places);
  const shardLengths = places.map(({ index, number }) => index.shards[number]!.samples);
  const starts = startsOf(shardLengths);
  const length = starts.at(-1)! + shardLengths.at(-1)!;
  const shards = new ShardCache(places, cacheBytes);
  const locate = (position: number) => {
    checkIndex(position, length);
    return lastAtMost(starts, position);
  };
  return {
    length,
    gridSize,
    vocabularySize,
    hiddenStates: hiddenStates === 'stored' ? await openHiddenStates(places, locate) : undefined,
    shardLengths,
    describeShards: () =>
      places.map(({ folder, index, number }) => {
        const { name, tokensSha256, captionsSha256 } = index.shards[number]!;
        return { key: `${basename(folder)}/${name}`, sha256: [tokensSha256, captionsSha256] };
      }),
    async get(position) {
      const number = locate(position);
      const shard = await shards.load(number);
      return shard.sample(position - starts[number]!);
    },
    async groups() {
      const samples: { group?: string | undefined }[] = [];
      for (const number of places.keys()) {
        const shard = await shards.load(number);
        for (let offset = 0; offset < shard.length; offset++) samples.push({ group: shard.describe(offset).group });
      }
      return groupIndices(samples);
    },
  };
}

/** Most addresses of a pattern. */
const mostAddresses = 1_000_000;

function expandAddresses(places: readonly string[]): string[] {
  return places.flatMap((place) => (isAddress(place) ? expand(place, { max: mostAddresses }) : [place]));
}

function checkSameTokenizer(places: readonly ShardPlace[]): void {
  const [first] = places;
  for (const { folder, index } of places) {
    for (const name of ['gridSize', 'vocabularySize'] as const) {
      if (index[name] === first!.index[name]) continue;
      throw new DataError(
        `${name} of the token shards in ${folder} must be ${first!.index[name]}, as in ${first!.folder}, not ${index[name]}. ` +
          'Encode both with the same tokenizer.',
      );
    }
  }
}

import { copyFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { withFileErrors, writeFileAtomically, writeFolderAtomically } from '@dalle-mini/core/node';
import type { SampleDescription } from '../dataset.js';
import { partialName, readIndex, type ShardIndex } from './index-file.js';
import type { StoredSample } from './shard.js';
import { ShardCache, shardsOf } from './shard-cache.js';

const earlierPattern = /^earlier-(\d+)$/;
/** Most bytes of earlier shards in memory. Samples are mostly asked for in the order in which they are stored. */
const cacheBytes = 64 * 2 ** 20;

interface Place {
  readonly shards: ShardCache;
  readonly number: number;
  readonly offset: number;
}

/** The samples that have been encoded, by key and image. */
export class StoredSamples {
  private readonly places = new Map<string, Place>();

  /** Adds the samples of a folder. Returns what is stored of each, shard by shard. */
  async add(folder: string, index: ShardIndex): Promise<StoredSample[][]> {
    const shards = new ShardCache(shardsOf(folder, index), cacheBytes);
    const samples: StoredSample[][] = [];
    for (const number of index.shards.keys()) {
      const shard = await shards.load(number);
      const lines = Array.from({ length: shard.length }, (_, offset) => shard.describe(offset));
      for (const [offset, { key, image }] of lines.entries()) {
        // Shards of older versions do not tell whether an image is still the same.
        if (image !== undefined) this.places.set(nameOf({ key, image }), { shards, number, offset });
      }
      samples.push(lines);
    }
    return samples;
  }

  has(sample: SampleDescription): boolean {
    return this.places.has(nameOf(sample));
  }

  /** Reads the tokens of an image, and what was stored with them. */
  async find(sample: SampleDescription): Promise<{ stored: StoredSample; tokens: Int32Array } | undefined> {
    const place = this.places.get(nameOf(sample));
    if (!place) return undefined;
    const shard = await place.shards.load(place.number);
    return { stored: shard.describe(place.offset), tokens: shard.tokens(place.offset) };
  }
}

function nameOf({ key, image }: Pick<SampleDescription, 'key' | 'image'>): string {
  return `${image} ${key}`;
}

/**
 * Copies the shards of a folder into a folder in it, so that their tokens are not lost while the shards are written
 * again.
 */
export async function keepEarlierShards(folder: string, index: ShardIndex): Promise<void> {
  const numbers = (await earlierFolders(folder)).map((name) => Number(earlierPattern.exec(name)![1]));
  await writeFolderAtomically(join(folder, `earlier-${Math.max(0, ...numbers) + 1}`), async (target) => {
    for (const file of index.shards.flatMap(({ name }) => [`${name}.tokens`, `${name}.jsonl`])) {
      await withFileErrors('write', join(target, file), () => copyFile(join(folder, file), join(target, file)));
    }
    await writeFileAtomically(join(target, partialName), JSON.stringify(index));
  });
}

/** Adds the samples that {@link keepEarlierShards} kept. */
export async function addEarlierSamples(samples: StoredSamples, folder: string): Promise<void> {
  for (const name of await earlierFolders(folder)) {
    const index = await readIndex(join(folder, name), partialName);
    if (index) await samples.add(join(folder, name), index);
  }
}

/** Removes what {@link keepEarlierShards} kept, and shards after the first `count`. */
export async function removeEarlierShards(folder: string, count: number): Promise<void> {
  const names = await withFileErrors('read', folder, () => readdir(folder));
  const unused = names.filter((name) => {
    const number = /^shard-(\d{6,})\.(tokens|jsonl|states|states\.jsonl)$/.exec(name)?.[1];
    return earlierPattern.test(name) || (number !== undefined && Number(number) >= count);
  });
  for (const name of unused) await rm(join(folder, name), { recursive: true, force: true });
}

async function earlierFolders(folder: string): Promise<string[]> {
  const names = await withFileErrors('read', folder, () => readdir(folder));
  return names.filter((name) => earlierPattern.test(name)).sort();
}

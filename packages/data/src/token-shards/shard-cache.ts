import type { ShardIndex } from './index-file.js';
import { readShard, type Shard } from './shard.js';

/** Where a shard is: its number in a folder. */
export interface ShardPlace {
  readonly folder: string;
  readonly index: ShardIndex;
  readonly number: number;
}

/** Lists the shards of a folder. */
export function shardsOf(folder: string, index: ShardIndex): ShardPlace[] {
  return index.shards.map((_, number) => ({ folder, index, number }));
}

/** Shards in memory, least recently used first. */
export class ShardCache {
  private readonly shards = new Map<number, Promise<Shard>>();
  /** Sizes in bytes of the shards that have been read. */
  private readonly sizes = new Map<number, number>();
  private readonly verified = new Set<number>();
  private bytes = 0;

  constructor(
    private readonly places: readonly ShardPlace[],
    private readonly cacheBytes: number,
  ) {}

  /** Reads a shard, by its index in the places. */
  load(number: number): Promise<Shard> {
    const shard = this.shards.get(number) ?? this.read(number);
    this.shards.delete(number);
    this.shards.set(number, shard);
    return shard;
  }

  private async read(number: number): Promise<Shard> {
    try {
      const { folder, index, number: own } = this.places[number]!;
      const shard = await readShard(folder, index, own, !this.verified.has(number));
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

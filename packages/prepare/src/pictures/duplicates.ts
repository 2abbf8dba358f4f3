import { readMetadata } from '../shards/read-shard.js';
import type { Sample } from '../shards/sample.js';
import type { Storage } from '../shards/storage.js';
import { SeenHashes } from './seen-hashes.js';

/** Reads the hashes of the images of some shards. */
export async function knownHashes(storage: Storage, numbers: Iterable<number>, distance: number): Promise<SeenHashes> {
  const hashes = new SeenHashes(distance);
  for (const number of numbers) {
    for (const { difference_hash } of await readMetadata(storage, number))
      if (typeof difference_hash === 'string') hashes.add(difference_hash);
  }
  return hashes;
}

/** Leaves out those of some samples whose image is like one before. */
export function dropDuplicates(samples: Sample[], indices: Iterable<number>, hashes: SeenHashes): void {
  for (const index of indices) {
    const sample = samples[index]!;
    if (sample.status !== 'success' || hashes.add(sample.picture.differenceHash!)) continue;
    const message = `looks like an earlier image: its difference hash is ${sample.picture.differenceHash}`;
    samples[index] = { status: 'failed_to_resize', row: sample.row, problem: 'duplicate', message };
  }
}

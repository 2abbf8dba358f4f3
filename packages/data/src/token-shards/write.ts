import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  abortSignal,
  callback,
  type ImageTokenizer,
  integer,
  object,
  optional,
  type Progress,
  readOptions,
} from '@dalle-mini/core';
import { makeFolder, writeFileAtomically } from '@dalle-mini/core/node';
import { DataError } from '../data-error.js';
import type { Dataset, Sample } from '../dataset.js';
import {
  bytesPerToken,
  indexFormat,
  indexName,
  partialName,
  readIndex,
  type ShardIndex,
  sha256,
  shardName,
} from './index-file.js';
import { readShard } from './shard.js';

export interface WriteTokenShardsOptions {
  /** Images that the tokenizer encodes at once. Default 8. */
  readonly batchSize?: number | undefined;
  /** Samples per shard: what a killed run loses, and what a reader holds in memory at least. Default 4096. */
  readonly shardSize?: number | undefined;
  /** Stops the work: the promise rejects with the signal's reason; a later call continues after the last whole shard. */
  readonly signal?: AbortSignal | undefined;
  /** Called after each batch. */
  readonly onProgress?: ((progress: EncodeProgress) => unknown) | undefined;
}

/** How many samples of a dataset are encoded. */
export interface EncodeProgress extends Progress {
  readonly stage: 'encode';
  readonly unit: 'samples';
}

const writeFields = object<WriteTokenShardsOptions>({
  batchSize: optional(integer({ min: 1, max: 4096 }), 8),
  shardSize: optional(integer({ min: 1, max: 2 ** 24 }), 4096),
  signal: optional(abortSignal()),
  onProgress: optional(callback()),
});

/**
 * Encodes every image of a dataset once and writes the tokens, with captions, into `folder`: for each shard a `.tokens` file (tokens
 * of its samples one after the other, little-endian) and a `.jsonl` file (key, captions and group, a line a sample), and at the end
 * `index.json`, which names them and their SHA-256.
 *
 * Where an earlier run was stopped, the next goes on after its last whole shard. A finished folder is left as it is. Either way
 * the last sample is encoded anew and compared, so that shards of another tokenizer or dataset are not mixed in.
 *
 * @throws If the images are not of the tokenizer's size, if the folder holds shards of other data or another tokenizer, if the disk
 *   refuses, and with the signal's reason when it aborts.
 *
 * @example
 * ```ts
 * import { openImageFolder, openTokenShards, writeTokenShards } from '@dalle-mini/data';
 * import { openVqganTokenizer } from '@dalle-mini/vqgan/node';
 *
 * const tokenizer = await openVqganTokenizer('vqgan');
 * const dataset = await openImageFolder('pictures', { imageSize: tokenizer.imageSize });
 * await writeTokenShards(dataset, tokenizer, 'shards', { batchSize: 16, shardSize: 4096 });
 * await tokenizer.dispose();
 * const shards = await openTokenShards('shards');
 * console.log(shards.length, (await shards.get(0)).tokens);
 * ```
 */
export async function writeTokenShards(
  dataset: Dataset<Sample>,
  tokenizer: ImageTokenizer,
  folder: string,
  options: WriteTokenShardsOptions = {},
): Promise<void> {
  const given = readOptions(writeFields, options, 'writeTokenShards');
  const { batchSize = 8, shardSize = 4096, signal, onProgress } = given;
  signal?.throwIfAborted();
  if (dataset.length === 0) throw new DataError('The dataset is empty: there is nothing to encode.');
  await makeFolder(folder);
  const finished = await readIndex(folder, indexName);
  const earlier = finished ?? (await readIndex(folder, partialName));
  const { gridSize, vocabularySize } = tokenizer;
  const index: ShardIndex = {
    format: indexFormat,
    gridSize,
    vocabularySize,
    tokenType: vocabularySize <= 2 ** 16 ? 'uint16' : 'uint32',
    length: dataset.length,
    shardSize,
    shards: earlier?.shards ?? [],
  };
  if (earlier) await checkContinues(folder, earlier, index, dataset, tokenizer);
  if (finished) return;

  const shards = [...index.shards];
  for (let start = shards.length * shardSize; start < dataset.length; start += shardSize) {
    const end = Math.min(start + shardSize, dataset.length);
    const tokens = new Int32Array((end - start) * gridSize ** 2);
    const lines: string[] = [];
    let next = readBatch(dataset, start, Math.min(start + batchSize, end));
    for (let position = start; position < end; position += batchSize) {
      signal?.throwIfAborted();
      const samples = await next;
      const following = position + samples.length;
      // The next images are decoded while the tokenizer works.
      next = readBatch(dataset, following, Math.min(following + batchSize, end));
      next.catch(() => undefined);
      const grids = await encode(tokenizer, samples, signal);
      grids.forEach((grid, offset) => {
        tokens.set(grid, (position - start + offset) * gridSize ** 2);
      });
      lines.push(...samples.map(({ key, captions, group }) => `${JSON.stringify({ key, captions, group })}\n`));
      await onProgress?.({ stage: 'encode', unit: 'samples', done: following, total: dataset.length });
    }
    const name = shardName(shards.length);
    const tokenBytes = toBytes(tokens, index.tokenType);
    const captionBytes = new TextEncoder().encode(lines.join(''));
    await writeFileAtomically(join(folder, `${name}.tokens`), tokenBytes);
    await writeFileAtomically(join(folder, `${name}.jsonl`), captionBytes);
    shards.push({ name, samples: end - start, tokensSha256: sha256(tokenBytes), captionsSha256: sha256(captionBytes) });
    await writeFileAtomically(join(folder, partialName), JSON.stringify({ ...index, shards }));
  }
  await writeFileAtomically(join(folder, indexName), `${JSON.stringify({ ...index, shards }, null, 2)}\n`);
  await rm(join(folder, partialName), { force: true });
}

/** Throws unless an earlier run's shards are what this run would have written. */
async function checkContinues(
  folder: string,
  earlier: ShardIndex,
  index: ShardIndex,
  dataset: Dataset<Sample>,
  tokenizer: ImageTokenizer,
): Promise<void> {
  const mend = `Choose another folder, or delete ${folder} to write all anew.`;
  for (const field of ['gridSize', 'vocabularySize', 'tokenType', 'length', 'shardSize'] as const) {
    if (earlier[field] === index[field]) continue;
    throw new DataError(
      `${folder} holds token shards with ${field} ${earlier[field]}, now it is ${index[field]}. ${mend}`,
    );
  }
  const number = earlier.shards.length - 1;
  if (number < 0) return;
  const shard = await readShard(folder, earlier, number, true);
  const written = shard.sample(shard.length - 1);
  const sample = await dataset.get(number * earlier.shardSize + shard.length - 1);
  if (written.key !== sample.key) {
    throw new DataError(
      `${folder} holds token shards of other data: ${written.key} where ${sample.key} is now. ${mend}`,
    );
  }
  const [grid] = await encode(tokenizer, [sample]);
  const equal = written.tokens.filter((token, place) => token === grid![place]).length;
  // Machines round differently, which may change a few tokens; another tokenizer changes nearly all.
  if (equal < written.tokens.length / 2) {
    throw new DataError(
      `${folder} holds token shards of another tokenizer: it wrote ${sample.key} in other tokens. ${mend}`,
    );
  }
}

function readBatch(dataset: Dataset<Sample>, start: number, end: number): Promise<Sample[]> {
  return Promise.all(Array.from({ length: Math.max(0, end - start) }, (_, offset) => dataset.get(start + offset)));
}

/** Encodes images and checks what goes in and what comes out, since it will be trusted for a long time. */
async function encode(
  tokenizer: ImageTokenizer,
  samples: readonly Sample[],
  signal?: AbortSignal,
): Promise<Int32Array[]> {
  const { imageSize, gridSize, vocabularySize } = tokenizer;
  for (const { key, image, captions } of samples) {
    if (captions.length === 0) {
      throw new DataError(`The image ${key} must have at least one caption, not none. Add one or remove the image.`);
    }
    if (image.width === imageSize && image.height === imageSize) continue;
    throw new DataError(
      `The image ${key} is ${image.width}×${image.height}, the tokenizer reads ${imageSize}×${imageSize}: ` +
        `open the dataset with imageSize ${imageSize}.`,
    );
  }
  const grids = await tokenizer.encode(
    samples.map(({ image }) => image),
    { signal },
  );
  grids.forEach((grid, position) => {
    const bad =
      grid.length === gridSize ** 2 ? grid.find((token) => token < 0 || token >= vocabularySize) : grid.length;
    if (bad === undefined) return;
    throw new DataError(
      `The tokenizer encoded ${samples[position]!.key} as ${grid.length} tokens, one of them ${bad}: ` +
        `expected ${gridSize ** 2} tokens from 0 to ${vocabularySize - 1}.`,
    );
  });
  return grids;
}

function toBytes(tokens: Int32Array, type: ShardIndex['tokenType']): Uint8Array {
  const width = bytesPerToken[type];
  const bytes = new Uint8Array(tokens.length * width);
  const view = new DataView(bytes.buffer);
  tokens.forEach((token, place) => {
    if (type === 'uint16') view.setUint16(place * width, token, true);
    else view.setUint32(place * width, token, true);
  });
  return bytes;
}

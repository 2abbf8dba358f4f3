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
  /** Images per batch of the tokenizer. Default 8. */
  readonly batchSize?: number | undefined;
  /**
   * Samples per shard. A killed run loses at most one shard, and a reader keeps at least one in memory. Default 4096.
   */
  readonly shardSize?: number | undefined;
  /**
   * Stops the work: the promise rejects with the signal's reason. A later call continues after the last whole shard.
   */
  readonly signal?: AbortSignal | undefined;
  /** Called after each batch. */
  readonly onProgress?: ((progress: EncodeProgress) => unknown) | undefined;
}

/** Number of encoded samples. */
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
 * Encodes every image of a dataset and writes the tokens and captions into `folder`. Each shard is a `.tokens` file
 * (the tokens of its samples, little-endian) and a `.jsonl` file (key, captions and group, one sample per line).
 * `index.json`, written last, lists the shards with their SHA-256.
 *
 * After an interruption, the next call continues after the last whole shard. A finished folder stays as it is. In both
 * cases the last sample is encoded again and compared, so that shards of different tokenizers or datasets are not
 * mixed.
 *
 * @throws DataError if an image does not have the tokenizer's size, or if the folder has shards of other data or of
 *   another tokenizer.
 * @throws FileError if the folder cannot be written.
 * @throws The reason of `signal` if it aborts.
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
  if (dataset.length === 0) throw new DataError('The dataset must have at least 1 sample, not 0. Check its path.');
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

/** Throws unless this run would write the same shards as an earlier one. */
async function checkContinues(
  folder: string,
  earlier: ShardIndex,
  index: ShardIndex,
  dataset: Dataset<Sample>,
  tokenizer: ImageTokenizer,
): Promise<void> {
  const action = `Choose another folder, or delete ${folder} to write the shards again.`;
  for (const field of ['gridSize', 'vocabularySize', 'tokenType', 'length', 'shardSize'] as const) {
    if (earlier[field] === index[field]) continue;
    throw new DataError(`${field} must be ${earlier[field]} as in ${folder}, not ${index[field]}. ${action}`);
  }
  const number = earlier.shards.length - 1;
  if (number < 0) return;
  const shard = await readShard(folder, earlier, number, true);
  const written = shard.sample(shard.length - 1);
  const sample = await dataset.get(number * earlier.shardSize + shard.length - 1);
  if (written.key !== sample.key) {
    throw new DataError(
      `${folder} has token shards of another dataset: its sample is ${written.key}, not ${sample.key}. ${action}`,
    );
  }
  const [grid] = await encode(tokenizer, [sample]);
  const equal = written.tokens.filter((token, place) => token === grid![place]).length;
  // Rounding differs between machines and may change a few tokens. Another tokenizer changes nearly all.
  if (equal < written.tokens.length / 2) {
    throw new DataError(
      `${folder} has token shards of another tokenizer: its tokens of ${sample.key} differ. ${action}`,
    );
  }
}

function readBatch(dataset: Dataset<Sample>, start: number, end: number): Promise<Sample[]> {
  return Promise.all(Array.from({ length: Math.max(0, end - start) }, (_, offset) => dataset.get(start + offset)));
}

/** Encodes images. Checks images and tokens, because errors in stored shards would be found only in training. */
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
      `The image ${key} must be ${imageSize}×${imageSize} pixels, not ${image.width}×${image.height}. ` +
        `Open the dataset with imageSize ${imageSize}.`,
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
      `The tokens of ${samples[position]!.key} must be ${gridSize ** 2} from 0 to ${vocabularySize - 1}, ` +
        `not ${grid.length} with ${bad} among them. Check the tokenizer.`,
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

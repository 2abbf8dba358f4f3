import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  abortSignal,
  boolean,
  callback,
  type ImageTokenizer,
  integer,
  object,
  optional,
  type Progress,
  readOptions,
} from '@dalle-mini/core';
import { makeFolder, writeFileAtomically } from '@dalle-mini/core/node';
import { hashOf } from '../content-hash.js';
import { DataError } from '../data-error.js';
import { type Dataset, type Sample, type SampleDescription, usableIndices } from '../dataset.js';
import {
  bytesPerToken,
  indexFormat,
  indexName,
  partialName,
  readIndex,
  type ShardIndex,
  type ShardRecord,
  sha256,
  shardName,
} from './index-file.js';
import { readShard, type StoredSample } from './shard.js';
import { addEarlierSamples, keepEarlierShards, removeEarlierShards, StoredSamples } from './stored-samples.js';

export interface WriteTokenShardsOptions {
  /** Images per batch of the tokenizer. Default 8. */
  readonly batchSize?: number | undefined;
  /**
   * Samples per shard. A killed run loses at most one shard, and a reader keeps at least one in memory. Default 4096.
   */
  readonly shardSize?: number | undefined;
  /** Whether a dataset without samples gives a folder without shards, and is no error. Default false. */
  readonly allowEmpty?: boolean | undefined;
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
  allowEmpty: optional(boolean(), false),
  signal: optional(abortSignal()),
  onProgress: optional(callback()),
});

/**
 * Encodes every image of a dataset and writes the tokens and captions into `folder`. Each shard is a `.tokens` file
 * (the tokens of its samples, little-endian) and a `.jsonl` file (key, captions, group and score, one sample per line).
 * `index.json`, written last, lists the shards with their SHA-256.
 *
 * After an interruption, the next call continues after the last whole shard. A finished folder stays as it is. In both
 * cases a sample is encoded again and compared, so that shards of different tokenizers or datasets are not mixed.
 *
 * If samples of a dataset with `describe` were added, removed or changed since, the shards become those of the dataset as
 * it is now. Only images that are new or changed are encoded; others keep their tokens, also if their captions have
 * changed.
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
  const { batchSize = 8, shardSize = 4096, allowEmpty, signal, onProgress } = given;
  signal?.throwIfAborted();
  const indices = usableIndices(dataset);
  if (indices.length === 0 && !allowEmpty)
    throw new DataError('The dataset must have at least 1 sample, not 0. Check its path.');
  await makeFolder(folder);
  const { gridSize, vocabularySize } = tokenizer;
  const index: ShardIndex = {
    format: indexFormat,
    gridSize,
    vocabularySize,
    tokenType: vocabularySize <= 2 ** 16 ? 'uint16' : 'uint32',
    length: indices.length,
    shardSize,
    shards: [],
  };
  const earlier = await earlierWork(folder, index, dataset, indices, tokenizer);
  if (earlier.isFinished) return removeEarlierShards(folder, earlier.shards.length);
  const { encoded } = earlier;
  const shards = [...earlier.shards];

  const prepare = async (start: number, end: number) =>
    Promise.all(
      indices.slice(start, Math.max(start, end)).map((position) => prepareSample(dataset, position, encoded)),
    );
  for (let start = shards.length * shardSize; start < index.length; start += shardSize) {
    const end = Math.min(start + shardSize, index.length);
    const tokens = new Int32Array((end - start) * gridSize ** 2);
    const lines: string[] = [];
    let next = prepare(start, Math.min(start + batchSize, end));
    for (let position = start; position < end; position += batchSize) {
      signal?.throwIfAborted();
      const samples = await next;
      const following = position + samples.length;
      // The next images are decoded while the tokenizer works.
      next = prepare(following, Math.min(following + batchSize, end));
      next.catch(() => undefined);
      const images = samples.flatMap(({ sample }) => sample ?? []);
      const grids = images.length > 0 ? await encode(tokenizer, images, signal) : [];
      for (const [offset, { tokens: known, line }] of samples.entries()) {
        tokens.set(known ?? grids.shift()!, (position - start + offset) * gridSize ** 2);
        lines.push(`${JSON.stringify(line)}\n`);
      }
      await onProgress?.({ stage: 'encode', unit: 'samples', done: following, total: index.length });
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
  await removeEarlierShards(folder, shards.length);
}

/** A sample that is about to be stored: with its tokens if it has been encoded before, or else with its image. */
interface PreparedSample {
  readonly line: StoredSample;
  readonly tokens?: Int32Array | undefined;
  readonly sample?: Sample | undefined;
}

async function prepareSample(dataset: Dataset, position: number, encoded: StoredSamples): Promise<PreparedSample> {
  const description = dataset.describe?.(position);
  const known = description && (await encoded.find(description));
  if (known && hasCaptionsOf(known.stored, description)) return { line: known.stored, tokens: known.tokens };
  const sample = await dataset.get(position);
  const { key, captions, group, score } = sample;
  const line = { key, captions, group, image: description?.image, score };
  return known ? { line, tokens: known.tokens } : { line, sample };
}

/** Whether a stored sample has the captions and the group of a sample of the dataset. */
function hasCaptionsOf({ captions, group }: StoredSample, description: SampleDescription): boolean {
  return (
    group === description.group &&
    captions.length === description.captions.length &&
    captions.every((caption, i) => hashOf(caption) === description.captions[i])
  );
}

/** What an earlier call has written. */
interface EarlierWork {
  /** The shards that remain as they are. */
  readonly shards: readonly ShardRecord[];
  /** Whether these are all. */
  readonly isFinished: boolean;
  /** All samples that have been encoded. */
  readonly encoded: StoredSamples;
}

/**
 * Finds what an earlier call has written, and keeps the samples of shards that have to be written again because the
 * dataset has changed.
 *
 * @throws DataError if they are of another tokenizer or dataset.
 */
async function earlierWork(
  folder: string,
  index: ShardIndex,
  dataset: Dataset,
  indices: readonly number[],
  tokenizer: ImageTokenizer,
): Promise<EarlierWork> {
  const encoded = new StoredSamples();
  await addEarlierSamples(encoded, folder);
  const finished = await readIndex(folder, indexName);
  const earlier = finished ?? (await readIndex(folder, partialName));
  if (!earlier) return { shards: [], isFinished: false, encoded };
  const action = `Choose another folder, or delete ${folder} to write the shards again.`;
  const fields = ['gridSize', 'vocabularySize', 'tokenType', 'shardSize'] as const;
  for (const field of dataset.describe ? fields : ([...fields, 'length'] as const)) {
    if (earlier[field] === index[field]) continue;
    throw new DataError(`${field} must be ${earlier[field]} as in ${folder}, not ${index[field]}. ${action}`);
  }
  const stored = await encoded.add(folder, earlier);
  const changed = stored.findIndex((samples, number) => !isUnchanged(samples, number, index, dataset, indices));
  const shards = changed === -1 ? earlier.shards : earlier.shards.slice(0, changed);
  await checkTokenizer(folder, { ...earlier, shards }, { stored, encoded, dataset, indices, tokenizer, action });
  const isSame = changed === -1 && earlier.length === index.length;
  if (isSame) return { shards, isFinished: finished !== undefined, encoded };

  if (changed !== -1) await keepEarlierShards(folder, earlier);
  await writeFileAtomically(join(folder, partialName), JSON.stringify({ ...index, shards }));
  await rm(join(folder, indexName), { force: true });
  // The copies, because the shards themselves are about to be replaced.
  const kept = new StoredSamples();
  await addEarlierSamples(kept, folder);
  return { shards, isFinished: false, encoded: kept };
}

/** Whether a shard has the samples that the dataset has at its place. Datasets without descriptions never change. */
function isUnchanged(
  stored: readonly StoredSample[],
  number: number,
  { length, shardSize }: ShardIndex,
  dataset: Dataset,
  indices: readonly number[],
): boolean {
  if (!dataset.describe) return true;
  const start = number * shardSize;
  if (stored.length !== Math.min(shardSize, length - start)) return false;
  return stored.every((sample, offset) => {
    const description = dataset.describe!(indices[start + offset]!);
    const isSameImage = sample.image === undefined || sample.image === description.image;
    return sample.key === description.key && isSameImage && hasCaptionsOf(sample, description);
  });
}

/** Throws unless an earlier call has encoded samples of this dataset with this tokenizer. */
async function checkTokenizer(
  folder: string,
  unchanged: ShardIndex,
  {
    stored,
    encoded,
    dataset,
    indices,
    tokenizer,
    action,
  }: {
    readonly stored: readonly (readonly StoredSample[])[];
    readonly encoded: StoredSamples;
    readonly dataset: Dataset;
    readonly indices: readonly number[];
    readonly tokenizer: ImageTokenizer;
    readonly action: string;
  },
): Promise<void> {
  const last = stored.flat().at(-1);
  if (!last) return;
  const refuse = (what: string) => {
    throw new DataError(`${folder} has token shards of another ${what} ${action}`);
  };
  const count = unchanged.shards.reduce((sum, { samples }) => sum + samples, 0);
  const position = count > 0 ? indices[count - 1]! : indices.findLast((at) => encoded.has(dataset.describe!(at)));
  if (position === undefined) {
    const keys = new Set(stored.flat().map(({ key }) => key));
    const described = indices.map((at) => dataset.describe!(at).key);
    // The images under these keys are others, or not known to be the same: all are encoded again.
    if (described.some((key) => keys.has(key))) return;
    return refuse(`dataset: its sample is ${last.key}, not ${described.at(-1)}.`);
  }
  const sample = await dataset.get(position);
  const { key, tokens } =
    count > 0
      ? (await readShard(folder, unchanged, unchanged.shards.length - 1, true)).sample(
          unchanged.shards.at(-1)!.samples - 1,
        )
      : { key: sample.key, tokens: (await encoded.find(dataset.describe!(position)))!.tokens };
  if (key !== sample.key) refuse(`dataset: its sample is ${key}, not ${sample.key}.`);
  const [grid] = await encode(tokenizer, [sample]);
  const equal = tokens.filter((token, place) => token === grid![place]).length;
  // Rounding differs between machines and may change a few tokens. Another tokenizer changes nearly all.
  if (equal < tokens.length / 2) refuse(`tokenizer: its tokens of ${sample.key} differ.`);
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

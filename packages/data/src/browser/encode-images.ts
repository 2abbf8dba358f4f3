import {
  abortSignal,
  callback,
  type ImageTokenizer,
  object,
  optional,
  type Progress,
  readOptions,
} from '@dalle-mini/core';
import { checkIndex, type Dataset } from '../dataset.js';
import { groupIndices } from '../sampler.js';
import type { TokenDataset } from '../token-shards/read.js';
import type { TokenSample } from '../token-shards/shard.js';

export interface EncodeImagesOptions {
  /** Cancels: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

const encodeFields = object<EncodeImagesOptions>({ signal: optional(abortSignal()), onProgress: optional(callback()) });

/** Images that are encoded at once. */
const batchSize = 8;

/**
 * Encodes the images of a dataset to grids of tokens, in memory: what a decoder is trained on. `writeTokenShards` is the same for large
 * datasets, in files.
 *
 * @throws OptionError if an image is not of the tokenizer's size; the signal's reason.
 */
export async function encodeImages(
  dataset: Dataset,
  tokenizer: ImageTokenizer,
  options: EncodeImagesOptions = {},
): Promise<TokenDataset> {
  const { signal, onProgress } = readOptions(encodeFields, options, 'encodeImages');
  const { length } = dataset;
  const samples: TokenSample[] = [];
  for (let first = 0; first < length; first += batchSize) {
    signal?.throwIfAborted();
    const indices = Array.from({ length: Math.min(batchSize, length - first) }, (_, i) => first + i);
    const batch = await Promise.all(indices.map((index) => dataset.get(index)));
    const grids = await tokenizer.encode(
      batch.map(({ image }) => image),
      { signal },
    );
    for (const [i, { image: _, ...sample }] of batch.entries()) samples.push({ ...sample, tokens: grids[i]! });
    onProgress?.({ stage: 'encode', done: samples.length, total: length, unit: 'samples' });
  }
  return {
    length,
    gridSize: tokenizer.gridSize,
    vocabularySize: tokenizer.vocabularySize,
    groups: async () => groupIndices(samples),
    async get(index) {
      checkIndex(index, length);
      return samples[index]!;
    },
  };
}

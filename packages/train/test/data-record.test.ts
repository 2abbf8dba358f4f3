import type { RgbImage } from '@dalle-mini/core';
import { openTokenShards, writeTokenShards } from '@dalle-mini/data';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { pictures, size } from '@dalle-mini/testing/tiny-training';
import { expect, test } from 'vitest';
import { recordOfTokens } from '../src/run/data-record.js';

test('a run remembers the samples of token shards, and of large datasets the shards', async () => {
  const folder = await temporaryFolder();
  const tokenizer = {
    imageSize: size,
    gridSize: 1,
    vocabularySize: 256,
    encode: async (images: readonly RgbImage[]) => images.map(({ data }) => Int32Array.of(data[0]!)),
    decode: async () => [],
    dispose: async () => undefined,
  };
  await writeTokenShards(pictures(5), tokenizer, folder, { shardSize: 2 });
  const dataset = await openTokenShards(folder);
  expect((await recordOfTokens(dataset)).samples).toHaveLength(5);
  const { length, samples } = await recordOfTokens(dataset, 5);
  expect(length).toBe(5);
  expect(samples!.map(({ key }) => key.replace(/^.*\//, ''))).toEqual(['shard-000000', 'shard-000001', 'shard-000002']);
  expect(new Set(samples!.map(({ fingerprint }) => fingerprint)).size).toBe(3);
});

import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImageTokenizer } from '@dalle-mini/core';
import { type Dataset, openTokenShards, type Sample, writeTokenShards } from '@dalle-mini/data';
import { contentOf, temporaryFolder } from '@dalle-mini/testing/folders';
import { describe, expect, test } from 'vitest';
import { hashOf } from '../src/content-hash.js';

/** An image file: its name, a number that it shows, and its captions. */
interface File {
  readonly key: string;
  readonly value: number;
  readonly captions: readonly string[];
  readonly group?: string;
}

const file = (value: number, change: Partial<File> = {}): File => ({
  key: `${value}.png`,
  value,
  captions: [`picture ${value}`],
  ...change,
});
const files = (...values: readonly number[]) => values.map((value) => file(value));

/** A dataset of files that are described, and read one after another into `read`. */
function datasetOf(all: readonly File[], skipped?: ReadonlySet<number>): Dataset<Sample> & { read: string[] } {
  const read: string[] = [];
  return {
    length: all.length,
    ...(skipped ? { skipped } : {}),
    read,
    async get(index) {
      const { key, value, captions, group } = all[index]!;
      read.push(key);
      return { key, captions, group, image: { width: 4, height: 4, data: new Uint8Array(48).fill(value) } };
    },
    describe(index) {
      const { key, value, captions, group } = all[index]!;
      return { key, image: hashOf(String(value)), captions: captions.map(hashOf), group };
    },
  };
}

/** Encodes an image by its first byte, and lists these bytes. */
function tokenizerOf(offset = 0): ImageTokenizer & { readonly encoded: number[] } {
  const encoded: number[] = [];
  return {
    imageSize: 4,
    gridSize: 2,
    vocabularySize: 16384,
    encoded,
    encode: async (images) => {
      const values = images.map(({ data }) => data[0]!);
      encoded.push(...values);
      return values.map((value) => Int32Array.from({ length: 4 }, (_, place) => 40 * value + place + offset));
    },
    decode: () => Promise.reject(new Error('unused')),
    dispose: async () => undefined,
  };
}

const options = { batchSize: 2, shardSize: 3 };

/** Writes shards, and returns the values of the images that were encoded. */
async function write(folder: string, dataset: Dataset<Sample>, tokenizer = tokenizerOf()): Promise<number[]> {
  await writeTokenShards(dataset, tokenizer, folder, options);
  return tokenizer.encoded;
}

/** Writes shards of some files into a new folder. */
async function written(all: readonly File[]): Promise<string> {
  const folder = await temporaryFolder();
  await write(folder, datasetOf(all));
  return folder;
}

const eight = files(1, 2, 3, 4, 5, 6, 7, 8);

describe('token shards of a dataset that has changed', () => {
  test.each<[string, readonly File[], number[]]>([
    ['added at the end', files(1, 2, 3, 4, 5, 6, 7, 8, 9, 10), [9, 10]],
    ['added at the beginning', files(0, 1, 2, 3, 4, 5, 6, 7, 8), [0]],
    ['removed', files(1, 2, 4, 5, 6, 8), []],
    ['changed', [...files(1, 2, 3), file(44, { key: '4.png' }), ...files(5, 6, 7, 8)], [44]],
    ['put into another order', files(8, 7, 6, 5, 4, 3, 2, 1), []],
    ['given other captions', [...files(1, 2), file(3, { captions: ['other', 'more'] }), ...files(4, 5, 6, 7, 8)], []],
    ['given a group', eight.map((one) => ({ ...one, group: 'a' })), []],
    ['removed and added', files(2, 9, 4, 5, 11, 6), [9, 11]],
  ])('are those of a new folder after samples were %s, and only new images are encoded', async (_, now, encoded) => {
    const folder = await written(eight);
    // One of the images is encoded to check the tokenizer.
    const [checked, ...rest] = await write(folder, datasetOf(now));
    expect(eight.map(({ value }) => value)).toContain(checked);
    expect(rest).toEqual(encoded);
    expect(await contentOf(folder)).toEqual(await contentOf(await written(now)));
    const dataset = await openTokenShards(folder);
    for (const [index, { key, value, captions, group }] of now.entries()) {
      expect(await dataset.get(index)).toEqual({
        key,
        captions,
        group,
        tokens: Int32Array.from([0, 1, 2, 3], (place) => 40 * value + place),
      });
    }
  });

  test('do not decode images that have not changed', async () => {
    const folder = await written(eight);
    const dataset = datasetOf(files(0, 1, 2, 3, 4, 5, 6, 7, 8));
    await write(folder, dataset);
    expect(dataset.read.sort()).toEqual(['0.png', '8.png']);
  });

  test('have no skipped samples, and get them when they are repaired', async () => {
    const folder = await temporaryFolder();
    await write(folder, datasetOf(eight, new Set([0, 6])));
    expect((await openTokenShards(folder)).length).toBe(6);
    expect((await write(folder, datasetOf(eight))).slice(1)).toEqual([1, 7]);
    expect(await contentOf(folder)).toEqual(await contentOf(await written(eight)));
  });

  test('end with the same bytes if they are stopped anywhere, whatever changes in between', async () => {
    const now = files(2, 3, 9, 5, 10, 6, 7, 11, 12, 8);
    const expected = await contentOf(await written(now));
    for (let stop = 1; stop <= 9; stop++) {
      const folder = await written(eight);
      const stopAt = async (all: readonly File[], done: number) => {
        const controller = new AbortController();
        const onProgress = (progress: { done: number }) => {
          if (progress.done >= done) controller.abort(new Error('stopped'));
        };
        const tokenizer = tokenizerOf();
        await writeTokenShards(datasetOf(all), tokenizer, folder, {
          ...options,
          signal: controller.signal,
          onProgress,
        }).catch((error: Error) => expect(error.message).toBe('stopped'));
        return tokenizer.encoded;
      };
      const encoded = [...(await stopAt(now, stop)), ...(await stopAt(files(3, 4, 12, 13), 2))];
      await expect(openTokenShards(folder)).rejects.toThrow(/not finished/);
      encoded.push(...(await write(folder, datasetOf(now))));
      expect(await contentOf(folder), `stopped at ${stop}`).toEqual(expected);
      // Three checks of the tokenizer, and at most one shard that was not whole yet each time.
      const again = encoded.filter((value) => value > 8).length - new Set(encoded.filter((value) => value > 8)).size;
      expect(again).toBeLessThan(6);
    }
  });

  test('are refused if no sample is the same, or the tokenizer is another one', async () => {
    const folder = await written(eight);
    const before = await contentOf(folder);
    await expect(write(folder, datasetOf(files(20, 21)))).rejects.toThrow(
      /of another dataset: its sample is 8\.png, not 21\.png\. Choose another folder/,
    );
    await expect(write(folder, datasetOf(files(2, 3)), tokenizerOf(9))).rejects.toThrow(
      /of another tokenizer: its tokens of 3\.png differ/,
    );
    expect(await contentOf(folder)).toEqual(before);
  });

  test('are encoded again if an older version has written them', async () => {
    const folder = await temporaryFolder();
    const { describe: _, ...plain } = datasetOf(eight);
    await write(folder, plain);
    expect((await readFile(join(folder, 'shard-000000.jsonl'), 'utf8')).includes('image')).toBe(false);
    // Unchanged, as far as it is known.
    expect(await write(folder, datasetOf(eight))).toEqual([8]);
    const now = files(2, 3, 4, 5, 6, 7, 8);
    expect(await write(folder, datasetOf(now))).toEqual([2, 3, 4, 5, 6, 7, 8]);
    expect(await contentOf(folder)).toEqual(await contentOf(await written(now)));
  });

  test('leave nothing behind, and other files alone', async () => {
    const folder = await written(eight);
    await writeFile(join(folder, 'earlier.txt'), 'mine');
    await write(folder, datasetOf(files(1)));
    expect((await readdir(folder)).sort()).toContain('earlier.txt');
    expect((await readdir(folder)).filter((name) => /earlier-|partial|tmp/.test(name))).toEqual([]);
  });
});

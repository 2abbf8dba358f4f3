import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ImageTokenizer, OptionError, type RgbImage } from '@dalle-mini/core';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { describe, expect, test } from 'vitest';
import type { Dataset, Sample } from '../src/dataset.js';
import { openTokenShards } from '../src/token-shards/read.js';
import { writeTokenShards } from '../src/token-shards/write.js';

const gridSize = 2;

/** Encodes an image by its first byte: tokens `seed, seed + 1, …`. */
function fakeTokenizer(
  options: { vocabularySize?: number; offset?: number } = {},
): ImageTokenizer & { encoded: number } {
  const { vocabularySize = 16384, offset = 0 } = options;
  return {
    imageSize: 4,
    gridSize,
    vocabularySize,
    encoded: 0,
    async encode(images: readonly RgbImage[]) {
      this.encoded += images.length;
      return images.map(({ data }) =>
        Int32Array.from({ length: gridSize ** 2 }, (_, place) => data[0]! * 40 + offset + place),
      );
    },
    decode: () => Promise.reject(new Error('unused')),
    dispose: () => Promise.resolve(),
  };
}

function fakeDataset(length: number, imageSize = 4): Dataset<Sample> {
  return {
    length,
    async get(index) {
      const data = new Uint8Array(imageSize ** 2 * 3).fill(index);
      const image = { width: imageSize, height: imageSize, data };
      return { key: `sample-${index}`, image, captions: [`caption ${index}`, 'ünïcode ✓'], group: `g${index % 3}` };
    },
  };
}

const expectedTokens = (index: number) => Int32Array.from({ length: 4 }, (_, place) => index * 40 + place);

describe('token shards', () => {
  test('return the encoded samples, in any order', async () => {
    const folder = await temporaryFolder();
    const progress: number[] = [];
    await writeTokenShards(fakeDataset(10), fakeTokenizer(), folder, {
      batchSize: 3,
      shardSize: 4,
      onProgress: ({ done }) => progress.push(done),
    });
    expect(progress).toEqual([3, 4, 7, 8, 10]);
    const dataset = await openTokenShards(folder);
    expect([dataset.length, dataset.gridSize, dataset.vocabularySize]).toEqual([10, 2, 16384]);
    for (const index of [9, 0, 5, 3, 4]) {
      expect(await dataset.get(index)).toEqual({
        key: `sample-${index}`,
        tokens: expectedTokens(index),
        captions: [`caption ${index}`, 'ünïcode ✓'],
        group: `g${index % 3}`,
      });
    }
    expect(await dataset.groups()).toEqual([
      [0, 3, 6, 9],
      [1, 4, 7],
      [2, 5, 8],
    ]);
    await expect(dataset.get(10)).rejects.toThrow(OptionError);
  });

  test('store a token in two bytes, little-endian, or in four if the vocabulary needs them', async () => {
    for (const [vocabularySize, bytes] of [
      [2 ** 16, [40, 0, 41, 0]],
      [2 ** 16 + 1, [40, 0, 0, 0, 41, 0, 0, 0]],
    ] as const) {
      const folder = await temporaryFolder();
      await writeTokenShards(fakeDataset(2), fakeTokenizer({ vocabularySize }), folder);
      const file = await readFile(join(folder, 'shard-000000.tokens'));
      expect([...file.subarray(file.length / 2, file.length / 2 + bytes.length)]).toEqual(bytes);
      expect((await (await openTokenShards(folder)).get(1)).tokens).toEqual(expectedTokens(1));
    }
  });

  test('read every sample with a small cache', async () => {
    const folder = await temporaryFolder();
    await writeTokenShards(fakeDataset(12), fakeTokenizer(), folder, { shardSize: 2 });
    const dataset = await openTokenShards(folder, { cacheBytes: 1 });
    const order = [0, 11, 1, 10, 5, 0, 7, 11, 3];
    const samples = await Promise.all(order.map((index) => dataset.get(index)));
    expect(samples.map(({ key }) => key)).toEqual(order.map((index) => `sample-${index}`));
  });

  test('are continued after the last whole shard of a stopped run', async () => {
    const folder = await temporaryFolder();
    const controller = new AbortController();
    const stopped = writeTokenShards(fakeDataset(10), fakeTokenizer(), folder, {
      batchSize: 2,
      shardSize: 4,
      signal: controller.signal,
      onProgress: ({ done }) => done === 6 && controller.abort(new Error('stopped by the test')),
    });
    await expect(stopped).rejects.toThrow('stopped by the test');
    await expect(openTokenShards(folder)).rejects.toThrow(/not finished\. Call writeTokenShards again/);

    const tokenizer = fakeTokenizer();
    await writeTokenShards(fakeDataset(10), tokenizer, folder, { batchSize: 2, shardSize: 4 });
    // Six samples were missing; one more is encoded to check that the tokenizer is the same.
    expect(tokenizer.encoded).toBe(7);
    const dataset = await openTokenShards(folder);
    for (let index = 0; index < 10; index++) expect((await dataset.get(index)).tokens).toEqual(expectedTokens(index));
    expect((await readdir(folder)).filter((name) => /tmp|partial/.test(name))).toEqual([]);
  });

  test('ignore half-written files of a killed run', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'shard-000000.tokens'), 'half');
    await writeFile(join(folder, 'shard-000000.tokens.1234.tmp'), 'half');
    await writeTokenShards(fakeDataset(3), fakeTokenizer(), folder);
    expect((await (await openTokenShards(folder)).get(2)).tokens).toEqual(expectedTokens(2));
  });

  test('are not encoded again in a finished folder', async () => {
    const folder = await temporaryFolder();
    await writeTokenShards(fakeDataset(5), fakeTokenizer(), folder);
    const tokenizer = fakeTokenizer();
    await writeTokenShards(fakeDataset(5), tokenizer, folder);
    expect(tokenizer.encoded).toBe(1);
  });

  test('are not mixed with another dataset, another tokenizer or other options', async () => {
    const folder = await temporaryFolder();
    await writeTokenShards(fakeDataset(5), fakeTokenizer(), folder, { shardSize: 4 });
    const again = (dataset: Dataset<Sample>, tokenizer: ImageTokenizer, shardSize = 4) =>
      writeTokenShards(dataset, tokenizer, folder, { shardSize });
    await expect(again(fakeDataset(6), fakeTokenizer())).rejects.toThrow(/length must be 5 as in .*, not 6\..*delete/);
    await expect(again(fakeDataset(5), fakeTokenizer(), 2)).rejects.toThrow(/shardSize must be 4 as in .*, not 2\./);
    await expect(again(fakeDataset(5), fakeTokenizer({ offset: 9 }))).rejects.toThrow(/of another tokenizer/);
    const renamed: Dataset<Sample> = {
      length: 5,
      get: async (index) => ({ ...(await fakeDataset(5).get(index)), key: `other-${index}` }),
    };
    await expect(again(renamed, fakeTokenizer())).rejects.toThrow(
      /of another dataset: its sample is sample-4, not other-4/,
    );
  });

  test.each(['shard-000001.tokens', 'shard-000001.jsonl'])('are refused if a bit of %s has changed', async (name) => {
    const folder = await temporaryFolder();
    await writeTokenShards(fakeDataset(6), fakeTokenizer(), folder, { shardSize: 3 });
    const bytes = await readFile(join(folder, name));
    bytes[2]! ^= 1;
    await writeFile(join(folder, name), bytes);
    const dataset = await openTokenShards(folder);
    expect((await dataset.get(2)).key).toBe('sample-2');
    await expect(dataset.get(3)).rejects.toThrow(`${name} is damaged`);
    await rm(join(folder, name));
    await expect(dataset.get(3)).rejects.toThrow(/there is no such file/);
  });

  test('are refused for wrong sizes, wrong tokens and empty folders', async () => {
    const folder = await temporaryFolder();
    await expect(writeTokenShards(fakeDataset(2, 8), fakeTokenizer(), folder)).rejects.toThrow(
      /sample-0 must be 4×4 pixels, not 8×8\. Open the dataset with imageSize 4/,
    );
    await expect(writeTokenShards(fakeDataset(2), fakeTokenizer({ vocabularySize: 42 }), folder)).rejects.toThrow(
      /sample-1 must be 4 from 0 to 41, not 4 with 42 among them/,
    );
    await expect(writeTokenShards(fakeDataset(0), fakeTokenizer(), folder)).rejects.toThrow(
      'The dataset must have at least 1 sample, not 0.',
    );
    await expect(openTokenShards(join(folder, 'none'))).rejects.toThrow(/has no token shards/);
    await writeFile(join(folder, 'index.json'), '{"format": "something else"}');
    await expect(openTokenShards(folder)).rejects.toThrow(
      /index\.json: format must be "dalle-mini-token-shards", not "something else"\. Delete the folder/,
    );
  });

  test('are not written for images without captions', async () => {
    const folder = await temporaryFolder();
    const silent: Dataset<Sample> = {
      length: 1,
      get: async (index) => ({ ...(await fakeDataset(1).get(index)), captions: [] }),
    };
    await expect(writeTokenShards(silent, fakeTokenizer(), folder)).rejects.toThrow(
      'The image sample-0 must have at least one caption, not none.',
    );
    expect(await readdir(folder)).toEqual([]);
  });
});

type Json = Record<string, unknown>;

describe('a damaged index of token shards', () => {
  /** Writes five samples in two shards, then changes their index. */
  async function damaged(change: (index: Json, shards: Json[]) => void, vocabularySize = 16384): Promise<string> {
    const folder = await temporaryFolder();
    await writeTokenShards(fakeDataset(5), fakeTokenizer({ vocabularySize }), folder, { shardSize: 4 });
    const path = join(folder, 'index.json');
    const index = JSON.parse(await readFile(path, 'utf8')) as Json;
    change(index, index.shards as Json[]);
    await writeFile(path, JSON.stringify(index));
    return folder;
  }

  test.each([
    ['gridSize', [0, -2, 2.5, '2', null, [2], undefined, 513, 1e300]],
    ['vocabularySize', [0, -1, 1.5, '16384', null, 2 ** 32]],
    ['tokenType', ['uint8', 'constructor', 2, ['uint16'], undefined]],
    ['length', [-5, 4.5, '5', null, 1e300, undefined]],
    ['shardSize', [0, -4, 0.5, '4', null, 2 ** 53]],
    ['shards', ['two', { length: 2 }, null, undefined]],
  ])('is refused for a wrong %s', async (field, values) => {
    for (const value of values) {
      const folder = await damaged((index) => {
        index[field] = value;
      });
      await expect(openTokenShards(folder), String(value)).rejects.toThrow(
        new RegExp(`index\\.json: ${field} (must be .*, not .*|is missing; it must be .*)\\. Delete the folder`),
      );
    }
  });

  test.each([
    ['name', ['../s', '/etc/passwd', '..\\s', 'C:s', 'shard-000001', '', ['shard-000000'], undefined]],
    ['samples', [1e8, 3, -4, 4.5, '4', null, undefined]],
    ['tokensSha256', ['', 'F'.repeat(64), ['0'.repeat(64)], undefined]],
    ['captionsSha256', ['', `${'0'.repeat(64)}\n`, 0, undefined]],
  ])('is refused for a wrong %s of a shard', async (field, values) => {
    for (const value of values) {
      const folder = await damaged((_, shards) => {
        shards[0]![field] = value;
      });
      await expect(openTokenShards(folder), String(value)).rejects.toThrow(
        new RegExp(
          `index\\.json: shards\\[0\\]\\.${field} (must be .*, not .*|is missing; it must be .*)\\. Delete the folder`,
        ),
      );
    }
  });

  test('is refused for too few or too many shards, and for shards that are not objects', async () => {
    const short = await damaged((_, shards) => shards.pop());
    await expect(openTokenShards(short)).rejects.toThrow(/index\.json: shards must be a list of 2, not of 1\./);
    const long = await damaged((_, shards) => shards.push(shards[1]!));
    await expect(openTokenShards(long)).rejects.toThrow(
      /index\.json: shards must be a list of at most 2, not a list of 3\./,
    );
    const odd = await damaged((index) => {
      index.shards = [null, [[['x']]]];
    });
    await expect(openTokenShards(odd)).rejects.toThrow(/index\.json: shards\[0\] must be an object, not null/);
  });

  test('is refused with a short message if it is not a JSON object', async () => {
    const folder = await temporaryFolder();
    for (const text of ['', '{', '[]', '7', '"x"', 'null', '['.repeat(1e6), `{"format": "${'x'.repeat(1e6)}"}`]) {
      await writeFile(join(folder, 'index.json'), text);
      const error = await openTokenShards(folder).catch((reason: Error) => reason);
      expect(error, text.slice(0, 9)).toBeInstanceOf(Error);
      expect((error as Error).message).toMatch(/index\.json.* must be .*Delete the folder/);
      expect((error as Error).message.length).toBeLessThan(400);
    }
    await rm(join(folder, 'index.json'));
    await mkdir(join(folder, 'index.json'));
    await expect(openTokenShards(folder)).rejects.toThrow(/index\.json: it is a folder/);
  });

  test('allocates no memory for samples that the files do not have', async () => {
    const folder = await damaged((index, shards) => {
      index.length = 1e12;
      index.shardSize = 1e12;
      shards[0]!.samples = 1e12;
      shards.pop();
    });
    const dataset = await openTokenShards(folder);
    const before = process.memoryUsage().arrayBuffers;
    await expect(dataset.get(0)).rejects.toThrow(/shard-000000\.tokens must have 8000000000000 bytes, not 32\./);
    await expect(dataset.groups()).rejects.toThrow(/shard-000000\.tokens must have/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1e6);
  });

  test('is refused on reading if a token is not below the vocabulary size', async () => {
    for (const written of [16384, 2 ** 16 + 1]) {
      const folder = await damaged((index) => {
        index.vocabularySize = 42;
      }, written);
      await expect((await openTokenShards(folder)).get(0)).rejects.toThrow(
        /^Token 6 of .*shard-000000\.tokens must be below the vocabulary size 42, not 42\. Delete the folder/,
      );
    }
  });

  test('is not continued with tokens of another type', async () => {
    const folder = await damaged((index) => {
      index.tokenType = 'uint32';
    });
    const again = writeTokenShards(fakeDataset(5), fakeTokenizer(), folder, { shardSize: 4 });
    await expect(again).rejects.toThrow(/tokenType must be uint32 as in .*, not uint16\./);
  });
});

describe('the captions of a token shard', () => {
  /** Writes a shard of three samples, then gives it other captions, with their SHA-256. */
  async function captioned(text: string) {
    const folder = await temporaryFolder();
    await writeTokenShards(fakeDataset(3), fakeTokenizer(), folder);
    const path = join(folder, 'index.json');
    const index = JSON.parse(await readFile(path, 'utf8')) as { shards: Json[] };
    index.shards[0]!.captionsSha256 = createHash('sha256').update(text).digest('hex');
    await writeFile(path, JSON.stringify(index));
    await writeFile(join(folder, 'shard-000000.jsonl'), text);
    return openTokenShards(folder);
  }
  const line = '{"key": "a", "captions": ["x"]}\n';

  test.each([
    ['0', ''],
    ['2', line.repeat(2)],
    ['more', line.repeat(4)],
    ['2', line.repeat(3).trimEnd()],
    ['more', `${line.repeat(3)} `],
  ])('must have three lines for three samples, not %s', async (lines, text) => {
    const dataset = await captioned(text);
    const message = new RegExp(`shard-000000\\.jsonl must have 3 lines, not ${lines}\\.`);
    await expect(dataset.get(0)).rejects.toThrow(message);
    await expect(dataset.groups()).rejects.toThrow(message);
  });

  test.each([
    ['', 'the text must be JSON, and is not'],
    ['null', 'the text must be a JSON object, not null'],
    ['[]', 'the text must be a JSON object, not []'],
    ['{"captions": ["x"]}', 'key is missing; it must be a string'],
    ['{"key": 7, "captions": ["x"]}', 'key must be a string, not 7'],
    ['{"key": "a"}', 'captions is missing; it must be a list'],
    ['{"key": "a", "captions": "x"}', 'values, not "x"'],
    ['{"key": "a", "captions": []}', 'captions must be a list of 1 to 1000000 values, not []'],
    ['{"key": "a", "captions": [["x"]]}', 'captions[0] must be a string, not ["x"]'],
    ['{"key": "a", "captions": ["x"], "group": 3}', 'group must be a string, not 3'],
  ])('must not be %s', async (content, message) => {
    const dataset = await captioned(`${line}${content}\n${line}`);
    expect((await dataset.get(2)).captions).toEqual(['x']);
    await expect(dataset.get(1)).rejects.toThrow(
      expect.objectContaining({ message: expect.stringContaining(message) }),
    );
    await expect(dataset.groups()).rejects.toThrow(/shard-000000\.jsonl, line 2/);
  });
});

import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type ImageRanker, type ImageTokenizer, OptionError, type TextEncoder } from '@dalle-mini/core';
import { createSampler, DataError, openTokenShards, openWebDataset } from '@dalle-mini/data';
import { encodeArchives, type PrepareSettings, prepare } from '@dalle-mini/prepare';
import { contentOf, temporaryFolder } from '@dalle-mini/testing/folders';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { HostileServer } from './hostile-server.js';
import { S3Server } from './s3-server.js';

/** Tokens are the brightness of 2 × 2 pixels. */
function brightness(vocabularySize = 256): ImageTokenizer & { encoded: number } {
  return {
    imageSize: 2,
    gridSize: 2,
    vocabularySize,
    encoded: 0,
    async encode(images) {
      this.encoded += images.length;
      return images.map(({ data }) => Int32Array.from({ length: 4 }, (_, i) => data[i * 3]! % vocabularySize));
    },
    decode: () => Promise.reject(new Error('is not needed')),
    dispose: async () => undefined,
  };
}

let folder: string;
let shards: string;
beforeAll(async () => {
  await using server = await HostileServer.start();
  folder = await temporaryFolder();
  const list = join(folder, 'list.tsv');
  shards = join(folder, 'shards');
  const paths = ['photo/0', 'photo/1', 'missing', 'photo/3', 'photo/4', 'photo/5', 'photo/6'];
  await writeFile(list, paths.map((path, i) => `${server.url(path)}\tcaption ${i}\n`).join(''));
  const download = { allowedAddresses: ['127.0.0.1/32'], retries: 0 };
  const settings: PrepareSettings = { preset: 'cc12m', lists: [list], out: shards, shardSize: 3, download };
  await prepare(settings);
});
afterAll(() => vi.unstubAllEnvs());

const captionsIn = async (tokens: string | readonly string[]) => {
  const dataset = await openTokenShards(tokens);
  const samples = await Promise.all(Array.from({ length: dataset.length }, (_, i) => dataset.get(i)));
  return samples.map(({ captions }) => captions[0]);
};

it('writes token shards of archives, which openTokenShards joins in order', async () => {
  const out = join(await temporaryFolder(), 'tokens');
  const tokenizer = brightness();
  const seen: unknown[] = [];
  await encodeArchives(shards, tokenizer, out, {
    batchSize: 2,
    onProgress: ({ archives }) => seen.push(archives.done),
  });
  const tokens = await openTokenShards(out);
  expect(tokens.shardLengths).toEqual([2, 3, 1]);
  const images = await openWebDataset(shards, { imageSize: 2 });
  for (let i = 0; i < 6; i++) {
    const { key, captions, image } = await images.get(i);
    const [expected] = await brightness().encode([image]);
    expect(await tokens.get(i)).toMatchObject({ key, captions, tokens: expected });
  }
  expect(seen).toEqual([0, 1, 1, 2]);
  expect(createSampler({ shards: tokens.shardLengths, seed: 1 }).epochLength).toBe(6);
  await encodeArchives(shards, tokenizer, out);
  // Nothing is encoded again.
  expect(tokenizer.encoded).toBe(6);
});

it('is not finished until the shares of all machines are', async () => {
  const out = join(await temporaryFolder(), 'tokens');
  await encodeArchives(shards, brightness(), out, { share: { rank: 1, count: 2 } });
  await expect(openTokenShards(out)).rejects.toThrow(/00000 has no token shards/);
  expect(await captionsIn(join(out, '00001'))).toEqual(['caption 3', 'caption 4', 'caption 5']);
  await encodeArchives(shards, brightness(), out, { share: { rank: 0, count: 2 } });
  expect(await captionsIn(out)).toEqual([0, 1, 3, 4, 5, 6].map((i) => `caption ${i}`));
});

it('continues after it was stopped', async () => {
  const out = join(await temporaryFolder(), 'tokens');
  const stop = new AbortController();
  const stopping = encodeArchives(shards, brightness(), out, {
    signal: stop.signal,
    onProgress: ({ archives }) => archives.done === 1 && stop.abort(new Error('enough')),
  });
  await expect(stopping).rejects.toThrow('enough');
  const tokenizer = brightness();
  await encodeArchives(shards, tokenizer, out);
  expect(tokenizer.encoded).toBeLessThanOrEqual(4);
  expect(await captionsIn(out)).toHaveLength(6);
});

/** Scores an image by the number in its caption. */
const byNumber: ImageRanker = {
  rank: async (caption, images) => Float32Array.from(images, () => Number(caption.split(' ')[1])),
  dispose: async () => undefined,
};

it('stores scores, and leaves out images with lower ones, up to whole archives', async () => {
  const out = join(await temporaryFolder(), 'tokens');
  const tokenizer = brightness();
  const stages = new Set<string>();
  const options = { ranker: byNumber, minScore: 4 };
  await encodeArchives(shards, tokenizer, out, { ...options, onProgress: ({ stage }) => stages.add(stage) });
  expect(tokenizer.encoded).toBe(3);
  expect([...stages]).toEqual(['score', 'encode']);
  const tokens = await openTokenShards(out);
  expect(tokens.shardLengths).toEqual([2, 1]);
  expect(await Promise.all([0, 1, 2].map(async (i) => (await tokens.get(i)).score))).toEqual([4, 5, 6]);
  // An archive without images is finished too.
  await encodeArchives(shards, tokenizer, out, options);
  expect(tokenizer.encoded).toBe(3);
  await expect(encodeArchives(shards, tokenizer, out, { ...options, minScore: 5 })).rejects.toThrow(
    /minScore must be 4, as for the archives in .*archives.json, not 5/,
  );
  await expect(encodeArchives(shards, tokenizer, out)).rejects.toThrow(/minScore must be 4, .* not left out/);
});

it('refuses a smallest score without a ranker, and one that no image has', async () => {
  const out = join(await temporaryFolder(), 'tokens');
  await expect(encodeArchives(shards, brightness(), out, { minScore: 4 })).rejects.toThrow(OptionError);
  await encodeArchives(shards, brightness(), out, { ranker: byNumber, minScore: 7 });
  await expect(openTokenShards(out)).rejects.toThrow(/tokens must have at least one sample, not none/);
});

it('reads archives from a web server and from a bucket, by patterns', async () => {
  const expected = [0, 1, 3, 4, 5, 6].map((i) => `caption ${i}`);
  let failures = 1;
  const web = createServer(async (request, response) => {
    if (request.url === '/data/00001.tar' && failures-- > 0)
      return response.writeHead(200, { 'content-length': 9000 }).write('x', () => response.destroy());
    return response.end(await readFile(join(shards, request.url!.slice('/data/'.length))));
  });
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(web.address() as AddressInfo).port}/data/{00000..00002}.tar`;
  const out = await temporaryFolder();
  await encodeArchives(address, brightness(), join(out, 'web'));
  web.close();
  expect(await captionsIn(join(out, 'web'))).toEqual(expected);

  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test-key');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test-secret');
  await using bucket = await S3Server.start();
  for (const name of ['00000.tar', '00001.tar', '00002.tar'])
    bucket.objects.set(`cc/${name}`, await readFile(join(shards, name)));
  const s3 = { endpoint: bucket.endpoint };
  await encodeArchives('s3://bucket/cc', brightness(), join(out, 's3'), { s3 });
  expect(await captionsIn(join(out, 's3'))).toEqual(expected);
  await encodeArchives('s3://bucket/cc/0000{1..2}.tar', brightness(), join(out, 'some'), { s3 });
  expect(await captionsIn([join(out, 'some'), join(out, 's3', '00000')])).toEqual([
    ...expected.slice(2),
    ...expected.slice(0, 2),
  ]);
  await expect(encodeArchives('s3://bucket/none.tar', brightness(), join(out, 'none'), { s3 })).rejects.toThrow(
    /Cannot download s3:\/\/bucket\/none.tar: .*status 404/,
  );
});

/** A hidden state for each letter of a caption. */
const letters = (version = '0'): TextEncoder & { encoded: number } => ({
  width: 2,
  maxLength: 20,
  encoded: 0,
  fingerprint: async () => version.repeat(64),
  async encode(captions) {
    this.encoded += captions.length;
    const batch = captions.length;
    const hiddenStates = new Float32Array(batch * 40);
    const attentionMask = new Int32Array(batch * 20);
    for (const [i, caption] of captions.entries())
      for (const [place, letter] of [...`^${caption}`].entries()) {
        hiddenStates[i * 40 + place * 2] = letter.charCodeAt(0);
        attentionMask[i * 20 + place] = 1;
      }
    return { hiddenStates, attentionMask, batch, length: 20, width: 2 };
  },
  dispose: async () => undefined,
});

it('stores hidden states of captions, also of archives that are encoded already, without reading these again', async () => {
  const out = join(await temporaryFolder(), 'tokens');
  await encodeArchives(shards, brightness(), out, { share: { rank: 0, count: 2 } });
  const before = await contentOf(join(out, '00000'));
  const [tokenizer, textEncoder] = [brightness(), letters()];
  await encodeArchives(shards, tokenizer, out, { textEncoder, textEncoderName: 'letters' });
  expect(tokenizer.encoded).toBe(3);
  const { hiddenStates } = await openTokenShards(out);
  expect(hiddenStates!.encoder).toMatchObject({ name: 'letters', maxLength: 20 });
  const { hiddenStates: found } = await hiddenStates!.get(2, 'caption 3');
  expect([...found].filter((_, i) => i % 2 === 0)).toEqual([...'^caption 3'].map((letter) => letter.charCodeAt(0)));
  expect(await contentOf(join(out, '00000'))).toMatchObject(before);
  // Each shard has the empty caption.
  expect(textEncoder.encoded).toBe(6 + 3);
  await encodeArchives(shards, tokenizer, out, { textEncoder });
  expect([tokenizer.encoded, textEncoder.encoded]).toEqual([3, 9]);
  await expect(encodeArchives(shards, tokenizer, out, { textEncoder: letters('1') })).rejects.toThrow(
    /00000 has hidden states of letters .*, not of/,
  );
});

it('leaves an archive whole or not at all when it is stopped among its captions', async () => {
  const out = join(await temporaryFolder(), 'tokens');
  const stop = new AbortController();
  const textEncoder = letters();
  const stopping = encodeArchives(shards, brightness(), out, {
    textEncoder,
    signal: stop.signal,
    // After the last image, and before the first caption.
    onProgress: ({ stage, done, total, archives }) =>
      stage === 'encode' && done === total && archives.done === 1 && stop.abort(new Error('enough')),
  });
  await expect(stopping).rejects.toThrow('enough');
  expect((await readdir(out)).sort()).toEqual(['00000', 'archives.json']);
  await encodeArchives(shards, brightness(), out, { textEncoder });
  const whole = join(await temporaryFolder(), 'tokens');
  await encodeArchives(shards, brightness(), whole, { textEncoder });
  for (const name of ['00000', '00001', '00002'])
    expect(await contentOf(join(out, name))).toEqual(await contentOf(join(whole, name)));
});

it('refuses other archives, another tokenizer, and sources without archives', async () => {
  const out = join(await temporaryFolder(), 'tokens');
  await encodeArchives(join(shards, '00000.tar'), brightness(), out);
  await expect(encodeArchives(shards, brightness(), out)).rejects.toThrow(
    /must have the archives 00000 to 00002 \(3\), not 00000 to 00000 \(1\)/,
  );
  await expect(encodeArchives(folder, brightness(), join(out, 'x'))).rejects.toThrow(DataError);
  await expect(encodeArchives(folder, brightness(), join(out, 'x'))).rejects.toThrow(/must have archives/);
  const other = join(await temporaryFolder(), 'other');
  await encodeArchives(join(shards, '00001.tar'), brightness(128), other);
  await expect(openTokenShards([out, other])).rejects.toThrow(/vocabularySize of the token shards .* must be 256/);
  await rm(join(out, '00000', 'index.json'));
  await expect(openTokenShards(out)).rejects.toThrow(/has no token shards/);
});

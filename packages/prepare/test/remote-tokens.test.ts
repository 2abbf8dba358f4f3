import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, relative } from 'node:path';
import type { ImageTokenizer } from '@dalle-mini/core';
import {
  createSampler,
  isAddress,
  openTokenShards,
  s3Access,
  subset,
  writeArchiveNames,
  writeTokenShards,
} from '@dalle-mini/data';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { S3Server } from './s3-server.js';

/** Tokens of two archives in a folder, and of one of them alone. */
let folder: string;

const tokenizer: ImageTokenizer = {
  imageSize: 16,
  gridSize: 2,
  vocabularySize: 256,
  encode: async (images) => images.map(({ data }) => Int32Array.from([data[0]!, data[3]!, data[6]!, data[9]!])),
  decode: () => Promise.reject(new Error('unused')),
  dispose: async () => undefined,
};

beforeAll(async () => {
  folder = await temporaryFolder();
  await writeArchiveNames(folder, ['00000', '00001']);
  const image = (index: number) => ({ width: 16, height: 16, data: new Uint8Array(768).fill(index) });
  const samples = {
    length: 7,
    get: async (index: number) => ({ key: String(index), image: image(index), captions: [`caption ${index} – é`] }),
  };
  await writeTokenShards(subset(samples, [0, 1, 2]), tokenizer, join(folder, '00000'), { shardSize: 2 });
  await writeTokenShards(subset(samples, [3, 4, 5, 6]), tokenizer, join(folder, '00001'), { shardSize: 2 });
});
afterEach(() => vi.unstubAllEnvs());

/** The files of the folder, by their path in it. */
async function files(): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) found.set(relative(folder, path), await readFile(path));
  }
  return found;
}

/** Serves the files, each first with status 503. */
async function webServer() {
  const content = await files();
  const visits: string[] = [];
  const server = createServer(({ url }, response) => {
    const path = url!.replace(/^\/tokens\//, '');
    visits.push(path);
    const bytes = content.get(path);
    if (bytes === undefined) response.writeHead(404).end();
    else if (path.endsWith('.tokens') && visits.indexOf(path) === visits.length - 1) response.writeHead(503).end();
    else response.end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/tokens`;
  return {
    address,
    visits,
    content,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => void server.close(() => resolve())),
  };
}

/** All samples in the order of an epoch, from a position on. */
async function epochOf(place: string | readonly string[], start = 0) {
  const dataset = await openTokenShards(place);
  const order = createSampler({ shards: dataset.shardLengths, shuffleShards: 2, seed: 3 });
  return Promise.all(Array.from({ length: dataset.length - start }, (_, i) => dataset.get(order.at(start + i))));
}

describe('token shards of a web server or a bucket', () => {
  it('are the same samples in the same order as those of a folder, from any position on', async () => {
    const server = await webServer();
    try {
      const local = await epochOf(folder);
      expect(await epochOf(`${server.address}/`)).toEqual(local);
      expect(await epochOf(server.address, 5)).toEqual(local.slice(5));
      expect(new Set(local.map(({ key }) => key)).size).toBe(7);
      const pattern = await openTokenShards(`${server.address}/{00000..00001}`);
      expect(pattern.shardLengths).toEqual([2, 1, 2, 2]);
      expect(pattern.describeShards()).toEqual((await openTokenShards(folder)).describeShards());
    } finally {
      await server[Symbol.asyncDispose]();
    }
  });

  it('are downloaded when they are needed, and checked', async () => {
    const server = await webServer();
    try {
      const dataset = await openTokenShards(server.address);
      expect(server.visits.filter((path) => path.includes('shard-'))).toEqual([]);
      await dataset.get(0);
      const shards = new Set(server.visits.filter((path) => path.includes('shard-')));
      expect([...shards].sort()).toEqual(['00000/shard-000000.jsonl', '00000/shard-000000.tokens']);
      server.content.set('00001/shard-000000.tokens', Buffer.alloc(16));
      await expect(dataset.get(3)).rejects.toThrow(/http.*00001\/shard-000000.tokens is damaged/);
      server.content.delete('00001/shard-000001.jsonl');
      await expect(dataset.get(6)).rejects.toThrow(/shard-000001.jsonl: status 404, it is missing. Check the address/);
      await expect(openTokenShards(`${server.address}/none`)).rejects.toThrow(/none has no token shards/);
    } finally {
      await server[Symbol.asyncDispose]();
    }
  });

  it('are read from a bucket with signed requests', async () => {
    const server = await S3Server.start();
    vi.stubEnv('AWS_ENDPOINT_URL', `${server.endpoint}/`);
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'test-key');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test-secret');
    try {
      expect(s3Access().endpoint).toBe(server.endpoint);
      for (const [name, bytes] of await files()) server.objects.set(`set/${name}`, bytes);
      expect(isAddress('s3://bucket/set')).toBe(true);
      expect(await epochOf('s3://bucket/set')).toEqual(await epochOf(folder));
    } finally {
      await server[Symbol.asyncDispose]();
    }
  });
});

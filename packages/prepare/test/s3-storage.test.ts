import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type PrepareSettings, prepare, StorageError } from '@dalle-mini/prepare';
import { contentOf, temporaryFolder } from '@dalle-mini/testing/folders';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { S3Storage } from '../src/shards/s3-storage.js';
import { HostileServer } from './hostile-server.js';
import { S3Server } from './s3-server.js';

let s3: S3Server;
beforeEach(async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test-key');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test-secret');
  s3 = await S3Server.start();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await s3[Symbol.asyncDispose]();
});

it('writes the same shards to a bucket as to a folder, and continues there', async () => {
  await using server = await HostileServer.start();
  const folder = await temporaryFolder();
  const list = join(folder, 'list.tsv');
  const rows = Array.from({ length: 10 }, (_, i) => `${server.url(`photo/${i}`)}\tcaption ${i}\n`);
  await writeFile(list, rows.join(''));
  const download = { allowedAddresses: ['127.0.0.1/32'], retries: 0 };
  const settings: PrepareSettings = {
    preset: 'cc12m',
    lists: [list],
    out: join(folder, 'out'),
    shardSize: 4,
    download,
  };
  await prepare(settings);
  server.visits.clear();
  server.down.add('photo/9');
  const remote = { ...settings, out: 's3://bucket/data/cc12m', s3: { endpoint: s3.endpoint } };
  expect(await prepare(remote)).toMatchObject({ shards: { total: 3, written: 3 }, successes: 9 });
  s3.objects.delete('data/cc12m/00001_stats.json');
  server.visits.clear();
  await prepare(remote);
  expect([...server.visits.keys()].sort()).toEqual(['photo/4', 'photo/5', 'photo/6', 'photo/7']);
  server.down.clear();
  expect((await prepare(remote, { retryFailed: true })).successes).toBe(10);
  const expected = Object.entries(await contentOf(settings.out)).filter(([name]) => /(tar|parquet)$/.test(name));
  expect(expected).toHaveLength(6);
  for (const [name, bytes] of expected) expect(s3.objects.get(`data/cc12m/${name}`)).toEqual(bytes);
});

it('uploads large files in parts, and shows none of which the content has failed', async () => {
  const storage = new S3Storage('s3://bucket/large', { endpoint: s3.endpoint });
  const megabytes = async function* (count: number) {
    for (let i = 0; i < count; i++) yield Buffer.alloc(2 ** 20, i);
  };
  await storage.write('whole.tar', megabytes(35));
  expect(s3.completed).toBe(1);
  const object = s3.objects.get('large/whole.tar')!;
  expect([object.length, object[20 * 2 ** 20]]).toEqual([35 * 2 ** 20, 20]);
  const parts = [];
  for await (const part of storage.parts('whole.tar')) parts.push(part);
  expect(Buffer.concat(parts).equals(object)).toBe(true);
  const failing = async function* () {
    yield* megabytes(20);
    throw new Error('the disk is gone');
  };
  await expect(storage.write('half.tar', failing())).rejects.toThrow('the disk is gone');
  expect([...(await storage.list())]).toEqual(['whole.tar']);
  expect(await storage.read('half.tar')).toBeUndefined();
});

it('says which object cannot be read, and what to check', async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'wrong-key');
  const storage = new S3Storage('s3://bucket/x', { endpoint: s3.endpoint });
  await expect(storage.read('prepare.plan')).rejects.toThrow(StorageError);
  await expect(storage.read('prepare.plan')).rejects.toThrow(
    /Cannot read s3:\/\/bucket\/x\/prepare.plan: status 403, Access Denied.*AWS_ACCESS_KEY_ID/,
  );
  const unreachable = new S3Storage('s3://bucket/x', { endpoint: 'http://127.0.0.1:9' });
  await expect(unreachable.list()).rejects.toThrow(/Cannot list s3:\/\/bucket\/x\/: fetch failed/);
  expect(() => new S3Storage('s3://')).toThrow(/must be s3:\/\/bucket\/prefix/);
});

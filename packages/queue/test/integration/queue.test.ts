import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ImageTokenizer, TextEncoder } from '@dalle-mini/core';
import { encodeArchives, type PrepareSettings, prepare } from '@dalle-mini/prepare';
import {
  coordinate,
  coordinateEncoding,
  encodingStatus,
  openQueues,
  queueStatus,
  work,
  workOnEncoding,
} from '@dalle-mini/queue';
import { contentOf, temporaryFolder } from '@dalle-mini/testing/folders';
import { startModule } from '@dalle-mini/testing/processes';
import { Redis } from 'ioredis';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const redisServer = process.env.REDIS_SERVER ?? 'redis-server';
const hasRedis = spawnSync(redisServer, ['--version']).status === 0;
const packageFolder = fileURLToPath(new URL('../..', import.meta.url));

/** Encodes an image to its brightness. */
const tokenizer: ImageTokenizer = {
  imageSize: 2,
  gridSize: 1,
  vocabularySize: 256,
  encode: async (images) => images.map(({ data }) => Int32Array.of(data[0]!)),
  decode: () => Promise.reject(new Error('unused')),
  dispose: async () => undefined,
};

const freePort = async () => {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
};

describe.skipIf(!hasRedis)('a queue on Redis (redis-server, or the program in REDIS_SERVER)', () => {
  let images: Server;
  let redisProcess: ChildProcess;
  let redis: string;
  /** Milliseconds of an answer. */
  let latency = 0;

  beforeAll(async () => {
    images = createServer(async ({ url }, response) => {
      const seed = Number(url!.slice(1));
      await sleep(latency);
      const create = { width: 40, height: 40, channels: 3 as const, background: { r: seed * 5, g: 255 - seed, b: 90 } };
      response.end(await sharp({ create }).jpeg().toBuffer());
    });
    images.listen(0, '127.0.0.1');
    await once(images, 'listening');
    const port = await freePort();
    redis = `redis://127.0.0.1:${port}`;
    const cwd = await temporaryFolder();
    redisProcess = spawn(redisServer, ['--port', String(port), '--save', '', '--bind', '127.0.0.1'], {
      cwd,
      stdio: 'ignore',
    });
    const client = new Redis(redis, { maxRetriesPerRequest: null });
    client.on('error', () => undefined);
    await client.ping();
    client.disconnect();
  });
  afterAll(async () => {
    redisProcess.kill();
    images.closeAllConnections();
    await new Promise((resolve) => images.close(resolve));
  });

  async function settingsFor(rows: number, more: Partial<PrepareSettings> = {}): Promise<PrepareSettings> {
    const folder = await temporaryFolder();
    const list = join(folder, 'list.tsv');
    const { port } = images.address() as AddressInfo;
    await writeFile(
      list,
      Array.from({ length: rows }, (_, i) => `http://127.0.0.1:${port}/${i}\tcaption ${i}\n`).join(''),
    );
    const download = { allowedAddresses: ['127.0.0.1/32'], retries: 0, connections: 4 };
    return { preset: 'cc12m', lists: [list], out: join(folder, 'out'), shardSize: 4, download, ...more };
  }

  const shardsOf = async (folder: string) =>
    Object.fromEntries(Object.entries(await contentOf(folder)).filter(([name]) => /\.(tar|parquet)$/.test(name)));

  /** The shards of an undisturbed call on one machine. */
  async function expectedShards(settings: PrepareSettings) {
    const out = join(await temporaryFolder(), 'expected');
    await prepare({ ...settings, out });
    return shardsOf(out);
  }

  const startWorker = (settings: PrepareSettings) => {
    const options = JSON.stringify({ redis, shards: 1, lockDuration: 1000, pollEvery: 100 });
    const source = `import { work } from '@dalle-mini/queue'; console.log('started'); await work(${JSON.stringify(settings)}, ${options});`;
    return startModule(source, packageFolder);
  };

  test('writes the same shards by several workers as one machine does', async () => {
    const settings = await settingsFor(22);
    const coordinating = coordinate(settings, { redis, pollEvery: 50 });
    await sleep(300);
    const workers = [1, 2].map(() => work(settings, { redis, pollEvery: 50 }));
    expect(await coordinating).toMatchObject({ shards: { total: 6, written: 6 }, successes: 22, givenUp: [] });
    await Promise.all(workers);
    const content = await contentOf(settings.out);
    expect(await shardsOf(settings.out)).toEqual(await expectedShards(settings));
    // The rows for the workers are removed.
    expect(Object.keys(content).filter((name) => name.includes('rows'))).toEqual([]);
    const status = await queueStatus(settings, { redis });
    expect(status).toMatchObject({ shards: { total: 6, written: 6 }, jobs: { waiting: 0, active: 0, failed: 0 } });
    expect(status.prometheus).toContain('dalle_mini_shards_written 6');
  });

  test('loses no shard of workers that are killed or hang, nor of a Redis that forgets', async () => {
    const settings = await settingsFor(60);
    latency = 300;
    const coordinating = coordinate(settings, { redis, pollEvery: 100 });
    await sleep(500);
    const [killed, hanging, last] = [1, 2, 3].map(() => startWorker(settings));
    const isWritten = async () => (await readdir(settings.out)).includes('00003_stats.json');
    while (!(await isWritten())) await sleep(20);
    killed!.kill('SIGKILL');
    hanging!.kill('SIGSTOP');
    const client = new Redis(redis);
    await client.flushall();
    client.disconnect();
    const summary = await coordinating;
    hanging!.kill('SIGCONT');
    await Promise.all([once(hanging!, 'exit'), last!.exitCode === null ? once(last!, 'exit') : undefined]);
    latency = 0;
    expect(summary).toMatchObject({ shards: { total: 15, written: 15 }, successes: 60, givenUp: [] });
    expect(await shardsOf(settings.out)).toEqual(await expectedShards(settings));
  });

  test('gives up a shard that fails each time, with the reason, and writes the others', async () => {
    const settings = await settingsFor(12);
    const coordinating = coordinate(settings, { redis, pollEvery: 50, attempts: 1 });
    await sleep(300);
    const failures: string[] = [];
    await work(settings, {
      redis,
      pollEvery: 50,
      filter: ({ row }) => {
        if (row.caption === 'caption 5') throw new Error('this image breaks the filter');
        return undefined;
      },
      onShard: (_, error) => error && failures.push(error.message),
    });
    expect(await coordinating).toMatchObject({
      shards: { total: 3, written: 2 },
      givenUp: [{ shard: 1, reason: 'this image breaks the filter', attempts: 1 }],
    });
    expect(failures).toEqual(['this image breaks the filter']);
    // A new coordinator tries it again.
    const again = coordinate(settings, { redis, pollEvery: 50 });
    await sleep(300);
    await work(settings, { redis, pollEvery: 50 });
    expect(await again).toMatchObject({ shards: { total: 3, written: 3 }, givenUp: [] });
  });

  test('refuses what machines cannot do by themselves', async () => {
    const settings = await settingsFor(4);
    await expect(coordinate({ ...settings, pictures: { duplicateDistance: 4 } }, { redis })).rejects.toThrow(
      /pictures.duplicateDistance must be null with a queue/,
    );
    await expect(work(settings, { redis })).rejects.toThrow(/prepare.plan is missing. Start the coordinator first/);
  });

  /** A program that encodes archives of the queue, each image in 50 ms, whose token is its brightness. */
  const startEncoder = (archives: string, out: string) =>
    startModule(
      `import { setTimeout as sleep } from 'node:timers/promises';
      import { workOnEncoding } from '@dalle-mini/queue';
      const tokenizer = {
        imageSize: 2, gridSize: 1, vocabularySize: 256,
        encode: async (images) => { await sleep(50 * images.length); return images.map(({ data }) => Int32Array.of(data[0])); },
      };
      const options = { redis: ${JSON.stringify(redis)}, shards: 1, lockDuration: 1000, pollEvery: 100 };
      await workOnEncoding(${JSON.stringify(archives)}, { tokenizer }, ${JSON.stringify(out)}, options);`,
      packageFolder,
    );

  test('encodes each archive once, by workers of which one is killed and one hangs, as one machine does', async () => {
    const settings = await settingsFor(40);
    await prepare(settings);
    const out = join(settings.out, '../tokens');
    await expect(workOnEncoding(settings.out, { tokenizer }, out, { redis })).rejects.toThrow(
      /queue.json is missing. Start the coordinator first/,
    );
    const progress: number[] = [];
    const coordinating = coordinateEncoding(settings.out, out, {
      redis,
      pollEvery: 100,
      onProgress: ({ done }) => progress.push(done),
    });
    while (!(await readdir(out).catch(() => [''])).includes('queue.json')) await sleep(20);
    const [killed, hanging, last] = [1, 2, 3].map(() => startEncoder(settings.out, out));
    const written = async () => (await readdir(out)).filter((name) => /^\d+$/.test(name)).length;
    while ((await written()) < 3) await sleep(20);
    killed!.kill('SIGKILL');
    hanging!.kill('SIGSTOP');
    expect(await coordinating).toEqual([]);
    hanging!.kill('SIGCONT');
    await Promise.all([hanging!, last!].map((one) => (one.exitCode === null ? once(one, 'exit') : undefined)));
    expect(progress.at(-1)).toBe(10);
    const { queue: queueName } = JSON.parse(await readFile(join(out, 'queue.json'), 'utf8'));
    const queues = await openQueues(redis);
    const queue = queues.find(({ name }) => name === queueName);
    expect(await queue!.getJobCounts('waiting', 'active', 'failed')).toEqual({ waiting: 0, active: 0, failed: 0 });
    await Promise.all(queues.map((one) => one.close()));
    const status = await encodingStatus(out, { redis });
    expect(status).toMatchObject({ shards: { total: 10, written: 10 }, jobs: { waiting: 0, active: 0, failed: 0 } });
    expect(status.prometheus).toContain('dalle_mini_shards_written 10');
    const alone = join(await temporaryFolder(), 'tokens');
    await encodeArchives(settings.out, tokenizer, alone);
    const names = Array.from({ length: 10 }, (_, number) => `0000${number}`);
    expect((await readdir(out)).sort()).toEqual([...names, 'archives.json', 'queue.json']);
    for (const name of names) expect(await contentOf(join(out, name))).toEqual(await contentOf(join(alone, name)));
  });

  test('gives up an archive that cannot be encoded, with the reason, and encodes the others', async () => {
    const settings = await settingsFor(8);
    await prepare(settings);
    await writeFile(join(settings.out, '00001.tar'), 'damaged');
    const out = join(settings.out, '../tokens');
    const coordinating = coordinateEncoding(settings.out, out, { redis, pollEvery: 50, attempts: 1 });
    while (!(await readdir(out).catch(() => [''])).includes('queue.json')) await sleep(20);
    const failures: number[] = [];
    const onShard = (shard: number, error?: Error) => error && failures.push(shard);
    await workOnEncoding(settings.out, { tokenizer }, out, { redis, pollEvery: 50, onShard });
    expect(await coordinating).toMatchObject([{ shard: 1, reason: expect.stringContaining('00001.tar'), attempts: 1 }]);
    expect(failures).toEqual([1]);
    expect(await readdir(out)).toContain('00000');
    expect(await encodingStatus(out, { redis })).toMatchObject({
      shards: { total: 2, written: 1 },
      jobs: { failed: 1 },
    });
    await expect(coordinateEncoding(settings.out, out, { redis, captions: true })).rejects.toThrow(
      /captions must be false, as for the archives in .*, not true/,
    );
    const textEncoder = {} as TextEncoder;
    await expect(workOnEncoding(settings.out, { tokenizer, textEncoder }, out, { redis })).rejects.toThrow(
      /textEncoder must be left out, as by the coordinator/,
    );
  });
});

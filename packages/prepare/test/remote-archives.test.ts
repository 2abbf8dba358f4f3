import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import {
  type Archives,
  archiveSeparator,
  createSampler,
  downloadFile,
  openArchives,
  openWebDataset,
} from '@dalle-mini/data';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import sharp from 'sharp';
import { pack } from 'tar-stream';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { S3Server } from './s3-server.js';

/** Archives of four, two, three and one samples, by name. The second has counts beside it, and the third an image that is damaged. */
const files = new Map<string, Buffer>();
let folder: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  let red = 0;
  for (const [number, length] of [4, 2, 3, 1].entries()) {
    const archive = pack();
    for (let i = 0; i < length; i++) {
      const image = sharp({ create: { width: 4, height: 4, channels: 3, background: { r: 20 * ++red, g: 0, b: 0 } } });
      archive.entry(
        { name: `${i}.png` },
        number === 2 && i === 1 ? Buffer.from('no image') : await image.png().toBuffer(),
      );
      archive.entry({ name: `${i}.txt` }, `caption ${number} ${i}`);
    }
    archive.finalize();
    const bytes = await buffer(archive);
    files.set(`0000${number}.tar${number === 3 ? '.gz' : ''}`, number === 3 ? gzipSync(bytes) : bytes);
  }
  files.set('00001_stats.json', Buffer.from('{"count": 5, "successes": 2}'));
  for (const [name, bytes] of files) await writeFile(join(folder, name), bytes);
});
afterEach(() => vi.unstubAllEnvs());

/** Serves the archives, and lists what was asked for. */
async function webServer() {
  const visits: string[] = [];
  const server = createServer(({ url }, response) => {
    const name = url!.slice(1);
    visits.push(name);
    const bytes = files.get(name);
    if (bytes === undefined) response.writeHead(404).end();
    // It is cut the first time.
    else if (name === '00000.tar' && visits.indexOf(name) === visits.length - 1) {
      response.writeHead(200, { 'content-length': bytes.length });
      response.write(bytes.subarray(0, 700), () => response.destroy());
    } else response.end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    visits,
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => new Promise<void>((resolve) => void server.close(() => resolve())),
  };
}

const names = '{00000..00002}.tar';
const options = async () => ({ imageSize: 2, crop: 'random' as const, cacheFolder: await temporaryFolder() });

/** What is read at the positions from `start` on, of two epochs. */
async function read(dataset: Archives, start = 0) {
  const order = createSampler({ shards: dataset.shardLengths, shuffleShards: 2, seed: 5 });
  const found = [];
  for (let position = start; position < 2 * dataset.length; position++) {
    const { image, captions } = await dataset.get(order.at(position), Math.floor(position / dataset.length));
    found.push([captions[0], image.data[0]]);
  }
  return found;
}

describe('archives that are read when they are needed', () => {
  it('are the same samples in the same order from a web server, a bucket and a folder, from any position on', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const server = await webServer();
    await using bucket = await S3Server.start();
    vi.stubEnv('AWS_ENDPOINT_URL', bucket.endpoint);
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'test-key');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test-secret');
    for (const [name, bytes] of files) bucket.objects.set(`set/${name}`, bytes);
    try {
      const local = await openArchives([join(folder, names), join(folder, '00003.tar.gz')], await options());
      expect(local.shardLengths).toEqual([4, 2, 3, 1]);
      const expected = await read(local);
      expect(new Set(expected.slice(0, 10).map(([caption]) => caption)).size).toBe(9);
      expect(expected.map(([caption]) => caption)).not.toContain('caption 2 1');
      const web = () => `${server.address}/${names}::${server.address}/00003.tar.gz`;
      for (const cacheArchives of [1, 16])
        expect(await read(await openArchives(web(), { ...(await options()), cacheArchives }))).toEqual(expected);
      expect(await read(await openArchives(web(), await options()), 7)).toEqual(expected.slice(7));
      const s3 = [`s3://bucket/set/${names}`, 's3://bucket/set/00003.tar.gz'];
      expect(await read(await openArchives(s3, { ...(await options()), s3: { endpoint: bucket.endpoint } }))).toEqual(
        expected,
      );
      expect(warn.mock.calls[0]![0]).toMatch(/Another image takes the place of one .*1.png/);
    } finally {
      warn.mockRestore();
      await server.close();
    }
  });

  it('are counted by the numbers beside them, or once', async () => {
    const server = await webServer();
    const scanFolder = join(await temporaryFolder(), 'scans');
    try {
      const progress: number[] = [];
      const first = {
        ...(await options()),
        scanFolder,
        onProgress: ({ done }: { done: number }) => progress.push(done),
      };
      await openArchives(`${server.address}/${names}`, first);
      expect(progress).toEqual([1, 2, 3]);
      expect(server.visits.filter((name) => name === '00001.tar')).toEqual([]);
      const before = server.visits.length;
      const again = await openArchives(`${server.address}/${names}`, { ...(await options()), scanFolder });
      expect(again.shardLengths).toEqual([4, 2, 3]);
      expect(server.visits.length).toBe(before);
    } finally {
      await server.close();
    }
  });

  it('take no more room than the number of archives allows, and none of processes that have ended', async () => {
    const server = await webServer();
    const given = await options();
    const [left] = (await downloads(given.cacheFolder, `${server.address}/00000.tar`)) as [string];
    // No process has this number.
    await mkdir(join(given.cacheFolder, left.replace(/-\d+-/, '-4194305-')));
    await rm(join(given.cacheFolder, left), { recursive: true });
    try {
      const dataset = await openArchives(`${server.address}/${names}`, { ...given, cacheArchives: 2 });
      await Promise.all(Array.from({ length: 6 }, (_, index) => dataset.get(index)));
      await dataset.get(7);
      const [own, ...others] = await readdir(given.cacheFolder);
      expect(others).toEqual([]);
      expect((await readdir(join(given.cacheFolder, own!))).length).toBe(2);
    } finally {
      await server.close();
    }
  });

  async function downloads(cacheFolder: string, address: string): Promise<string[]> {
    await openArchives(address, { imageSize: 2, cacheFolder });
    return readdir(cacheFolder);
  }

  it('are refused if they are missing, no archives, or have no usable image', async () => {
    const server = await webServer();
    try {
      await expect(openArchives(`${server.address}/9.tar`, await options())).rejects.toThrow(
        /Cannot download http.*9.tar: status 404, it is missing/,
      );
      await expect(openArchives(`${server.address}/`, await options())).rejects.toThrow(
        /must end in .tar, .tar.gz or .tgz, not http/,
      );
      const third = await openArchives(join(folder, '00002.tar'), { ...(await options()), onError: 'fail' });
      await expect(third.get(1)).rejects.toThrow(/1.png/);
      await expect(openArchives(join(folder, '00002.tar'), { imageSize: 2, cacheArchives: 0 })).rejects.toThrow(
        /cacheArchives must be/,
      );
      // Whole data sets are scanned first: addresses are refused there.
      await expect(openWebDataset(`${server.address}/00000.tar`, { imageSize: 2 })).rejects.toThrow(/must be a file/);
    } finally {
      await server.close();
    }
  });
});

it('a file is downloaded whole or not at all', async () => {
  const server = await webServer();
  const path = join(await temporaryFolder(), 'file.tar');
  try {
    await expect(downloadFile(`${server.address}/none`, path)).rejects.toThrow(/status 404/);
    const stop = AbortSignal.abort(new Error('enough'));
    await expect(downloadFile(`${server.address}/00000.tar`, path, { signal: stop })).rejects.toThrow('enough');
    expect(await readdir(join(path, '..'))).toEqual([]);
    await downloadFile(`${server.address}/00000.tar`, path);
    expect(await readdir(join(path, '..'))).toEqual(['file.tar']);
  } finally {
    await server.close();
  }
});

it('archives are separated by two colons, except those of addresses', () => {
  expect('http://[::1]:80/a.tar::b.tar'.split(archiveSeparator)).toEqual(['http://[::1]:80/a.tar', 'b.tar']);
});

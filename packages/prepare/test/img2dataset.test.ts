import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openWebDataset } from '@dalle-mini/data';
import { type PrepareSettings, prepare } from '@dalle-mini/prepare';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { extract } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { photo } from './hostile-server.js';

/** Written by img2dataset: see scripts/reference/img2dataset_shards.py. */
const theirs = fileURLToPath(new URL('fixtures/img2dataset', import.meta.url));

/** Serves what img2dataset has downloaded. */
let server: Server;
const visited: string[] = [];
beforeAll(async () => {
  const sizes = new Map([
    ['/0', [64, 48]],
    ['/1', [40, 40]],
    ['/4', [30, 52]],
    ['/5', [48, 20]],
  ]);
  server = createServer(async ({ url }, response) => {
    visited.push(url!);
    const [width, height] = sizes.get(url!) ?? [];
    if (width !== undefined) response.end(await photo(width, height!));
    else if (url === '/3') response.end('<!doctype html><title>Parked</title>');
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

async function settings(): Promise<PrepareSettings> {
  const folder = await temporaryFolder();
  const list = join(folder, 'list.tsv');
  const { port } = server.address() as AddressInfo;
  const rows = [0, 1, 2, 3, 4, 5].map((n) => `http://127.0.0.1:${port}/${n}\tPicture ${n} – é\tcc-${n}`);
  await writeFile(list, `url\tcaption\tlicense\n${rows.join('\n')}\n`);
  const download = { allowedAddresses: ['127.0.0.1/32'], retries: 0 };
  return {
    lists: [list],
    columns: ['license'],
    out: join(folder, 'out'),
    shardSize: 4,
    download,
    pictures: { size: 24 },
  };
}

async function membersOf(path: string): Promise<Map<string, string>> {
  const archive = extract();
  archive.end(await readFile(path));
  const members = new Map<string, string>();
  for await (const entry of archive) {
    const parts: Buffer[] = [];
    for await (const part of entry) parts.push(part as Buffer);
    members.set(entry.header.name, Buffer.concat(parts).toString('utf8'));
  }
  return members;
}

async function recordsOf(path: string): Promise<Record<string, unknown>[]> {
  const { buffer, byteOffset, byteLength } = await readFile(path);
  return parquetReadObjects({ file: buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer, compressors });
}

/** What both tools must write of a row; messages and addresses differ. */
const comparable = ({
  url: _,
  error_message,
  exif,
  sha256,
  ...rest
}: Record<string, unknown>): Record<string, unknown> => ({
  ...rest,
  hasError: error_message !== null,
});

describe('shards of img2dataset', () => {
  it('are read by openWebDataset', async () => {
    const dataset = await openWebDataset(theirs, { imageSize: 16 });
    const samples = await Promise.all(Array.from({ length: dataset.length }, (_, index) => dataset.get(index)));
    const captions = Object.fromEntries(samples.map((sample) => [sample.key, sample.captions]));
    expect(captions).toEqual({
      '00000/000000': ['Picture 0 – é'],
      '00000/000001': ['Picture 1 – é'],
      '00001/000010': ['Picture 4 – é'],
      '00001/000011': ['Picture 5 – é'],
    });
  });

  it('have the same members, metadata and columns as those of prepare', async () => {
    const given = await settings();
    await prepare(given);
    for (const shard of ['00000', '00001']) {
      const [own, other] = await Promise.all(
        [given.out, theirs].map((folder) => membersOf(join(folder, `${shard}.tar`))),
      );
      expect([...own!.keys()].sort()).toEqual([...other!.keys()].sort());
      for (const [name, text] of other!) {
        if (name.endsWith('.txt')) expect(own!.get(name)).toBe(text);
        if (name.endsWith('.json'))
          expect(comparable(JSON.parse(own!.get(name)!))).toEqual(comparable(JSON.parse(text)));
      }
      const [ownRecords, otherRecords] = await Promise.all(
        [given.out, theirs].map((folder) => recordsOf(join(folder, `${shard}.parquet`))),
      );
      // img2dataset writes rows in the order of the answers. A web page is not downloaded here, and cannot be decoded there.
      const rows = (records: Record<string, unknown>[]) =>
        records
          .map(comparable)
          .map((row): Record<string, unknown> => ({ ...row, status: row.status === 'success' }))
          .sort((a, b) => String(a.key).localeCompare(String(b.key)));
      expect(rows(ownRecords!)).toEqual(rows(otherRecords!));
      const [ownStats, otherStats] = await Promise.all(
        [given.out, theirs].map(async (folder) =>
          JSON.parse(await readFile(join(folder, `${shard}_stats.json`), 'utf8')),
        ),
      );
      expect(Object.keys(ownStats)).toEqual(expect.arrayContaining(Object.keys(otherStats)));
      expect([ownStats.count, ownStats.successes]).toEqual([otherStats.count, otherStats.successes]);
    }
  });

  it('can be continued by img2dataset, for which each .json must have the number of a shard', async () => {
    const given = await settings();
    await prepare(given);
    const names = (await readdir(given.out)).filter((name) => name.endsWith('.json'));
    expect(names).toEqual(['00000_stats.json', '00001_stats.json']);
  });

  it('are continued by prepare, which does only what is missing', async () => {
    const given = await settings();
    await cp(theirs, given.out, { recursive: true });
    await rm(join(given.out, '00001_stats.json'));
    visited.length = 0;
    expect(await prepare(given)).toMatchObject({ shards: { total: 2, written: 2 }, rows: 6, successes: 4 });
    expect(visited.sort()).toEqual(['/4', '/5']);
  });
});

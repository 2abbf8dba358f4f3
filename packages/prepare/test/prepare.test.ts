import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError, openWebDataset } from '@dalle-mini/data';
import {
  type PrepareOptions,
  type PrepareProgress,
  type PrepareSettings,
  prepare,
  readPrepareSettings,
} from '@dalle-mini/prepare';
import { contentOf, temporaryFolder } from '@dalle-mini/testing/folders';
import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HostileServer } from './hostile-server.js';

let server: HostileServer;
beforeEach(async () => {
  server = await HostileServer.start();
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
});

/** Writes a list with a row for each path, and returns settings for it, in a new folder. */
async function settingsFor(paths: readonly string[], more: Partial<PrepareSettings> = {}): Promise<PrepareSettings> {
  const folder = await temporaryFolder();
  const list = join(folder, 'list.tsv');
  await writeFile(list, paths.map((path, i) => `${server.url(path)}\tcaption ${i}\n`).join(''));
  const download = { allowedAddresses: ['127.0.0.1/32'], timeout: 1, retries: 0 };
  return { preset: 'cc12m', lists: [list], out: join(folder, 'out'), shardSize: 4, download, ...more };
}

const photos = (count: number) => Array.from({ length: count }, (_, i) => `photo/${i}`);

async function recordsOf(path: string) {
  const { buffer, byteOffset, byteLength } = await readFile(path);
  return parquetReadObjects({ file: buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer, compressors });
}

/** The bytes of the shards, without what has a time. */
async function shardsOf(folder: string): Promise<Record<string, Buffer>> {
  const files = Object.entries(await contentOf(folder)).filter(([name]) => /\.(tar|parquet)$/.test(name));
  return Object.fromEntries(files);
}

describe('preparing a data set', () => {
  it('writes shards in the layout of img2dataset, which openWebDataset reads', async () => {
    const settings = await settingsFor(['photo/0', 'missing', 'photo/2', 'truncated', 'photo/4', 'html']);
    const summary = await prepare(settings);
    expect(summary).toMatchObject({
      shards: { total: 2, written: 2 },
      rows: 6,
      successes: 3,
      failedToDownload: 2,
      failedToResize: 1,
      problems: { 'http-404': 1, decode: 1, 'not-an-image': 1 },
    });
    expect((await readdir(settings.out)).sort()).toEqual(
      ['00000', '00001']
        .flatMap((name) => [`${name}.parquet`, `${name}.tar`, `${name}_stats.json`])
        .concat('prepare.plan', 'report.html'),
    );
    expect(await recordsOf(join(settings.out, '00000.parquet'))).toMatchObject([
      { key: '000000', caption: 'caption 0', url: server.url('photo/0'), status: 'success', width: 100, height: 80 },
      {
        key: '000001',
        status: 'failed_to_download',
        error_message: 'http-404: the server answered with status 404',
        width: null,
      },
      { key: '000002', original_width: 100, original_height: 80 },
      { key: '000003', status: 'failed_to_resize' },
    ]);
    expect(JSON.parse(await readFile(join(settings.out, '00000_stats.json'), 'utf8'))).toMatchObject({
      count: 4,
      successes: 2,
      failed_to_download: 1,
      failed_to_resize: 1,
      status_dict: { success: 2, 'http-404': 1, decode: 1 },
    });
    const dataset = await openWebDataset(settings.out, { imageSize: 16 });
    expect(dataset.length).toBe(3);
    expect(await dataset.get(2)).toMatchObject({ key: '00001/000010', captions: ['caption 4'] });
  });

  it('writes the same bytes whatever the order of the answers', async () => {
    const settings = await settingsFor(photos(10));
    await prepare(settings);
    const first = await shardsOf(settings.out);
    await rm(settings.out, { recursive: true });
    await prepare({ ...settings, download: { ...settings.download, connections: 1 } });
    expect(await shardsOf(settings.out)).toEqual(first);
    expect(Object.keys(first)).toHaveLength(6);
  });

  it('downloads only the shards that are missing', async () => {
    const settings = await settingsFor(photos(10));
    await prepare(settings);
    const before = await shardsOf(settings.out);
    await rm(join(settings.out, '00001_stats.json'));
    server.visits.clear();
    const { shards } = await prepare(settings);
    expect([...server.visits.keys()].sort()).toEqual(['photo/4', 'photo/5', 'photo/6', 'photo/7']);
    expect(shards).toEqual({ total: 3, written: 3 });
    expect(await shardsOf(settings.out)).toEqual(before);
  });

  it('tries downloads again that failed while the machine was offline, and no others', async () => {
    const settings = await settingsFor(['cut-once', 'missing', 'cut']);
    const askedSince: number[] = [];
    const start = performance.now();
    const { problems } = await prepare(settings, {
      wasOffline: async (time) => askedSince.push(time) <= 2,
    });
    expect(problems).toEqual({ 'http-404': 1, connection: 1 });
    // The two that were cut; one of them again.
    expect(askedSince).toHaveLength(3);
    expect(Math.min(...askedSince)).toBeGreaterThanOrEqual(start);
    expect(Object.fromEntries(server.visits)).toEqual({ 'cut-once': 2, missing: 1, cut: 2 });
  });

  it('removes what killed processes have left, when all shards are written', async () => {
    const settings = await settingsFor(photos(4));
    await mkdir(settings.out);
    const left = '.0b1e4c8e-3a53-4e0f-9f0c-7a7f1c9ad1c2.tmp';
    for (const name of [left, '00000_rows.json.gz', '.mine.tmp']) await writeFile(join(settings.out, name), 'a part');
    await prepare({ ...settings, share: { rank: 0, count: 2 } });
    // Other machines may still be at work.
    expect(await readdir(settings.out)).toContain(left);
    await prepare(settings);
    const names = await readdir(settings.out);
    expect(names).toContain('.mine.tmp');
    expect(names.filter((name) => name === left || name.includes('rows'))).toEqual([]);
  });

  it('leaves no half of a shard when it is stopped, and continues later', async () => {
    const settings = await settingsFor([...photos(4), 'silent', ...photos(3)]);
    const stop = new AbortController();
    const reason = new Error('enough');
    const onProgress = ({ stage, successes }: PrepareProgress) => {
      if (stage === 'download' && successes > 0) setTimeout(() => stop.abort(reason), 200);
    };
    const slow = { ...settings, download: { ...settings.download, timeout: 30 } };
    await expect(prepare(slow, { signal: stop.signal, onProgress })).rejects.toBe(reason);
    expect((await readdir(settings.out)).sort()).toEqual([
      '00000.parquet',
      '00000.tar',
      '00000_stats.json',
      'prepare.plan',
    ]);
    expect((await prepare(settings)).shards).toEqual({ total: 2, written: 2 });
  });

  it('tries only the failures again, if asked', async () => {
    const settings = await settingsFor(photos(8));
    for (const path of ['photo/1', 'photo/6', 'photo/7']) server.down.add(path);
    const first = await prepare(settings);
    expect(first.problems).toEqual({ 'http-503': 3 });
    server.down.delete('photo/1');
    server.down.delete('photo/6');
    server.visits.clear();
    const summary = await prepare(settings, { retryFailed: true });
    expect([...server.visits.keys()].sort()).toEqual(['photo/1', 'photo/6', 'photo/7']);
    expect(summary).toMatchObject({ rows: 8, successes: 7, problems: { 'http-503': 1 } });
    expect(summary.bytes).toBeGreaterThan(first.bytes);
    server.down.clear();
    await prepare(settings, { retryFailed: true });
    const retried = await shardsOf(settings.out);
    await rm(settings.out, { recursive: true });
    await prepare(settings);
    expect(retried).toEqual(await shardsOf(settings.out));
  });

  it('refuses to mix shards of other lists or settings', async () => {
    const settings = await settingsFor(photos(4));
    await prepare(settings);
    const other = { ...settings, pictures: { size: 64 } };
    await expect(prepare(other)).rejects.toThrow(DataError);
    await expect(prepare(other)).rejects.toThrow(/has shards of other lists, or with other settings/);
    await writeFile(settings.lists[0]!, `${server.url('ok')}\ta cat\n`);
    await expect(prepare(settings)).rejects.toThrow(/Choose another folder/);
  });

  it('does the share of one of several machines', async () => {
    const settings = await settingsFor(photos(12));
    expect((await prepare({ ...settings, share: { rank: 1, count: 2 } })).shards).toEqual({ total: 3, written: 1 });
    expect(server.visits.size).toBe(4);
    expect((await prepare({ ...settings, share: { rank: 0, count: 2 } })).shards).toEqual({ total: 3, written: 3 });
    expect([...server.visits.values()]).toEqual(Array.from({ length: 12 }, () => 1));
  });

  it('leaves out images that look like an earlier one, whichever arrives first', async () => {
    const paths = ['photo/1', 'photo/2', 'photo/1', 'photo/3', 'photo/2', 'photo/4'];
    const settings = await settingsFor(paths, { shardSize: 3, pictures: { duplicateDistance: 0 } });
    expect((await prepare(settings)).problems).toEqual({ duplicate: 2 });
    const statuses = async () =>
      (await Promise.all(['00000', '00001'].map((name) => recordsOf(join(settings.out, `${name}.parquet`)))))
        .flat()
        .map(({ status }) => status === 'success');
    expect(await statuses()).toEqual([true, true, false, true, false, true]);
    await rm(join(settings.out, '00001_stats.json'));
    await prepare(settings);
    expect(await statuses()).toEqual([true, true, false, true, false, true]);
  });

  it('asks a filter, and stores its columns', async () => {
    const settings = await settingsFor(photos(4));
    const filter: PrepareOptions['filter'] = async ({ jpeg, row }) => {
      const { mean } = (await sharp(jpeg).stats()).channels[2]!;
      return row.caption === 'caption 2' ? { refuse: 'is not wanted' } : { columns: { blue: Math.round(mean) } };
    };
    expect((await prepare(settings, { filter })).problems).toEqual({ refused: 1 });
    const records = await recordsOf(join(settings.out, '00000.parquet'));
    expect(records.map(({ blue }) => typeof blue)).toEqual(['number', 'number', 'object', 'number']);
    expect(records[2]).toMatchObject({ status: 'failed_to_resize', error_message: 'refused: is not wanted' });
  });

  it('ends with the error of a filter', async () => {
    const settings = await settingsFor(photos(8));
    const failing = prepare(settings, { filter: () => Promise.reject(new Error('no model')) });
    await expect(failing).rejects.toThrow('no model');
    expect(await readdir(settings.out)).toEqual(['prepare.plan']);
  });

  it('writes a report, and tells its progress', async () => {
    const settings = await settingsFor([...photos(3), 'missing']);
    const seen: PrepareProgress[] = [];
    await prepare(settings, { onProgress: (progress) => seen.push(progress) });
    expect(seen[0]).toMatchObject({ stage: 'scan', done: 4 });
    expect(seen.at(-1)).toMatchObject({
      stage: 'download',
      done: 4,
      total: 4,
      successes: 3,
      problems: { 'http-404': 1 },
    });
    const report = await readFile(join(settings.out, 'report.html'), 'utf8');
    expect(report).toContain('3 (75.0 %)');
    expect(report).toContain('http-404');
  });

  it('refuses settings that are wrong', async () => {
    const settings = await settingsFor(['ok']);
    await expect(prepare({ ...settings, shardSize: 0 })).rejects.toThrow(/shardSize must be a whole number from 1/);
    await expect(prepare({ ...settings, download: { allowedAddresses: ['10.0.0.0'] } })).rejects.toThrow(
      /a range of addresses/,
    );
    await expect(prepare({ ...settings, share: { rank: 2, count: 2 } })).rejects.toThrow(/share.rank must be below 2/);
    await expect(prepare({ ...settings, preset: 'yfcc100m-subset' })).rejects.toThrow(/metadata must be the path/);
    await expect(prepare({ ...settings, lists: ['nowhere.tsv'] })).rejects.toThrow(/there is no such file/);
  });
});

describe('settings', () => {
  it('are read from a file, with paths relative to it and overrides', async () => {
    const folder = await temporaryFolder();
    const file = join(folder, 'cc3m.json');
    await writeFile(file, JSON.stringify({ preset: 'cc3m', lists: 'train.tsv', out: 's3://bucket/cc3m' }));
    expect(await readPrepareSettings(file, { 'pictures.size': 64, limit: 10 })).toMatchObject({
      preset: 'cc3m',
      lists: [join(folder, 'train.tsv')],
      out: 's3://bucket/cc3m',
      limit: 10,
      pictures: { size: 64, resize: 'keep-ratio' },
    });
    await expect(readPrepareSettings(file, { 'download.retry': 1 })).rejects.toThrow(
      /download.retry is not known. Did you mean retryDelay/,
    );
    await writeFile(file, JSON.stringify({ preset: 'cc4m', lists: 'a.tsv', out: 'out' }));
    await expect(readPrepareSettings(file)).rejects.toThrow(/preset must be "cc3m", "cc12m"/);
  });

  it('name a module with a filter', async () => {
    const settings = await settingsFor(photos(2));
    const filter = join(settings.out, '..', 'filter.mjs');
    await writeFile(filter, 'export default ({ width }) => ({ columns: { wide: width > 50 } });');
    await prepare({ ...settings, filter });
    expect(await recordsOf(join(settings.out, '00000.parquet'))).toMatchObject([{ wide: true }, { wide: true }]);
    await writeFile(join(settings.out, '..', 'other.mjs'), 'export const filter = 1;');
    await expect(prepare({ ...settings, filter: join(settings.out, '..', 'other.mjs') })).rejects.toThrow(
      /must be a function/,
    );
  });
});

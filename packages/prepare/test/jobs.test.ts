import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RgbImage } from '@dalle-mini/core';
import { type PrepareSettings, prepare } from '@dalle-mini/prepare';
import {
  checkEncodeModels,
  EncodeSession,
  PrepareSession,
  readJob,
  rowsName,
  shardCount,
  writeRows,
} from '@dalle-mini/prepare/jobs';
import { contentOf, temporaryFolder } from '@dalle-mini/testing/folders';
import { expect, it } from 'vitest';
import { HostileServer } from './hostile-server.js';

it('does the jobs of a data set on a machine that has the storage, and not the lists', async () => {
  await using server = await HostileServer.start();
  const folder = await temporaryFolder();
  const list = join(folder, 'list.tsv');
  await writeFile(list, [0, 1, 2, 3, 4].map((i) => `${server.url(`photo/${i}`)}\tcaption ${i}\n`).join(''));
  const download = { allowedAddresses: ['127.0.0.1/32'], retries: 0 };
  const settings: PrepareSettings = {
    preset: 'cc12m',
    lists: [list],
    out: join(folder, 'out'),
    shardSize: 2,
    download,
  };

  const coordinator = await PrepareSession.open(settings);
  expect(shardCount(coordinator.plan)).toBe(3);
  for await (const job of coordinator.missing().jobs) await writeRows(coordinator.storage, job);
  await rm(list);

  const worker = await PrepareSession.open(settings, { usesStoredPlan: true });
  for (const number of [2, 0, 1]) {
    await worker.runJob(await readJob(worker.storage, number));
    await worker.storage.remove(rowsName(number));
  }
  await worker.close();
  await coordinator.refresh();
  expect(await coordinator.summarize()).toMatchObject({ shards: { total: 3, written: 3 }, successes: 5 });
  await coordinator.close();
  await expect(readJob(coordinator.storage, 0)).rejects.toThrow(/00000_rows.json.gz is missing/);

  await writeFile(list, [0, 1, 2, 3, 4].map((i) => `${server.url(`photo/${i}`)}\tcaption ${i}\n`).join(''));
  await prepare({ ...settings, out: join(folder, 'other') });
  const shardsOf = async (out: string) =>
    Object.entries(await contentOf(join(folder, out))).filter(([name]) => /\.(tar|parquet)$/.test(name));
  expect(await shardsOf('out')).toEqual(await shardsOf('other'));
});

it('encodes archives on machines that share a folder, and removes what those that were killed have left', async () => {
  await using server = await HostileServer.start();
  const folder = await temporaryFolder();
  const list = join(folder, 'list.tsv');
  await writeFile(list, [0, 1, 3].map((i) => `${server.url(`photo/${i}`)}\tcaption ${i}\n`).join(''));
  const download = { allowedAddresses: ['127.0.0.1/32'], retries: 0 };
  await prepare({ preset: 'cc12m', lists: [list], out: join(folder, 'shards'), shardSize: 1, download });
  const tokenizer = {
    imageSize: 2,
    gridSize: 1,
    vocabularySize: 256,
    encode: async (images: readonly RgbImage[]) => images.map(({ data }) => Int32Array.of(data[0]!)),
    decode: () => Promise.reject(new Error('unused')),
    dispose: async () => undefined,
  };
  const out = join(folder, 'tokens');
  expect(() => checkEncodeModels({ tokenizer }, { minScore: 0.2 })).toThrow(/minScore must be left out without ranker/);
  expect(() => checkEncodeModels({ tokenizer }, {})).not.toThrow();
  const [one, other] = [
    await EncodeSession.open(join(folder, 'shards'), out, { share: { rank: 1, count: 2 } }),
    await EncodeSession.open(join(folder, 'shards'), out),
  ];
  expect([one.mine, other.mine]).toEqual([[1], [0, 1, 2]]);
  // Both at once: the folder of the first stays.
  await Promise.all([one.run(1, { tokenizer }), other.run(1, { tokenizer })]);
  await one.run(0, { tokenizer });
  await other.refresh();
  expect([...other.written].sort()).toEqual([0, 1]);
  await mkdir(join(out, `.dalle-mini-${'0'.repeat(12)}.${'0'.repeat(12)}.1.${randomUUID()}.part`));
  await other.removeLeftovers();
  expect((await readdir(out)).sort()).toEqual(['00000', '00001', 'archives.json']);
  await Promise.all([one.close(), other.close()]);
});

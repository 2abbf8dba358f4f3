import { join } from 'node:path';
import { DataError, hasTokenShards, openTokenShards, readArchiveNames, writeArchiveNames } from '@dalle-mini/data';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { expect, test } from 'vitest';

test('a folder of token shards of several archives keeps their names and order', async () => {
  const folder = await temporaryFolder();
  expect(await readArchiveNames(folder)).toBeUndefined();
  await writeArchiveNames(folder, ['00001', '00000']);
  expect(await readArchiveNames(folder)).toEqual(['00001', '00000']);
  // The same call again changes nothing.
  await writeArchiveNames(folder, ['00001', '00000']);
  await expect(writeArchiveNames(folder, ['00000', '00001'])).rejects.toThrow(
    /archives.json must have the archives 00000 to 00001 \(2\), not 00001 to 00000 \(2\). Choose another folder/,
  );
  expect(await hasTokenShards(join(folder, '00001'))).toBe(false);
  // The first of them is looked for first.
  await expect(openTokenShards(folder)).rejects.toThrow(DataError);
  await expect(openTokenShards(folder)).rejects.toThrow(/00001 has no token shards/);
});

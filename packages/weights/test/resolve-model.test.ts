import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OptionError } from '@dalle-mini/core';
import { HubError, isHubName, resolveModelFolder } from '@dalle-mini/weights/hub';
import { afterEach, beforeEach, expect, test } from 'vitest';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'model-'));
});
afterEach(() => rm(folder, { recursive: true }));

test.each<[string, boolean]>([
  ['dalle-mini/dalle-mini', true],
  ['openai/clip-vit-base-patch32', true],
  ['emoji', false],
  ['./model', false],
  ['/models/vqgan', false],
  ['a/b/c', false],
  ['model/config.json', false],
  ['model/detoker.pt', false],
])('the name of a hub model: %s, %s', (text, expected) => {
  expect(isHubName(text)).toBe(expected);
});

test('a folder is itself, without a download', async () => {
  const files = () => expect.fail('it asks for files');
  expect(await resolveModelFolder(folder, files)).toBe(folder);
});

test('a source that is neither a folder nor a name is refused', async () => {
  const absent = join(folder, 'absent');
  await expect(resolveModelFolder(absent, [])).rejects.toThrow(OptionError);
  await expect(resolveModelFolder(absent, [])).rejects.toThrow('source must be a folder that exists, or a hub name');
});

test('a name is looked up in the hub, and an error names both places', async () => {
  const found = resolveModelFolder('owner/name', ['config.json'], { cacheDir: folder, offline: true });
  await expect(found).rejects.toThrow(HubError);
  await expect(found).rejects.toThrow('There is no folder owner/name, and the hub cannot provide it: ');
});

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { OptionError } from '@dalle-mini/core';
import { isBundledModel, ModelFolderError, resolveModel } from '@dalle-mini/pipeline';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { writeTinyModel } from '@dalle-mini/testing/tiny-model';
import { expect, test } from 'vitest';

test('a bundled model is found by its name', async () => {
  expect(isBundledModel('emoji')).toBe(true);
  expect((await stat(join(await resolveModel('emoji'), 'model.json'))).isFile()).toBe(true);
});

test('other names are not those of bundled models', () => {
  for (const name of ['dalle-mini/dalle-mini', 'constructor', '']) expect(isBundledModel(name)).toBe(false);
});

test('a model folder is returned as it is', async () => {
  const tiny = await writeTinyModel(await temporaryFolder());
  expect(await resolveModel(tiny)).toBe(tiny);
});

test('a folder that does not exist and an unknown option are refused', async () => {
  await expect(resolveModel('./nowhere')).rejects.toThrow(ModelFolderError);
  await expect(resolveModel('emoji', { threads: 1 } as never)).rejects.toThrow(OptionError);
});

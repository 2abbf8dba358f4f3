import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readModelDescription } from '@dalle-mini/pipeline';
import { expect, test } from 'vitest';
import { temporaryFolder } from './tiny-model.js';

test('the README shows a model.json that is read', async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const [, json] = /```json\n(.*?)```/s.exec(readme)!;
  const { path, remove } = await temporaryFolder();
  await writeFile(join(path, 'model.json'), json!);
  expect(await readModelDescription(path)).toEqual(JSON.parse(json!));
  await remove();
});

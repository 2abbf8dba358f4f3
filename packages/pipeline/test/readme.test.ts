import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readModelDescription } from '@dalle-mini/pipeline';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { expect, test } from 'vitest';

test('the README shows a valid model.json', async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const [, json] = /```json\n(.*?)```/s.exec(readme)!;
  const path = await temporaryFolder();
  await writeFile(join(path, 'model.json'), json!);
  expect(await readModelDescription(path)).toEqual(JSON.parse(json!));
});

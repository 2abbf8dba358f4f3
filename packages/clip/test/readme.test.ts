import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fixtureFile } from './fixtures.js';

test('the example of the README runs', async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const [, example] = /```js\n(.*?)```/s.exec(readme)!;
  const folder = await mkdtemp(join(tmpdir(), 'clip-'));
  for (const file of ['patch-16/config.json', 'patch-16/model.safetensors', 'tokenizer/tokenizer.json']) {
    await copyFile(fixtureFile(file), join(folder, file.split('/')[1]!));
  }
  // A function has no import declarations.
  const body = example!
    .replace(/^import (\{.*\}) from '(.*)';$/gm, "const $1 = await load('$2');")
    .replaceAll('openai/clip-vit-base-patch32', folder);
  const AsyncFunction = (async () => undefined).constructor as FunctionConstructor;
  const load = (name: string) => import(name);
  const scores = await new AsyncFunction('load', `${body}; return scores;`)(load);
  await rm(folder, { recursive: true });
  expect(scores).toHaveLength(2);
  expect(scores.every(Number.isFinite)).toBe(true);
});

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { temporaryFolder } from '../../../pipeline/test/tiny-model.js';
import { dalleMini } from './run.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let readme: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
});
afterAll(() => folder.remove());

it('lists every option of generate', async () => {
  const { stdout } = await dalleMini(folder.path, ['generate', '--help']);
  const options = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, option]) => option).sort();
  expect(options(readme, /^\| `(--[\w-]+)/gm)).toEqual(options(stdout, /^ {2}(--[\w-]+)/gm));
});

it.each([
  ['vqgan', 'pictures'],
  ['decoder', join('runs', 'vqgan', 'vqgan', 'config.json')],
])('shows settings for train %s that are accepted, up to the files that are not there', async (kind, missing) => {
  const [, settings] = new RegExp(`\`${kind}\\.json\` [^{]*\`\`\`json\\n(.*?)\`\`\``, 's').exec(readme)!;
  await writeFile(join(folder.path, `${kind}.json`), settings!);
  const { code, stderr } = await dalleMini(folder.path, ['train', kind, '--config', `${kind}.json`]);
  expect(stderr).toContain(`${join(folder.path, missing)}`);
  expect(stderr).not.toContain(`${kind}.json: `);
  expect(code).toBe(1);
});

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { beforeAll, expect, test } from 'vitest';
import { dalleMini } from './dalle-mini.js';

let folder: string;
let readme: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
});

test('lists every option of generate', async () => {
  const { stdout } = await dalleMini(folder, ['generate', '--help']);
  const options = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, option]) => option).sort();
  const [, section] = /^## `dalle-mini generate(.*?)^## /ms.exec(readme)!;
  expect(options(section!, /^\| `(--[\w-]+)/gm)).toEqual(options(stdout, /^ {2}(--[\w-]+)/gm));
});

test.each([
  ['vqgan', 'Cannot read ', 'pictures'],
  ['decoder', 'imageTokenizer must be a folder that exists', join('runs', 'vqgan', 'vqgan')],
])('shows valid settings for train %s', async (kind, message, missing) => {
  const [, settings] = new RegExp(`\`${kind}\\.json\` [^{]*\`\`\`json\\n(.*?)\`\`\``, 's').exec(readme)!;
  await writeFile(join(folder, `${kind}.json`), settings!);
  const { code, stderr } = await dalleMini(folder, ['train', kind, '--config', `${kind}.json`]);
  // Nothing but the files is missing.
  expect(stderr).toContain(message);
  expect(stderr).toContain(join(folder, missing));
  expect(code).toBe(1);
});

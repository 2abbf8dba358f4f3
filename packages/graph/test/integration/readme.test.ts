import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const block = (language: string) => readme.match(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's'))![1]!;

test('the example of the README prints what it says', () => {
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', block('js')], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
  });
  expect(stdout).toBe(block('text'));
});

import { readFileSync } from 'node:fs';
import { runModule } from '@dalle-mini/testing/processes';
import ts from 'typescript';
import { expect, test } from 'vitest';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const block = (language: string) => readme.match(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's'))![1]!;

test('the example of the README prints the documented output', async () => {
  const { stdout } = await runModule(
    ts.transpile(block('ts'), { target: ts.ScriptTarget.ESNext }),
    import.meta.dirname,
  );
  expect(stdout).toBe(block('text'));
});

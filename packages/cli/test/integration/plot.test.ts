import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { beforeEach, expect, test } from 'vitest';
import { dalleMini } from './dalle-mini.js';

let folder: string;
beforeEach(async () => {
  folder = await temporaryFolder();
  for (const run of ['first', 'second']) {
    await mkdir(join(folder, run));
    await writeFile(join(folder, run, 'metrics.jsonl'), '{"step":1,"loss":2}\n{"step":2,"loss":1}\n');
  }
});

test('a report of runs is written', async () => {
  expect(await dalleMini(folder, ['plot', 'first'])).toEqual({ code: 0, stdout: 'report.html\n', stderr: '' });
  expect(await readFile(join(folder, 'report.html'), 'utf8')).toContain('<title>Training: first</title>');
  const both = await dalleMini(folder, ['plot', 'first', 'second', '--out', 'new/both.html']);
  expect(both).toEqual({ code: 0, stdout: 'new/both.html\n', stderr: '' });
  expect(await readFile(join(folder, 'new/both.html'), 'utf8')).toContain('<title>Training: first, second</title>');
});

test('a folder that is not a run is refused, and nothing is written', async () => {
  const { code, stdout, stderr } = await dalleMini(folder, ['plot', 'first', 'nowhere']);
  expect(stderr).toMatch(
    /^dalle-mini: nowhere must be the folder of a training run, and has no metrics\.jsonl\. .*\n$/,
  );
  expect(stdout).toBe('');
  expect(code).toBe(2);
  expect((await readdir(folder)).sort()).toEqual(['first', 'second']);
});

test('a run is required', async () => {
  const { code, stderr } = await dalleMini(folder, ['plot']);
  expect(stderr).toBe("dalle-mini: missing required argument 'runs'\n");
  expect(code).toBe(2);
});

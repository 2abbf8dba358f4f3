import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isTemporaryFolderName, recoverFolder, writeFolderAtomically } from '@dalle-mini/core/node';
import { ending, startModule } from '@dalle-mini/testing/processes';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'core-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('a folder', () => {
  const target = () => join(folder, 'model');
  const fillWith = (text: string) => (path: string) => writeFile(join(path, 'a'), text);
  const content = () => readFile(join(target(), 'a'), 'utf8');

  const writer = `
    import { writeFolderAtomically } from '@dalle-mini/core/node';
    import { writeFileSync } from 'node:fs';
    import { join } from 'node:path';
    const [target, mode, text] = process.argv.slice(1);
    await writeFolderAtomically(target, async (path) => {
      writeFileSync(join(path, 'a'), text);
      if (mode === 'stay') { process.stdout.write('filling'); await new Promise((resolve) => setTimeout(resolve, 60_000)); }
    });
  `;
  const start = (mode: string, text: string) => startModule(writer, import.meta.dirname, [target(), mode, text]);

  test('has the content of one process if several write it at once', async () => {
    const children = Array.from({ length: 4 }, (_, i) => start('go', `${i}`));
    for (const end of await Promise.all(children.map(ending))) expect(end).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(Number(await content())).toBeLessThan(4);
    expect(await readdir(folder)).toEqual(['model']);
  });

  test('is cleaned up after a killed writer, but not while a writer is running', async () => {
    await writeFolderAtomically(target(), fillWith('one'));
    const child = start('stay', 'two');
    await once(child.stdout!, 'data');
    await recoverFolder(target());
    expect((await readdir(folder)).map((name) => isTemporaryFolderName(name)).sort()).toEqual([false, true]);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await recoverFolder(target());
    expect(await readdir(folder)).toEqual(['model']);
    expect(await content()).toBe('one');
  });

  /** Returns the paths that a writer leaves if it is killed between its two renames. */
  async function killedBetweenRenames(): Promise<(kind: string) => string> {
    const child = start('stay', 'new');
    await once(child.stdout!, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const part = (await readdir(folder)).find((name) => name.endsWith('.part'))!;
    return (kind) => join(folder, part.replace(/part$/, kind));
  }

  test('is restored if its writer is killed between the two renames', async () => {
    const leftover = await killedBetweenRenames();
    await mkdir(leftover('old'));
    await fillWith('old')(leftover('old'));
    await recoverFolder(target());
    expect(await content()).toBe('old');
    expect(await readdir(folder)).toEqual(['model']);
  });

  test('is replaced by the new folder if that was complete when its writer was killed', async () => {
    const leftover = await killedBetweenRenames();
    await rename(leftover('part'), leftover('new'));
    await mkdir(leftover('old'));
    await fillWith('old')(leftover('old'));
    await recoverFolder(target());
    expect(await content()).toBe('new');
    expect(await readdir(folder)).toEqual(['model']);
  });
});

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

const created: string[] = [];

afterAll(async () => {
  for (const folder of created.splice(0)) await rm(folder, { recursive: true, force: true });
});

/** A fresh folder that is removed after the tests of the file. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'dalle-mini-'));
  created.push(folder);
  return folder;
}

/** All files of a folder, whole, by name, except the log of a training run: it has times, which always differ. */
export async function contentOf(folder: string): Promise<Record<string, Buffer>> {
  const names = (await readdir(folder)).filter((name) => name !== 'run-log.jsonl').sort();
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name))])));
}

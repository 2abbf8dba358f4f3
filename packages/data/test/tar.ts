import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { type Header, pack } from 'tar-stream';

export type TarEntry = readonly [name: string, content: string | Uint8Array, headers?: Partial<Header>];

/** The bytes of a tar archive. */
export async function tarOf(entries: readonly TarEntry[]): Promise<Buffer> {
  const archive = pack();
  for (const [name, content, headers] of entries) {
    archive.entry({ name, ...headers }, typeof content === 'string' ? content : Buffer.from(content));
  }
  archive.finalize();
  return buffer(archive);
}

/** Writes a tar archive and returns its path. */
export async function tarWith(entries: readonly TarEntry[], folder?: string, name = 'shard-0.tar'): Promise<string> {
  const path = join(folder ?? (await temporaryFolder()), name);
  await writeFile(path, await tarOf(entries));
  return path;
}

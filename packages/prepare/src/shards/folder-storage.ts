import { createReadStream } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { exists, readBytes, withFileErrors, writeFileAtomically } from '@dalle-mini/core/node';
import type { Storage } from './storage.js';

/** The files of a folder. */
export class FolderStorage implements Storage {
  constructor(private readonly folder: string) {}

  async list(): Promise<ReadonlySet<string>> {
    return new Set(await withFileErrors('read', this.folder, () => readdir(this.folder)));
  }

  async read(name: string): Promise<Uint8Array | undefined> {
    const path = this.placeOf(name);
    return (await exists(path)) ? readBytes(path) : undefined;
  }

  parts(name: string): AsyncIterable<Uint8Array> {
    return createReadStream(this.placeOf(name), { highWaterMark: 2 ** 20 });
  }

  write(name: string, content: string | Uint8Array | AsyncIterable<Uint8Array>): Promise<void> {
    return writeFileAtomically(this.placeOf(name), content);
  }

  async remove(name: string): Promise<void> {
    await withFileErrors('write', this.placeOf(name), () => rm(this.placeOf(name), { force: true }));
  }

  placeOf(name: string): string {
    return join(this.folder, name);
  }
}

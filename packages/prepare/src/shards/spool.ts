import { randomUUID } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withFileErrors } from '@dalle-mini/core/node';

/** Where some bytes are in a {@link Spool}. */
export interface SpoolPlace {
  readonly offset: number;
  readonly size: number;
}

/**
 * A temporary file for the images of a shard: they arrive in any order, and are stored in the order of the list. It has no name, so that
 * the system frees it also if the process is killed.
 */
export class Spool {
  private end = 0;

  private constructor(
    private readonly file: FileHandle,
    private readonly path: string,
  ) {}

  static async open(folder = tmpdir()): Promise<Spool> {
    const path = join(folder, `dalle-mini-${randomUUID()}.tmp`);
    return withFileErrors('write', path, async () => {
      const file = await open(path, 'wx+');
      await rm(path);
      return new Spool(file, path);
    });
  }

  async append(bytes: Uint8Array): Promise<SpoolPlace> {
    const place = { offset: this.end, size: bytes.length };
    this.end += bytes.length;
    await withFileErrors('write', this.path, async () => {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await this.file.write(bytes, done, bytes.length - done, place.offset + done);
        done += bytesWritten;
      }
    });
    return place;
  }

  async read({ offset, size }: SpoolPlace): Promise<Buffer> {
    return withFileErrors('read', this.path, async () => {
      const { buffer } = await this.file.read(Buffer.alloc(size), 0, size, offset);
      return buffer;
    });
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { Readable } from 'node:stream';
import { withFileErrors } from '@dalle-mini/core/node';

/** Names of files and folders that systems and tools leave, and that are no part of a model. */
const leftOut = /^(\.git|\.cache|\.DS_Store|Thumbs\.db|desktop\.ini|__MACOSX|\._.*|\..*\.tmp)$/;

/** A file to upload: its path within the repository, and its content. */
export interface LocalFile {
  readonly name: string;
  readonly size: number;
  /** The path of a file, or its bytes. */
  readonly content: string | Uint8Array;
}

/** A file with the checksums by which a hub stores it. */
export interface HashedFile extends LocalFile {
  /** Of git: the SHA-1 of a header and the content. */
  readonly sha1: string;
  /** Of Git LFS. */
  readonly sha256: string;
}

/**
 * Lists the files of a folder and its folders by name, without what systems and tools leave. Links are followed.
 *
 * @throws FileError if the folder cannot be read.
 */
export async function listFiles(folder: string): Promise<LocalFile[]> {
  const paths = await withFileErrors('read', folder, () => readdir(folder, { recursive: true }));
  const files: LocalFile[] = [];
  for (const path of paths.sort()) {
    const segments = path.split(sep);
    if (segments.some((segment) => leftOut.test(segment))) continue;
    const content = join(folder, path);
    const found = await withFileErrors('read', content, () => stat(content));
    if (found.isFile()) files.push({ name: segments.join('/'), size: found.size, content });
  }
  return files;
}

/**
 * Computes the checksums of a file.
 *
 * @param read Called with the bytes of each part.
 * @throws FileError if it cannot be read; the reason of `signal`.
 */
export async function hashFile(
  file: LocalFile,
  signal: AbortSignal,
  read: (bytes: number) => void,
): Promise<HashedFile> {
  const sha1 = createHash('sha1').update(`blob ${file.size}\0`);
  const sha256 = createHash('sha256');
  await withFileErrors('read', String(file.content), async () => {
    for await (const chunk of blobOf(file, 0, file.size, read).stream()) {
      signal.throwIfAborted();
      sha1.update(chunk);
      sha256.update(chunk);
    }
  });
  return { ...file, sha1: sha1.digest('hex'), sha256: sha256.digest('hex') };
}

/**
 * Returns a part of a file as a blob, which is read only when it is sent, and as often as it is sent.
 *
 * @param read Called with the bytes of each part that is read.
 */
export function blobOf({ content }: LocalFile, start: number, end: number, read: (bytes: number) => void): Blob {
  return new FileBlob(content, start, end, read);
}

class FileBlob extends Blob {
  override readonly size: number;

  constructor(
    private readonly content: string | Uint8Array,
    private readonly start: number,
    private readonly end: number,
    private readonly read: (bytes: number) => void,
  ) {
    super([]);
    this.size = end - start;
  }

  override stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return Readable.toWeb(Readable.from(this.chunks())) as ReadableStream<Uint8Array<ArrayBuffer>>;
  }

  private async *chunks(): AsyncGenerator<Uint8Array> {
    const { content, start, end } = this;
    if (start === end) return;
    const chunks: AsyncIterable<Uint8Array> | Uint8Array[] =
      typeof content === 'string'
        ? createReadStream(content, { start, end: end - 1, highWaterMark: 2 ** 20 })
        : [content.subarray(start, end)];
    for await (const chunk of chunks) {
      yield chunk;
      this.read(chunk.byteLength);
    }
  }
}

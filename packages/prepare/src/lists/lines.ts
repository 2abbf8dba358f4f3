import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { openFile, withFileErrors } from '@dalle-mini/core/node';
import { DataError } from '@dalle-mini/data';

/** Bytes per read. With less, a list of millions of lines takes more time for reads than for lines. */
const chunkBytes = 2 ** 20;

/** Reads the bytes of a file, decompressed if its name ends in `.gz`. */
export async function* readParts(path: string): AsyncGenerator<Buffer> {
  await (await openFile(path)).close();
  const source = createReadStream(path, { highWaterMark: chunkBytes });
  const parts = path.toLowerCase().endsWith('.gz')
    ? pipeline(source, createGunzip({ chunkSize: chunkBytes }), () => undefined)
    : source;
  try {
    yield* parts as AsyncIterable<Buffer>;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code?.startsWith('Z_'))
      throw new DataError(`${path} is truncated or damaged: ${message}. Download it again.`, { cause: error });
    return withFileErrors('read', path, () => Promise.reject(error));
  } finally {
    source.destroy();
  }
}

/**
 * Reads the lines of a text in UTF-8, some thousands at a time: `await` for each line would take longer than the line. Empty lines are
 * in it, so that the caller can count.
 */
export async function* readLines(path: string): AsyncGenerator<string[]> {
  let rest: Buffer | undefined;
  let isFirst = true;
  for await (const part of readParts(path)) {
    const bytes: Buffer = rest === undefined ? part : Buffer.concat([rest, part]);
    const end = bytes.lastIndexOf(10);
    rest = bytes.subarray(end + 1);
    if (end === -1) continue;
    const text = bytes.toString('utf8', isFirst ? markLength(bytes) : 0, end);
    isFirst = false;
    yield text.split('\n').map(withoutReturn);
  }
  if (rest?.length) yield [withoutReturn(rest.toString('utf8', isFirst ? markLength(rest) : 0))];
}

/** Length of the byte order mark at the start of a file. */
function markLength(bytes: Buffer): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import type { ModelCache } from './cache.js';
import type { HubClient } from './client.js';
import { HubError, UnavailableError } from './error.js';
import type { StoredFile } from './listing.js';
import type { ByteMeter } from './progress.js';
import { withRetries } from './retries.js';

/** Number of new bytes after which a broken connection counts as one that worked. */
const goodStart = 2 ** 20;

/**
 * The position that the connections of a file have reached. A connection that restarts brings no new bytes before it.
 */
interface Reached {
  position: number;
}

/**
 * Downloads the content of a file to its blob in the cache. Resumes an earlier download. If this one is interrupted,
 * its bytes stay for the next one, unless they are wrong.
 *
 * @throws HubError if the hub refuses, sends another size than it listed, or sends content with another checksum twice.
 */
export async function downloadBlob(
  hub: HubClient,
  file: StoredFile,
  cache: ModelCache,
  progress: ByteMeter<'download'>,
): Promise<void> {
  const partial = await cache.claimPartial(file.etag);
  try {
    for (let fresh = false; ; fresh = true) {
      const reached = { position: 0 };
      await withRetries((recovered) => receiveRest(hub, file, partial, progress, reached, recovered), hub.signal);
      if ((await checksum(partial, file, hub.signal)) === file.etag) break;
      await rm(partial);
      progress.update(file.etag, 0);
      if (fresh) {
        throw new HubError(
          `${file.name} arrived twice with a checksum that the hub did not list. Check the network and HF_ENDPOINT, and try again.`,
        );
      }
    }
    await cache.keepPartial(partial, file.etag);
  } finally {
    cache.releasePartial(partial);
  }
}

/** Appends the missing bytes to `partial`. */
async function receiveRest(
  hub: HubClient,
  file: StoredFile,
  partial: string,
  progress: ByteMeter<'download'>,
  reached: Reached,
  recovered: () => void,
): Promise<void> {
  const handle = await open(partial, 'a');
  try {
    let position = (await handle.stat()).size;
    const known = Math.max(reached.position, position);
    progress.update(file.etag, position);
    if (position < file.size) {
      const headers: Record<string, string> = position > 0 ? { range: `bytes=${position}-` } : {};
      await hub.request(file.url, { headers }, async (response, body) => {
        position = await begin(hub, response, file, handle, position);
        const repeated = known - position;
        for await (const chunk of body) {
          position += chunk.byteLength;
          if (position > file.size) throw otherSize(file, `at least ${position}`);
          await handle.appendFile(chunk);
          progress.update(file.etag, position, chunk.byteLength);
          reached.position = Math.max(known, position);
          // A host that ignores ranges must get twice as far each time, so that the total stays a few times the size of
          // the file.
          if (position - known > Math.max(goodStart, repeated)) recovered();
        }
      });
      if (position < file.size) {
        throw new UnavailableError(
          `${file.name} ended after ${position} of ${file.size} bytes. Try again: the download resumes there.`,
        );
      }
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Returns the position at which the body of an answer begins, and truncates the file of `handle` to it. */
async function begin(
  hub: HubClient,
  response: Response,
  file: StoredFile,
  handle: FileHandle,
  position: number,
): Promise<number> {
  const [, first, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get('content-range') ?? '') ?? [];
  if (response.status === 416 || (response.status === 206 && Number(first) !== position)) {
    // The next attempt asks for the whole file.
    await handle.truncate(0);
    throw new UnavailableError(`${file.name} cannot be resumed at byte ${position}. Try again: the download restarts.`);
  }
  hub.expectSuccess(response, file.name);
  const start = response.status === 206 ? position : 0;
  const length = response.headers.get('content-length');
  const size = response.status === 206 ? total : length;
  // As a number: a header may have thousands of digits.
  if (size != null && Number(size) !== file.size) throw otherSize(file, String(Number(size)));
  if (start < position) await handle.truncate(start);
  return start;
}

function otherSize(file: StoredFile, size: string): HubError {
  return new HubError(
    `${file.name} must have ${file.size} bytes, as the hub listed, not ${size}. Check HF_ENDPOINT, or try again later.`,
  );
}

/** Computes the checksum of a file. Git hashes a header before the content. */
async function checksum(path: string, { etag, size }: StoredFile, signal: AbortSignal): Promise<string> {
  const hash = etag.length === 64 ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`);
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) {
    signal.throwIfAborted();
    hash.update(chunk);
  }
  return hash.digest('hex');
}

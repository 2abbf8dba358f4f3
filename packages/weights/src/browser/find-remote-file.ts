import { UnavailableError } from '../hub/error.js';
import { type Connection, request, StatusError, withRetries } from './connection.js';
import { isDownloaded } from './kept-file.js';
import type { RemoteFile } from './remote-file.js';

export interface FindOptions extends Connection {
  /** Does not use the network. */
  readonly offline: boolean;
  /** Whether an error explains why a needed file is not found, or there is none. */
  readonly needed: boolean;
}

/**
 * Asks a host for the size and the version of a file. If the host cannot be reached, the file that the browser has kept counts.
 *
 * @returns The file, or none if there is none.
 * @throws HubError if the host refuses, or if it cannot be reached and the file is needed.
 */
export async function findRemoteFile(
  name: string,
  url: string,
  { offline, needed, ...connection }: FindOptions,
): Promise<RemoteFile | undefined> {
  try {
    if (offline) throw new UnavailableError(`${name}: offline is true. Open the model once without it.`);
    const init = { method: 'HEAD', cache: 'no-cache' } as const;
    const { headers } = await withRetries(
      () => request(url, name, connection, init, async (response) => response),
      connection.signal,
    );
    const length = headers.get('content-encoding') === null ? headers.get('content-length') : null;
    const version = [headers.get('etag'), headers.get('last-modified'), length].filter(Boolean).join(' ');
    return { name, url, size: length === null ? undefined : Number(length), version };
  } catch (error) {
    connection.signal.throwIfAborted();
    if (error instanceof UnavailableError) {
      if (await isDownloaded(url)) return { name, url };
      if (needed) throw error;
      return undefined;
    }
    if (!(error instanceof StatusError)) throw error;
    if (error.status === 404) return undefined;
    if (error.status === 405 || error.status === 501) return { name, url };
    throw error;
  }
}

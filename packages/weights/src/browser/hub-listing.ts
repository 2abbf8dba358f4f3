import { BrowserFolder } from '@dalle-mini/core/browser';
import { HubError, UnavailableError } from '../hub/error.js';
import { readListing } from '../hub/listing.js';
import { type Connection, request, withRetries } from './connection.js';
import type { RemoteFile } from './remote-file.js';

export interface HubListingOptions extends Connection {
  /** A branch, a tag or a commit. */
  readonly revision: string;
  /** The address of the hub, without a slash at the end. */
  readonly endpoint: string;
  /** Whether the listing is kept, and taken from the browser when the hub cannot be reached. */
  readonly keep: boolean;
  /** Does not use the network. */
  readonly offline: boolean;
}

/** The files of a model of the hub. */
export interface HubListing {
  /** The commit, 40 hexadecimal digits. */
  readonly commit: string;
  readonly files: readonly RemoteFile[];
}

/**
 * Asks the hub for the files of a model. If it cannot be reached, returns the last answer.
 *
 * @throws HubError if the hub refuses, or cannot be reached and there is no earlier answer.
 */
export async function listHubModel(repo: string, options: HubListingOptions): Promise<HubListing> {
  const { revision, endpoint, keep, offline } = options;
  const folder = keep ? await BrowserFolder.open('dalle-mini', 'listings') : undefined;
  const name = encodeURIComponent(`${endpoint} ${repo} ${revision}`);
  try {
    if (offline) throw new UnavailableError(`${repo}: offline is true. Download the model once without it.`);
    const listing = await ask(repo, options);
    await folder?.write(name, new TextEncoder().encode(JSON.stringify(listing)));
    return listing;
  } catch (error) {
    const earlier = error instanceof UnavailableError ? await folder?.read(name) : undefined;
    if (!earlier) throw error;
    return JSON.parse(await earlier.text()) as HubListing;
  }
}

async function ask(repo: string, options: HubListingOptions): Promise<HubListing> {
  const hub = {
    endpoint: options.endpoint,
    timeout: 10_000,
    json: (url: URL, what: string) => readJson(url, what, options),
  };
  const { commit, files } = await readListing(hub, repo, options.revision);
  return { commit, files: files.map(({ name, size, etag, url }) => ({ name, size, checksum: etag, url: url.href })) };
}

async function readJson(url: URL, what: string, connection: Connection) {
  const init = { headers: { accept: 'application/json' }, cache: 'no-cache' } as const;
  return withRetries(
    () =>
      request(url.href, what, connection, init, async (response) => {
        const next = /<([^>]+)>;\s*rel="?next"?/.exec(response.headers.get('link') ?? '')?.[1];
        const value: unknown = await response.json().catch((cause: unknown) => {
          throw new HubError(`${what}: ${url.host} must answer with the JSON of a hub, and did not. Check endpoint.`, {
            cause,
          });
        });
        return { value, next: next === undefined ? undefined : new URL(next, url) };
      }),
    connection.signal,
  );
}

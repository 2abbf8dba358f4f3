import { quote } from '@dalle-mini/core';
import type { HubClient } from './client.js';
import { HubError } from './error.js';

/** A file of a repository. */
export interface HubFile {
  /** Its path within the repository, with slashes, such as `vae/config.json`. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
}

/** A file and its content on the hub. */
export interface StoredFile extends HubFile {
  /**
   * The checksum of its content: the SHA-256 of a large file (Git LFS), git's SHA-1 of another; in hexadecimal digits.
   */
  readonly etag: string;
  readonly url: URL;
}

/** What reads JSON of a hub. */
export type HubReader = Pick<HubClient, 'endpoint' | 'timeout' | 'json'>;

const sha1 = /^[0-9a-f]{40}$/;
const sha256 = /^[0-9a-f]{64}$/;

/** The largest number of pages of a listing, of up to 1000 files each. */
const maxPages = 1000;

/** Time in which the last page of a listing must begin, in units of the timeout. */
const listingDeadline = 60;

/** Checks whether a revision is a commit. */
export function isCommit(revision: string): boolean {
  return sha1.test(revision);
}

/**
 * Asks the hub for the commit of a revision, and for its files.
 *
 * @throws HubError if the hub refuses, sends something other than a listing, or lists a name that is not safe as a
 *   path.
 */
export async function readListing(
  hub: HubReader,
  repo: string,
  revision: string,
  retries?: number,
): Promise<{ commit: string; files: StoredFile[] }> {
  const what = `${repo} at ${revision}`;
  const api = `${hub.endpoint}/api/models/${repo}`;
  const { value } = await hub.json(new URL(`${api}/revision/${encodeURIComponent(revision)}`), what, retries);
  const commit = (value as { sha?: unknown } | null)?.sha;
  if (typeof commit !== 'string' || !isCommit(commit)) {
    throw new HubError(
      `${what}: the hub must return a commit of 40 hexadecimal digits, and did not. Check HF_ENDPOINT.`,
    );
  }
  if (isCommit(revision) && commit !== revision) {
    throw new HubError(`${what}: the hub returned another commit, ${commit}. Check HF_ENDPOINT.`);
  }
  const contents = `${hub.endpoint}/${repo}/resolve/${commit}`;
  const files: StoredFile[] = [];
  let page: URL | undefined = new URL(`${api}/tree/${commit}?recursive=true`);
  const end = performance.now() + listingDeadline * hub.timeout;
  for (let pages = 0; page !== undefined; pages++) {
    if (pages === maxPages || performance.now() > end)
      throw new HubError(`${what}: the listing has no end. Check HF_ENDPOINT.`);
    const { value, next }: { value: unknown; next: URL | undefined } = await hub.json(page, what, retries);
    if (!Array.isArray(value))
      throw new HubError(`${what}: the hub's listing must be a list, and is not. Check HF_ENDPOINT.`);
    for (const entry of value) {
      if (entry?.type !== 'directory') files.push(storedFile(entry, contents, what));
    }
    page = next;
  }
  return { commit, files };
}

function storedFile(entry: unknown, contents: string, what: string): StoredFile {
  const { path, size, oid, lfs } = (entry ?? {}) as Record<string, unknown>;
  if (typeof path !== 'string') throw new HubError(`${what}: the hub lists a file without a name. Check HF_ENDPOINT.`);
  if (!isInsideFolder(path)) {
    throw new HubError(
      `${what}: the hub lists the file ${quote(path)}, which may lead out of its folder. Nothing was written. Do not trust this repository.`,
    );
  }
  if (!Number.isSafeInteger(size) || (size as number) < 0) {
    throw new HubError(`${what}: the hub lists ${quote(path)} without a size. Check HF_ENDPOINT.`);
  }
  const etag = lfs ? (lfs as Record<string, unknown>).oid : oid;
  if (typeof etag !== 'string' || !(lfs ? sha256 : sha1).test(etag)) {
    throw new HubError(`${what}: the hub lists ${quote(path)} without a checksum. Check HF_ENDPOINT.`);
  }
  const url = new URL(`${contents}/${path.split('/').map(encodeURIComponent).join('/')}`);
  return { name: path, size: size as number, etag, url };
}

/** Checks whether a path stays inside its folder on every system. Names from the hub are not trusted. */
export function isInsideFolder(path: string): boolean {
  // Windows takes segments of dots and spaces for `..`, and `C:` for a drive.
  return !path.split('/').some((segment) => /^([. ]*|[a-z]:.*)$/i.test(segment)) && !/[\\\p{Cc}]/u.test(path);
}

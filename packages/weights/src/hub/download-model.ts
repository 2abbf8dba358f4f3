import { quote } from '@dalle-mini/core';
import { FileError, isSystemError } from '@dalle-mini/core/node';
import { listNames } from '../errors/lists.js';
import { fileSize, ModelCache } from './cache.js';
import { HubClient } from './client.js';
import { downloadBlob } from './download-file.js';
import { HubError, UnavailableError } from './error.js';
import { checkPath, type HubFile, readListing, type StoredFile } from './listing.js';
import { DownloadMeter, type DownloadProgress } from './progress.js';
import { RETRIES } from './retries.js';
import { cacheFolder, hubEndpoint, hubTimeout, hubToken, isOffline } from './settings.js';

export interface DownloadOptions {
  /** The names of the files; or a function that chooses them, from all files of the repository. */
  readonly files: readonly string[] | ((listing: readonly HubFile[]) => readonly string[]);
  /** A branch, a tag or a commit. Default: `main`. */
  readonly revision?: string;
  /** The folder of all models. Default: `HF_HUB_CACHE`, or `hub` in `HF_HOME`, or `~/.cache/huggingface/hub`. */
  readonly cacheDir?: string;
  /** The hub's address, or a mirror's. Default: `HF_ENDPOINT`, or `https://huggingface.co`. */
  readonly endpoint?: string;
  /** Access token. Default: `HF_TOKEN`, or the one that `hf auth login` left. */
  readonly token?: string;
  /** Cancels the download: the promise rejects with the signal's reason. What has arrived stays for the next call. */
  readonly signal?: AbortSignal;
  /** Hears of the bytes, up to ten times a second, and once at the end. */
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Takes what the cache holds, and asks no hub. Default: whether `HF_HUB_OFFLINE` is 1. */
  readonly offline?: boolean;
  /** Files that are downloaded at once. Default: 4. */
  readonly parallel?: number;
}

export interface DownloadedModel {
  /** The folder that holds the files, by their names; and maybe others of the same commit. */
  readonly folder: string;
  /** The commit, 40 hexadecimal digits. */
  readonly revision: string;
  /** The path of each file that was asked for, by its name. */
  readonly files: ReadonlyMap<string, string>;
  /** `cache` if the hub was not asked, or could not be reached: a branch may have moved on. */
  readonly source: 'hub' | 'cache';
}

/**
 * Downloads files of a model into the cache that huggingface_hub, in Python, shares, unless they are there. A download that
 * was stopped, or killed, goes on where it was. A file gets its name once it is whole and its checksum is that of the hub's listing.
 *
 * Where the hub cannot be reached, the commit that the revision was at the last download does, if the cache holds the files.
 *
 * @param repo The repository, `organization/name`.
 * @throws HubError if the hub does not give a file, or not as listed; FileError if the system refuses to write; the signal's reason.
 */
export async function downloadModel(repo: string, options: DownloadOptions): Promise<DownloadedModel> {
  const { files: wanted, revision = 'main', parallel = 4, offline = isOffline() } = options;
  if (!/^\w[\w.-]*(\/\w[\w.-]*)?$/.test(repo) || /--|\.\./.test(repo)) {
    throw new HubError(`There is no repository ${quote(repo)}; names are such as dalle-mini/dalle-mini.`);
  }
  checkPath(revision, 'There is no revision');
  if (!(parallel >= 1)) throw new HubError(`parallel is ${parallel}; at least 1 file has to come at a time.`);
  const what = `${repo} at ${revision}`;
  const cache = new ModelCache(options.cacheDir ?? cacheFolder(), repo);
  // Aborts with the first error, for the files that are still coming.
  const failure = new AbortController();
  const signal = AbortSignal.any(options.signal ? [options.signal, failure.signal] : [failure.signal]);
  signal.throwIfAborted();
  try {
    const cached = await cache.commitOf(revision);
    if (offline) {
      const why = new HubError('No hub is asked, offline: download it once without HF_HUB_OFFLINE.');
      return await cachedModel(cache, cached, what, wanted, why);
    }

    const hub = new HubClient(hubEndpoint(options.endpoint), await hubToken(options.token), hubTimeout(), signal);
    let listing: Awaited<ReturnType<typeof readListing>>;
    try {
      listing = await readListing(hub, repo, revision, cached === undefined ? RETRIES : 0);
    } catch (error) {
      if (!(error instanceof UnavailableError) || cached === undefined) throw error;
      // Files that are in the cache need not wait for a network that is down. Missing ones do.
      const model = await cachedModel(cache, cached, what, wanted, error).catch(() => undefined);
      if (model !== undefined) return model;
      listing = await readListing(hub, repo, revision, RETRIES);
    }
    const { commit } = listing;
    const names = choose(wanted, listing.files);
    const blobs = blobsOf(names, listing.files, what);
    const progress = new DownloadMeter(
      blobs.reduce((sum, [{ size }]) => sum + size, 0),
      options.onProgress,
    );
    const queue = blobs.values();
    const work = async () => {
      try {
        for (const files of queue) await provide(files, commit, cache, hub, progress);
      } catch (error) {
        failure.abort(error);
      }
    };
    await Promise.all(Array.from({ length: Math.min(parallel, blobs.length) }, work));
    signal.throwIfAborted();
    await cache.setCommit(revision, commit);
    progress.report();
    return downloadedModel(cache, commit, names, 'hub');
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new FileError(offline ? 'read' : 'write', error.path ?? cache.folder, error);
  }
}

function choose(wanted: DownloadOptions['files'], listing: readonly HubFile[]): string[] {
  const names = typeof wanted === 'function' ? wanted(listing.map(({ name, size }) => ({ name, size }))) : wanted;
  return [...new Set(names)];
}

/** Files of one content, of which there is at least one. */
type SameContent = readonly [StoredFile, ...StoredFile[]];

/** The files of these names, by their content. */
function blobsOf(names: readonly string[], listing: readonly StoredFile[], what: string): SameContent[] {
  const byName = new Map(listing.map((file) => [file.name, file]));
  const blobs = new Map<string, [StoredFile, ...StoredFile[]]>();
  for (const name of names) {
    const file = byName.get(name);
    if (file === undefined) {
      throw new HubError(
        `${what} has no file ${quote(name)}. Choose among its ${byName.size} files: ${listNames([...byName.keys()])}.`,
      );
    }
    const blob = blobs.get(file.etag);
    if (blob === undefined) blobs.set(file.etag, [file]);
    else blob.push(file);
  }
  return [...blobs.values()];
}

/** Sees to it that the cache has the files of a content, whole. */
async function provide(
  files: SameContent,
  commit: string,
  cache: ModelCache,
  hub: HubClient,
  progress: DownloadMeter,
): Promise<void> {
  const [{ etag, size }] = files;
  const absent: StoredFile[] = [];
  for (const file of files) if ((await fileSize(cache.path(commit, file.name))) !== size) absent.push(file);
  if (absent.length > 0 && (await fileSize(cache.blob(etag))) !== size) {
    await downloadBlob(hub, files[0], cache, progress);
  } else {
    progress.update(etag, size);
  }
  for (const { name } of absent) await cache.link(etag, commit, name);
}

/** @throws HubError, with `why` the hub does not help, unless the cache holds all that is wanted. */
async function cachedModel(
  cache: ModelCache,
  commit: string | undefined,
  what: string,
  wanted: DownloadOptions['files'],
  why: HubError,
): Promise<DownloadedModel> {
  if (commit === undefined) {
    throw new HubError(`The cache at ${cache.folder} holds nothing of ${what}. ${why.message}`, { cause: why });
  }
  const listing = await cache.files(commit);
  const held = new Set(listing.map(({ name }) => name));
  const names = choose(wanted, listing);
  const missing = names.filter((name) => !held.has(name));
  if (missing.length > 0) {
    const lacks = `The cache at ${cache.folder} lacks ${listNames(missing)} of ${what}.`;
    throw new HubError(`${lacks} ${why.message}`, { cause: why });
  }
  return downloadedModel(cache, commit, names, 'cache');
}

function downloadedModel(
  cache: ModelCache,
  commit: string,
  names: readonly string[],
  source: DownloadedModel['source'],
): DownloadedModel {
  const files = new Map(names.map((name) => [name, cache.path(commit, name)]));
  return { folder: cache.snapshot(commit), revision: commit, files, source };
}

import { field, integer, OptionError, object, optional, quote, readOptions } from '@dalle-mini/core';
import { FileError, isSystemError } from '@dalle-mini/core/node';
import { listNames } from '../errors/lists.js';
import { fileSize, ModelCache } from './cache.js';
import { HubClient } from './client.js';
import { downloadBlob } from './download-file.js';
import { HubError, UnavailableError } from './error.js';
import { type HubFile, readListing, type StoredFile } from './listing.js';
import { type HubOptions, hubFields } from './options.js';
import { DownloadMeter } from './progress.js';
import { RETRIES } from './retries.js';
import { cacheFolder, hubEndpoint, hubTimeout, hubToken, isOffline } from './settings.js';

export interface DownloadOptions extends HubOptions {
  /** The names of the files; or a function that chooses them, from all files of the repository. */
  readonly files: readonly string[] | ((listing: readonly HubFile[]) => readonly string[]);
  /** Number of files downloaded at once, 1 to 64. Default 4. */
  readonly parallel?: number | undefined;
}

const downloadFields = object<DownloadOptions>({
  ...hubFields,
  files: field(
    'a list of file names, or a function that returns one',
    (value) => typeof value === 'function' || (Array.isArray(value) && value.every((name) => typeof name === 'string')),
  ),
  parallel: optional(integer({ min: 1, max: 64 })),
});

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
  const {
    files,
    revision = 'main',
    parallel = 4,
    cacheDir,
    offline = isOffline(),
    ...given
  } = readOptions(downloadFields, options, 'downloadModel');
  if (typeof repo !== 'string' || !/^\w[\w.-]*(\/\w[\w.-]*)?$/.test(repo) || /--|\.\./.test(repo))
    throw new OptionError('repo', 'a name such as "dalle-mini/dalle-mini"', repo);
  const what = `${repo} at ${revision}`;
  const cache = new ModelCache(cacheDir ?? cacheFolder(), repo);
  // Aborts with the first error, for the files that are still coming.
  const failure = new AbortController();
  const signal = AbortSignal.any(given.signal ? [given.signal, failure.signal] : [failure.signal]);
  signal.throwIfAborted();
  try {
    const cached = await cache.commitOf(revision);
    if (offline) {
      const why = new HubError('No hub is asked, offline: download it once without HF_HUB_OFFLINE.');
      return await cachedModel(cache, cached, what, files, why);
    }

    const hub = new HubClient(hubEndpoint(given.endpoint), await hubToken(given.token), hubTimeout(), signal);
    let listing: Awaited<ReturnType<typeof readListing>>;
    try {
      listing = await readListing(hub, repo, revision, cached === undefined ? RETRIES : 0);
    } catch (error) {
      if (!(error instanceof UnavailableError) || cached === undefined) throw error;
      // Files that are in the cache need not wait for a network that is down. Missing ones do.
      const model = await cachedModel(cache, cached, what, files, error).catch(() => undefined);
      if (model !== undefined) return model;
      listing = await readListing(hub, repo, revision, RETRIES);
    }
    const { commit } = listing;
    const names = choose(files, listing.files);
    const blobs = blobsOf(names, listing.files, what);
    const progress = new DownloadMeter(
      blobs.reduce((sum, [{ size }]) => sum + size, 0),
      given.onProgress,
      (error) => failure.abort(error),
    );
    const queue = blobs.values();
    const work = async () => {
      try {
        for (const same of queue) await provide(same, commit, cache, hub, progress);
      } catch (error) {
        failure.abort(error);
      }
    };
    await Promise.all(Array.from({ length: Math.min(parallel, blobs.length) }, work));
    signal.throwIfAborted();
    await cache.setCommit(revision, commit);
    await progress.finish();
    signal.throwIfAborted();
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

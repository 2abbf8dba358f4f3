import { field, integer, OptionError, object, optional, quote, readOptions } from '@dalle-mini/core';
import { FileError, isSystemError } from '@dalle-mini/core/node';
import { listNames } from '../errors/lists.js';
import { fileSize, ModelCache } from './cache.js';
import { HubClient } from './client.js';
import { downloadBlob } from './download-file.js';
import { HubError, UnavailableError } from './error.js';
import { type HubFile, readListing, type StoredFile } from './listing.js';
import { type HubOptions, hubFields } from './options.js';
import { ByteMeter } from './progress.js';
import { proxySettings } from './proxy.js';
import { maxRetries } from './retries.js';
import { cacheFolder, hubEndpoint, hubTimeout, hubToken, isOffline } from './settings.js';

export interface DownloadOptions extends HubOptions {
  /** The names of the files, or a function that chooses them from all files of the repository. */
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
  /** The folder of the files. It may have other files of the same commit. */
  readonly folder: string;
  /** The commit, 40 hexadecimal digits. */
  readonly revision: string;
  /** The path of each requested file, by its name. */
  readonly files: ReadonlyMap<string, string>;
  /** `cache` if the hub was not asked or could not be reached: a branch may have changed since. */
  readonly source: 'hub' | 'cache';
}

/**
 * Downloads files of a model into the cache, unless they are there. The cache is that of huggingface_hub in Python. An
 * interrupted download resumes. A file gets its name when it is complete and has the checksum of the hub's listing.
 *
 * If the hub cannot be reached, the commit of the last download of the revision is used, if the cache has the files.
 *
 * @param repo The name of the repository, `organization/name`.
 * @throws HubError if the hub does not provide a file, or another one than it listed; FileError if the disk refuses;
 *   OptionError; the signal's reason.
 *
 * @example
 * ```ts no-run
 * import { downloadModel, huggingFaceFiles } from '@dalle-mini/weights/hub';
 *
 * const { folder } = await downloadModel('openai/clip-vit-base-patch32', { files: huggingFaceFiles });
 * ```
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
  // The first error aborts the downloads of the other files.
  const failure = new AbortController();
  const signal = AbortSignal.any(given.signal ? [given.signal, failure.signal] : [failure.signal]);
  signal.throwIfAborted();
  try {
    const cached = await cache.commitOf(revision);
    if (offline) {
      const why = new HubError(
        'The network is not used in offline mode. Download the model once without HF_HUB_OFFLINE.',
      );
      return await cachedModel(cache, cached, what, files, why);
    }

    const token = await hubToken(given.token);
    const hub = new HubClient(hubEndpoint(given.endpoint), token, hubTimeout(), signal, proxySettings());
    let listing: Awaited<ReturnType<typeof readListing>>;
    try {
      listing = await readListing(hub, repo, revision, cached === undefined ? maxRetries : 0);
    } catch (error) {
      if (!(error instanceof UnavailableError) || cached === undefined) throw error;
      // Files in the cache do not wait for a network that is down. Missing files do.
      const model = await cachedModel(cache, cached, what, files, error).catch(() => undefined);
      if (model !== undefined) return model;
      listing = await readListing(hub, repo, revision, maxRetries);
    }
    const { commit } = listing;
    const names = choose(files, listing.files);
    const blobs = blobsOf(names, listing.files, what);
    const progress = new ByteMeter(
      'download',
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

/** One or more files with the same content. */
type SameContent = readonly [StoredFile, ...StoredFile[]];

/** Groups the files of these names by their content. */
function blobsOf(names: readonly string[], listing: readonly StoredFile[], what: string): SameContent[] {
  const byName = new Map(listing.map((file) => [file.name, file]));
  const blobs = new Map<string, [StoredFile, ...StoredFile[]]>();
  for (const name of names) {
    const file = byName.get(name);
    if (file === undefined) {
      throw new HubError(
        `${what} has no file ${quote(name)}. Choose from its ${byName.size} files: ${listNames([...byName.keys()])}.`,
      );
    }
    const blob = blobs.get(file.etag);
    if (blob === undefined) blobs.set(file.etag, [file]);
    else blob.push(file);
  }
  return [...blobs.values()];
}

/** Puts the files of one content into the cache, unless they are there. */
async function provide(
  files: SameContent,
  commit: string,
  cache: ModelCache,
  hub: HubClient,
  progress: ByteMeter<'download'>,
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

/**
 * Finds the files in the cache.
 *
 * @param why Why the hub is not used.
 * @throws HubError with `why` if a file is missing.
 */
async function cachedModel(
  cache: ModelCache,
  commit: string | undefined,
  what: string,
  wanted: DownloadOptions['files'],
  why: HubError,
): Promise<DownloadedModel> {
  if (commit === undefined) {
    throw new HubError(`The cache at ${cache.folder} has no files of ${what}. ${why.message}`, { cause: why });
  }
  const listing = await cache.files(commit);
  const cached = new Set(listing.map(({ name }) => name));
  const names = choose(wanted, listing);
  const missing = names.filter((name) => !cached.has(name));
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

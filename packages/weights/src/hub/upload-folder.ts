import {
  abortSignal,
  boolean,
  callback,
  field,
  integer,
  list,
  OptionError,
  object,
  optional,
  readOptions,
  string,
} from '@dalle-mini/core';
import { HubClient } from './client.js';
import { HubError } from './error.js';
import { parseAnswer, sendLargeFiles } from './large-files.js';
import { isCommit, isInsideFolder, readListing, type StoredFile } from './listing.js';
import { blobOf, type HashedFile, hashFile, type LocalFile, listFiles } from './local-files.js';
import { type HubOptions, hubFields } from './options.js';
import { ByteMeter, type UploadProgress } from './progress.js';
import { proxySettings } from './proxy.js';
import { hubEndpoint, hubTimeout, hubToken } from './settings.js';
import { expectAccepted } from './upload-error.js';

export interface UploadOptions extends Pick<HubOptions, 'endpoint' | 'token' | 'signal'> {
  /** The branch, which is created if it is missing. Default `main`. */
  readonly revision?: string | undefined;
  /** Whether a repository that is created is private. Default: what the account sets, usually public. */
  readonly private?: boolean | undefined;
  /** The first line of the commit's message. Default `Upload model`. */
  readonly message?: string | undefined;
  /** More files, by their names in the repository. They replace files of the folder. */
  readonly files?: ReadonlyMap<string, Uint8Array> | undefined;
  /** Names of files that are not sent if the repository has them, with whatever content. */
  readonly keep?: readonly string[] | undefined;
  /** Asks the hub what it has, and changes nothing. Default false. */
  readonly dryRun?: boolean | undefined;
  /** Number of large files that are sent at once, 1 to 16. Default 4. */
  readonly parallel?: number | undefined;
  /** Receives the number of bytes, up to ten times a second, and once at the end of each stage. */
  readonly onProgress?: ((progress: UploadProgress) => void) | undefined;
}

const uploadFields = object<UploadOptions>({
  endpoint: hubFields.endpoint,
  token: hubFields.token,
  signal: optional(abortSignal()),
  revision: optional(
    field('the name of a branch', (value) => typeof value === 'string' && isInsideFolder(value) && !isCommit(value)),
    'main',
  ),
  private: optional(boolean()),
  message: optional(string(), 'Upload model'),
  files: optional(
    field<ReadonlyMap<string, Uint8Array>>(
      'a Map of bytes by file name',
      (value) =>
        value instanceof Map &&
        [...value].every(([name, bytes]) => isInsideFolder(String(name)) && bytes instanceof Uint8Array),
    ),
  ),
  keep: optional(list(string())),
  dryRun: optional(boolean(), false),
  parallel: optional(integer({ min: 1, max: 16 }), 4),
  onProgress: optional(callback()),
});

/** A file of an upload. */
export interface UploadedFile {
  /** Its path within the repository. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** `unchanged` if the revision had it already, or is to keep its own; or else `sent`. */
  readonly state: 'sent' | 'unchanged';
}

export interface UploadedFolder {
  /** The address of the repository's page. */
  readonly url: string;
  /** Whether the repository was created. */
  readonly created: boolean;
  /** The commit with these files. `undefined` for a dry run of an upload that would change something. */
  readonly commit: string | undefined;
  readonly files: readonly UploadedFile[];
}

/** Most files in one question of how to send them. */
const preuploadSize = 256;

/** Bytes of the beginning of a file from which the hub decides how it must be sent. */
const sampleSize = 512;

/**
 * Uploads the files of a folder to a repository of the Hugging Face hub in one commit. The repository is created if it
 * is missing. Files that it has already are not sent again, and large files are not sent twice if an upload was
 * interrupted. Files that only the repository has remain.
 *
 * @param repo The name of the repository, `owner/name`.
 * @throws HubError if the hub refuses, with its reason; FileError if a file cannot be read; OptionError; the signal's
 *   reason.
 *
 * @example
 * ```ts no-run
 * import { uploadFolder } from '@dalle-mini/weights/hub';
 *
 * const { url } = await uploadFolder('model', 'owner/name', { private: true });
 * console.log(url);
 * ```
 */
export async function uploadFolder(folder: string, repo: string, options: UploadOptions = {}): Promise<UploadedFolder> {
  const given = readOptions(uploadFields, options, 'uploadFolder');
  const { revision = 'main', files = new Map<string, Uint8Array>(), keep = [], dryRun, parallel = 4 } = given;
  const { onProgress } = given;
  checkRepo(repo);
  const token = await hubToken(given.token);
  if (token === undefined) {
    throw new HubError(
      'An upload needs an access token. Set HF_TOKEN to one that may write, or sign in with "hf auth login".',
    );
  }
  // The first error stops the other files.
  const failure = new AbortController();
  const signal = AbortSignal.any(given.signal ? [given.signal, failure.signal] : [failure.signal]);
  const hub = new HubClient(hubEndpoint(given.endpoint), token, hubTimeout(), signal, proxySettings());
  const fail = (error: unknown) => failure.abort(error);
  signal.throwIfAborted();

  const local = new Map((await listFiles(folder)).map((file) => [file.name, file]));
  for (const [name, content] of files) local.set(name, { name, size: content.byteLength, content });
  if (local.size === 0) throw new HubError(`${folder} has no files to upload. Check the folder.`);
  const hashed = await hashAll(
    [...local.values()],
    new ByteMeter('hash', bytesOf(local.values()), onProgress, fail),
    signal,
  );

  const upload: Upload = { hub, repo, revision, message: given.message ?? 'Upload model' };
  const exists = await repositoryExists(upload);
  if (!exists && !dryRun) await createRepository(upload, given.private);
  if (exists && !dryRun && revision !== 'main') await createBranch(upload);
  const there = exists || !dryRun ? await listingOf(upload, dryRun === true) : undefined;
  const kept = new Set(there?.files.map(({ name }) => name).filter((name) => keep.includes(name)));
  const changed = changedFiles(hashed, there?.files).filter(({ name }) => !kept.has(name));
  const result = (commit: string | undefined): UploadedFolder => ({
    url: `${hub.endpoint}/${repo}`,
    created: !exists && !dryRun,
    commit,
    files: hashed.map(({ name, size }) => ({
      name,
      size,
      state: changed.some((file) => file.name === name) ? 'sent' : 'unchanged',
    })),
  });
  if (dryRun) return result(changed.length === 0 ? there?.commit : undefined);
  if (changed.length === 0) return result(there!.commit);

  const progress = new ByteMeter('upload', bytesOf(changed), onProgress, fail);
  const large = await largeFilesOf(upload, changed);
  try {
    await sendLargeFiles(
      hub,
      repo,
      revision,
      changed.filter(({ name }) => large.has(name)),
      parallel,
      progress,
    );
  } catch (error) {
    failure.abort(error);
  }
  signal.throwIfAborted();
  let made: string;
  try {
    made = await commit(upload, changed, large, there!.commit);
  } catch (error) {
    // An attempt whose answer was lost may have made the commit.
    const now = error instanceof HubError ? await listingOf(upload, false).catch(() => undefined) : undefined;
    if (now === undefined || changedFiles(changed, now.files).length > 0) throw error;
    made = now.commit;
  }
  for (const { name, size } of changed) progress.update(name, size);
  await progress.finish();
  signal.throwIfAborted();
  return result(made);
}

interface Upload {
  readonly hub: HubClient;
  readonly repo: string;
  readonly revision: string;
  readonly message: string;
}

function checkRepo(repo: string): void {
  if (
    typeof repo !== 'string' ||
    !/^[\w-][\w.-]*\/\w[\w.-]*$/.test(repo) ||
    /--|\.\./.test(repo) ||
    /\.git$/.test(repo)
  )
    throw new OptionError('repo', 'a name such as "owner/name"', repo);
}

const bytesOf = (files: Iterable<LocalFile>) => [...files].reduce((sum, { size }) => sum + size, 0);

async function hashAll(
  files: readonly LocalFile[],
  progress: ByteMeter<'hash'>,
  signal: AbortSignal,
): Promise<HashedFile[]> {
  const hashed: HashedFile[] = [];
  for (const file of files) {
    let position = 0;
    hashed.push(
      await hashFile(file, signal, (bytes) => {
        position += bytes;
        progress.update(file.name, position, bytes);
      }),
    );
  }
  await progress.finish();
  signal.throwIfAborted();
  return hashed;
}

/** Returns the files that the listing does not have with the same content. */
function changedFiles(files: readonly HashedFile[], listing: readonly StoredFile[] = []): HashedFile[] {
  const etags = new Map(listing.map(({ name, etag }) => [name, etag]));
  return files.filter(({ name, sha1, sha256 }) => {
    const etag = etags.get(name);
    return etag !== sha1 && etag !== sha256;
  });
}

const json = { accept: 'application/json', 'content-type': 'application/json' };

async function repositoryExists({ hub, repo }: Upload): Promise<boolean> {
  const answer = await hub.send(new URL(`${hub.endpoint}/api/models/${repo}`), { headers: json }, repo);
  if (answer.status === 404) return false;
  expectAccepted(answer, repo);
  return true;
}

async function createRepository({ hub, repo }: Upload, isPrivate: boolean | undefined): Promise<void> {
  const [organization, name] = repo.split('/');
  const body = () => JSON.stringify({ type: 'model', organization, name, private: isPrivate });
  const address = new URL(`${hub.endpoint}/api/repos/create`);
  const answer = await hub.send(address, { method: 'POST', headers: json, body }, repo);
  // It was created meanwhile, for example by an attempt whose answer was lost.
  if (answer.status !== 409) expectAccepted(answer, repo);
}

async function createBranch({ hub, repo, revision }: Upload): Promise<void> {
  const address = new URL(`${hub.endpoint}/api/models/${repo}/branch/${encodeURIComponent(revision)}`);
  const answer = await hub.send(address, { method: 'POST', headers: json, body: () => '{}' }, repo);
  if (answer.status !== 409) expectAccepted(answer, `${repo} at ${revision}`);
}

/** Lists the revision. A dry run of an upload to a new branch has no listing. */
async function listingOf({ hub, repo, revision }: Upload, mayBeMissing: boolean) {
  try {
    return await readListing(hub, repo, revision);
  } catch (error) {
    if (mayBeMissing && error instanceof HubError && error.message.includes('(404)')) return undefined;
    throw error;
  }
}

/** Asks the hub which files must be sent to its store. Returns their names. */
async function largeFilesOf({ hub, repo, revision }: Upload, files: readonly HashedFile[]): Promise<Set<string>> {
  const large = new Set<string>();
  const address = new URL(`${hub.endpoint}/api/models/${repo}/preupload/${encodeURIComponent(revision)}`);
  for (let start = 0; start < files.length; start += preuploadSize) {
    const batch = files.slice(start, start + preuploadSize);
    const questions = await Promise.all(
      batch.map(async (file) => {
        const sample = await contentOf(file, Math.min(sampleSize, file.size));
        return { path: file.name, size: file.size, sample: sample.toString('base64') };
      }),
    );
    const body = () => JSON.stringify({ files: questions });
    const answer = await hub.send(address, { method: 'POST', headers: json, body }, repo);
    expectAccepted(answer, `${repo} at ${revision}`);
    const modes = parseAnswer<{ files?: readonly { path: string; uploadMode: string }[] }>(answer.text, repo).files;
    for (const { path, uploadMode } of modes ?? []) if (uploadMode === 'lfs') large.add(path);
  }
  return large;
}

/** Makes the commit. Returns its name. */
async function commit(
  { hub, repo, revision, message }: Upload,
  files: readonly HashedFile[],
  large: ReadonlySet<string>,
  parentCommit: string,
): Promise<string> {
  const lines: object[] = [{ key: 'header', value: { summary: message, description: '', parentCommit } }];
  for (const file of files) {
    const { name: path, sha256: oid, size } = file;
    if (large.has(path)) lines.push({ key: 'lfsFile', value: { path, algo: 'sha256', oid, size } });
    else {
      const content = (await contentOf(file, size)).toString('base64');
      lines.push({ key: 'file', value: { path, encoding: 'base64', content } });
    }
  }
  const answer = await hub.send(
    new URL(`${hub.endpoint}/api/models/${repo}/commit/${encodeURIComponent(revision)}`),
    {
      method: 'POST',
      headers: { ...json, 'content-type': 'application/x-ndjson' },
      body: () => lines.map((line) => `${JSON.stringify(line)}\n`).join(''),
    },
    repo,
  );
  expectAccepted(answer, `${repo} at ${revision}`);
  const { commitOid } = parseAnswer<{ commitOid?: unknown }>(answer.text, repo);
  if (typeof commitOid !== 'string') throw new HubError(`${repo}: the hub named no commit. Check HF_ENDPOINT.`);
  return commitOid;
}

/** Reads the first bytes of a file. */
async function contentOf(file: LocalFile, end: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of blobOf(file, 0, end, () => undefined).stream()) parts.push(part);
  return Buffer.concat(parts);
}

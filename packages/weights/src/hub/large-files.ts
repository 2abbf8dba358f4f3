import type { HubClient } from './client.js';
import { HubError } from './error.js';
import { blobOf, type HashedFile } from './local-files.js';
import type { ByteMeter } from './progress.js';
import { expectAccepted } from './upload-error.js';

/** Most files in one request to the hub's store. */
const batchSize = 100;

/** What a hub answers for one file. */
interface LfsObject {
  readonly oid: string;
  readonly error?: { readonly code: number; readonly message: string };
  readonly actions?: {
    readonly upload?: LfsAction;
    readonly verify?: LfsAction;
  };
}

interface LfsAction {
  readonly href: string;
  readonly header?: Readonly<Record<string, string>>;
}

/**
 * Sends files to the hub's store (the batch API of Git LFS, with `basic` transfers and the hub's `multipart`), unless
 * they are there.
 *
 * @throws HubError if the hub or the store refuses a file; the signal's reason.
 */
export async function sendLargeFiles(
  hub: HubClient,
  repo: string,
  revision: string,
  files: readonly HashedFile[],
  parallel: number,
  progress: ByteMeter<'upload'>,
): Promise<void> {
  for (let start = 0; start < files.length; start += batchSize) {
    const batch = files.slice(start, start + batchSize);
    const queue = (await askFor(hub, repo, revision, batch)).values();
    const work = async () => {
      for (const [file, object] of queue) {
        if (object.actions?.upload !== undefined) {
          await sendFile(hub, file, object.actions.upload, progress);
          if (object.actions.verify) await verify(hub, file, object.actions.verify);
        }
        progress.update(file.name, file.size);
      }
    };
    await Promise.all(Array.from({ length: Math.min(parallel, batch.length) }, work));
  }
}

/** Asks the hub which files its store lacks, and where to send them. */
async function askFor(
  hub: HubClient,
  repo: string,
  revision: string,
  files: readonly HashedFile[],
): Promise<[HashedFile, LfsObject][]> {
  const request = {
    operation: 'upload',
    transfers: ['basic', 'multipart'],
    hash_algo: 'sha256',
    ref: { name: revision },
    objects: files.map(({ sha256, size }) => ({ oid: sha256, size })),
  };
  const answer = await hub.send(
    new URL(`${hub.endpoint}/${repo}.git/info/lfs/objects/batch`),
    { method: 'POST', headers: lfsHeaders, body: () => JSON.stringify(request) },
    repo,
  );
  expectAccepted(answer, repo);
  const { objects } = parseAnswer<{ objects?: readonly LfsObject[] }>(answer.text, repo);
  const byOid = new Map((Array.isArray(objects) ? (objects as LfsObject[]) : []).map((object) => [object.oid, object]));
  return files.map((file) => {
    const object = byOid.get(file.sha256);
    if (object === undefined)
      throw new HubError(`${repo}: the hub did not answer for ${file.name}. Check HF_ENDPOINT.`);
    if (object.error) expectAccepted({ status: object.error.code, text: object.error.message }, file.name);
    return [file, object];
  });
}

const lfsHeaders = { accept: 'application/vnd.git-lfs+json', 'content-type': 'application/vnd.git-lfs+json' };

async function sendFile(
  hub: HubClient,
  file: HashedFile,
  { href, header = {} }: LfsAction,
  progress: ByteMeter<'upload'>,
): Promise<void> {
  const { chunk_size: chunkSize, ...rest } = header;
  if (chunkSize === undefined) {
    await put(hub, file, 0, file.size, href, rest, progress);
    return;
  }
  // A file of more than some gigabytes is sent in parts, whose addresses are in the headers `00001`, `00002`, …
  const addresses = Object.entries(rest).filter(([name]) => /^\d+$/.test(name));
  const size = Number(chunkSize);
  if (!(size > 0) || addresses.length !== Math.ceil(file.size / size))
    throw new HubError(`${file.name}: the hub asked for a wrong number of parts. Check HF_ENDPOINT.`);
  const parts: { partNumber: number; etag: string }[] = [];
  for (const [name, address] of addresses) {
    const partNumber = Number(name);
    const start = (partNumber - 1) * size;
    const etag = await put(hub, file, start, Math.min(start + size, file.size), address, {}, progress);
    if (etag === null) throw new HubError(`${file.name}: the store did not confirm part ${partNumber}. Try again.`);
    parts.push({ partNumber, etag });
  }
  const body = () => JSON.stringify({ oid: file.sha256, parts });
  expectAccepted(await hub.send(new URL(href), { method: 'POST', headers: lfsHeaders, body }, file.name), file.name);
}

/** Sends the bytes from `start` to `end` of a file. Returns the checksum that the store answers with. */
async function put(
  hub: HubClient,
  file: HashedFile,
  start: number,
  end: number,
  address: string,
  headers: Readonly<Record<string, string>>,
  progress: ByteMeter<'upload'>,
): Promise<string | null> {
  const body = (sent: () => void) => {
    // Another attempt sends the part from its beginning.
    let position = start;
    return blobOf(file, start, end, (bytes) => {
      position += bytes;
      sent();
      progress.update(file.name, position, bytes);
    });
  };
  const answer = await hub.send(new URL(address), { method: 'PUT', headers, body }, file.name);
  expectAccepted(answer, file.name);
  return answer.headers.get('etag');
}

async function verify(hub: HubClient, { sha256, size, name }: HashedFile, { href, header = {} }: LfsAction) {
  const body = () => JSON.stringify({ oid: sha256, size });
  const headers = { ...lfsHeaders, ...header };
  expectAccepted(await hub.send(new URL(href), { method: 'POST', headers, body }, name), name);
}

/** Parses the JSON that a hub answered. */
export function parseAnswer<T>(text: string, what: string): T {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as T;
  } catch {
    // Reported below.
  }
  throw new HubError(`${what}: the hub must answer with JSON, and did not. Check HF_ENDPOINT.`);
}

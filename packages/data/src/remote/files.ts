import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeText } from '@dalle-mini/core';
import { FileError, readBytes, readTextIfPresent, writeFileAtomically } from '@dalle-mini/core/node';
import { DataError } from '../data-error.js';
import { type S3Options, s3Access } from './s3.js';

/** Whether a path is an address, of a web server or of a bucket: `https://host/folder`, `s3://bucket/folder`. */
export function isAddress(path: string): boolean {
  return /^(https?|s3):\/\//i.test(path);
}

/** Joins the path or address of a folder and the name of a file in it. */
export function joinPlace(folder: string, name: string): string {
  return isAddress(folder) ? `${folder.replace(/\/$/, '')}/${name}` : join(folder, name);
}

/**
 * Reads a whole file, by its path or address.
 * @throws FileError if a local file cannot be read, DataError if it cannot be downloaded.
 */
export async function readPlace(place: string): Promise<Uint8Array> {
  if (!isAddress(place)) return readBytes(place);
  const bytes = await download(place);
  if (bytes === undefined) throw missing(place);
  return bytes;
}

/** Reads a text file, by its path or address; `undefined` if it is missing. */
export async function readTextAt(place: string): Promise<string | undefined> {
  if (!isAddress(place)) return readTextIfPresent(place);
  const bytes = await download(place);
  return bytes && decodeText(bytes, place);
}

export interface DownloadFileOptions {
  /** The server of `s3://` addresses. */
  readonly s3?: S3Options | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Downloads a file of a web server or a bucket, part by part: it need not fit into memory. The file is written whole or not at all.
 *
 * @throws DataError if it is missing or cannot be downloaded; FileError if the disk is full; the reason of `signal` if it aborts.
 */
export async function downloadFile(address: string, path: string, options: DownloadFileOptions = {}): Promise<void> {
  const save = async ({ body }: Response) => {
    await writeFileAtomically(path, (body ?? []) as AsyncIterable<Uint8Array> | Uint8Array[]);
    return true;
  };
  if (!(await request(address, save, options))) throw missing(address);
}

/** Downloads a file into memory; `undefined` if it is missing. */
async function download(address: string): Promise<Uint8Array | undefined> {
  return request(address, async (response) => new Uint8Array(await response.arrayBuffer()));
}

const missing = (address: string) =>
  new DataError(`Cannot download ${address}: status 404, it is missing. Check the address.`);

/** Tries of a download, and seconds before the second one. */
const tries = 5;
const firstDelay = 0.5;

/** Requests a file and reads it, with further tries after failures that may pass; `undefined` if it is missing. */
async function request<Content>(
  address: string,
  read: (response: Response) => Promise<Content>,
  { s3, signal }: DownloadFileOptions = {},
): Promise<Content | undefined> {
  for (let attempt = 1; ; attempt++) {
    let status: number | undefined;
    let reason: string;
    try {
      const response = await fetchAddress(address, s3, signal);
      if (response.ok) return await read(response);
      await response.body?.cancel();
      status = response.status;
      if (status === 404) return undefined;
      reason = `status ${status}`;
    } catch (error) {
      signal?.throwIfAborted();
      if (FileError.isInstance(error)) throw error;
      const { message, cause } = error as Error;
      reason = cause instanceof Error ? cause.message : message;
    }
    const isTransient = status === undefined || status === 429 || status >= 500;
    if (!isTransient || attempt === tries)
      throw new DataError(`Cannot download ${address}: ${reason}. Check the address, and the keys of a bucket.`);
    await sleep(firstDelay * 2 ** (attempt - 1) * 1000, undefined, { signal });
  }
}

async function fetchAddress(address: string, s3?: S3Options, signal?: AbortSignal): Promise<Response> {
  const [, object] = /^s3:\/\/(.*)$/i.exec(address) ?? [];
  const init = signal && { signal };
  if (object === undefined) return fetch(address, init);
  const server = s3Access(s3);
  return server.fetch(`${server.endpoint}/${object.split('/').map(encodeURIComponent).join('/')}`, init);
}

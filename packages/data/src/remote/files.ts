import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeText } from '@dalle-mini/core';
import { readBytes, readTextIfPresent } from '@dalle-mini/core/node';
import { DataError } from '../data-error.js';
import { s3Access } from './s3.js';

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
  if (bytes === undefined) throw new DataError(`${place} is missing. Check the address.`);
  return bytes;
}

/** Reads a text file, by its path or address; `undefined` if it is missing. */
export async function readTextAt(place: string): Promise<string | undefined> {
  if (!isAddress(place)) return readTextIfPresent(place);
  const bytes = await download(place);
  return bytes && decodeText(bytes, place);
}

/** Tries of a download, and seconds before the second one. */
const tries = 5;
const firstDelay = 0.5;

/** Downloads a file, with further tries after failures that may pass; `undefined` if it is missing. */
async function download(address: string): Promise<Uint8Array | undefined> {
  for (let attempt = 1; ; attempt++) {
    const { bytes, status, reason } = await request(address);
    if (status === 404) return undefined;
    if (bytes !== undefined) return bytes;
    const isTransient = status === undefined || status === 429 || status >= 500;
    if (!isTransient || attempt === tries)
      throw new DataError(`Cannot download ${address}: ${reason}. Check the address, and the keys of a bucket.`);
    await sleep(firstDelay * 2 ** (attempt - 1) * 1000);
  }
}

interface Answer {
  readonly bytes?: Uint8Array;
  readonly status?: number;
  /** Why there are no bytes. */
  readonly reason?: string;
}

async function request(address: string): Promise<Answer> {
  try {
    const response = await fetchAddress(address);
    if (response.ok) return { bytes: new Uint8Array(await response.arrayBuffer()) };
    await response.body?.cancel();
    return { status: response.status, reason: `the server answered with status ${response.status}` };
  } catch (error) {
    const { message, cause } = error as Error;
    return { reason: cause instanceof Error ? cause.message : message };
  }
}

async function fetchAddress(address: string): Promise<Response> {
  const [, object] = /^s3:\/\/(.*)$/i.exec(address) ?? [];
  if (object === undefined) return fetch(address);
  const server = s3Access();
  return server.fetch(`${server.endpoint}/${object.split('/').map(encodeURIComponent).join('/')}`);
}

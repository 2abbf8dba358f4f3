/** Downloads files of a Python package index, as pip does: PyPI, or the one that `PIP_INDEX_URL` sets. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { quote } from '@dalle-mini/core';
import { environmentVariable } from '@dalle-mini/core/node';
import { type Dispatcher, EnvHttpProxyAgent, interceptors, request } from 'undici';
import { XlaError } from '../error.js';
import type { Wheel } from './catalog.js';

const defaultIndex = 'https://pypi.org/simple';

/** Milliseconds without a byte after which a connection is closed. */
const timeoutMs = 60_000;

export interface PackageIndex {
  /** The address without a slash at the end, and without a user and a password. */
  readonly url: string;
  /** The header that the user and the password become. */
  readonly authorization: string | undefined;
}

/**
 * Returns the package index to download from.
 *
 * @param given Its address. Default: `PIP_INDEX_URL`, as pip reads it, or else PyPI.
 * @throws XlaError if it is not a web address. The message never has the password.
 */
export function packageIndex(given?: string): PackageIndex {
  const address = given ?? environmentVariable('PIP_INDEX_URL') ?? defaultIndex;
  const what = given === undefined ? 'PIP_INDEX_URL' : 'indexUrl';
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    const shown = address.includes('@') ? 'something else' : quote(address);
    throw new XlaError(
      `${what} must be the address of a package index such as ${defaultIndex}, not ${shown}. Correct it.`,
    );
  }
  const credentials = [url.username, url.password].map(decodeURIComponent).join(':');
  const authorization = url.username === '' ? undefined : `Basic ${Buffer.from(credentials).toString('base64')}`;
  [url.username, url.password] = ['', ''];
  return { url: url.href.replace(/\/+$/, ''), authorization };
}

/** Sends requests through the proxies of the environment, follows redirects, and resumes what breaks off. */
function client(): Dispatcher {
  const agent = new EnvHttpProxyAgent({ headersTimeout: timeoutMs, bodyTimeout: timeoutMs });
  return agent.compose(interceptors.redirect({ maxRedirections: 5 }), interceptors.retry({ maxRetries: 3 }));
}

interface Received {
  readonly status: number;
  readonly type: string;
  readonly body: AsyncIterable<Uint8Array>;
}

async function get(
  url: string,
  index: PackageIndex,
  { accept, dispatcher, signal }: { accept: string; dispatcher: Dispatcher; signal: AbortSignal | undefined },
): Promise<Received> {
  // Only the index gets the password: its files may be on other hosts.
  const isIndex = new URL(url).origin === new URL(index.url).origin;
  const headers = {
    accept,
    // A compressed body could not be resumed.
    'accept-encoding': 'identity',
    ...(isIndex && index.authorization !== undefined && { authorization: index.authorization }),
  };
  try {
    const { statusCode, headers: answered, body } = await request(url, { dispatcher, headers, signal: signal ?? null });
    if (statusCode === 200) return { status: statusCode, type: String(answered['content-type'] ?? ''), body };
    await body.dump();
    throw refusal(url, statusCode);
  } catch (error) {
    throw networkError(error, url, signal);
  }
}

function refusal(url: string, status: number): XlaError {
  const action = [401, 403].includes(status)
    ? 'Check the user and the password in PIP_INDEX_URL'
    : status === 404
      ? 'Check PIP_INDEX_URL; a mirror may lack this package'
      : 'Try again later';
  return new XlaError(`${new URL(url).host} answered with status ${status}. ${action}.`);
}

function networkError(error: unknown, url: string, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  if (error instanceof XlaError) return error;
  const { code, message, statusCode } = error as { code?: string; message?: string; statusCode?: number };
  if (statusCode !== undefined) return refusal(url, statusCode);
  return new XlaError(
    `The connection to ${new URL(url).host} failed (${code ?? message}). Check the network, PIP_INDEX_URL and HTTPS_PROXY, and try again.`,
    { cause: error },
  );
}

/**
 * Returns the address of a file, from the list of a project's files: JSON (PEP 691), or HTML (PEP 503) from indexes that know no JSON.
 */
function addressIn(list: string, type: string, file: string, base: string): string | undefined {
  if (type.includes('json')) {
    const { files } = JSON.parse(list) as { files: readonly { filename: string; url: string }[] };
    const found = files.find(({ filename }) => filename === file);
    return found && new URL(found.url, base).href;
  }
  for (const [, href, name] of list.matchAll(/<a\b[^>]*\bhref\s*=\s*["']([^"']+)["'][^>]*>([^<]*)<\/a>/gi)) {
    if (name!.trim() === file) return new URL(href!.replaceAll('&amp;', '&'), base).href;
  }
  return undefined;
}

export interface FileDownload {
  readonly index: PackageIndex;
  readonly project: string;
  readonly wheel: Wheel;
  readonly signal: AbortSignal | undefined;
  /** Called with the bytes received so far. */
  readonly onBytes: (bytes: number) => void;
}

/**
 * Downloads a wheel of a project to a path.
 *
 * @throws XlaError if the index cannot be reached or lacks the file, or if the file has another size or SHA-256 than the pinned one.
 */
export async function downloadWheel(path: string, download: FileDownload): Promise<void> {
  const { index, project, wheel, signal, onBytes } = download;
  const dispatcher = client();
  try {
    const list = `${index.url}/${project}/`;
    const accept = 'application/vnd.pypi.simple.v1+json, text/html;q=0.5';
    const { body, type } = await get(list, index, { accept, dispatcher, signal });
    const url = addressIn(await textOf(body, list, signal), type, wheel.file, list);
    if (url === undefined)
      throw new XlaError(
        `${new URL(list).host} does not have ${wheel.file}. Set PIP_INDEX_URL to an index that has it.`,
      );
    const answer = await get(url, index, { accept: '*/*', dispatcher, signal });
    await receive(path, answer.body, url, download, onBytes);
  } finally {
    await dispatcher.close();
  }
}

async function textOf(body: AsyncIterable<Uint8Array>, url: string, signal: AbortSignal | undefined): Promise<string> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of body) chunks.push(chunk);
  } catch (error) {
    throw networkError(error, url, signal);
  }
  return Buffer.concat(chunks).toString();
}

async function receive(
  path: string,
  body: AsyncIterable<Uint8Array>,
  url: string,
  { wheel, signal }: FileDownload,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const hash = createHash('sha256');
  let bytes = 0;
  const file = await open(path, 'wx');
  try {
    const chunks = body[Symbol.asyncIterator]();
    for (;;) {
      const next = await chunks.next().catch((error: unknown) => {
        throw networkError(error, url, signal);
      });
      if (next.done) break;
      bytes += next.value.byteLength;
      if (bytes > wheel.bytes) break;
      hash.update(next.value);
      await file.writeFile(next.value);
      onBytes(bytes);
    }
    await chunks.return?.();
  } finally {
    await file.close();
  }
  const digest = hash.digest('hex');
  if (bytes !== wheel.bytes || digest !== wheel.sha256) {
    throw new XlaError(
      `${wheel.file} of ${new URL(url).host} must have ${wheel.bytes} bytes with the SHA-256 ${wheel.sha256}, and has others. ` +
        'Nothing was installed. Check PIP_INDEX_URL.',
    );
  }
}

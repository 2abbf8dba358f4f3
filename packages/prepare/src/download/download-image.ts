import { setTimeout as sleep } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import { DownloadError } from './download-error.js';
import { describeContent, imageFormat, signatureBytes } from './image-signature.js';
import { findOptOut } from './opt-out.js';
import type { DownloadSettings } from './options.js';

/**
 * Downloads an image, with further tries after failures that may pass.
 *
 * @returns The bytes of the file, whose first ones are those of an image.
 * @throws DownloadError if there is no image; the reason of `signal` if it aborts.
 */
export async function downloadImage(
  url: string,
  dispatcher: Dispatcher,
  settings: DownloadSettings,
  signal?: AbortSignal,
): Promise<Buffer> {
  const { retries, retryDelay, maxRetryAfter } = settings;
  for (let attempt = 0; ; attempt++) {
    try {
      return await withTimeLimit(settings.timeout, signal, (limit) => request(url, dispatcher, settings, limit));
    } catch (error) {
      signal?.throwIfAborted();
      const problem = asDownloadError(error, settings);
      if (!problem.isTransient || attempt >= retries || (problem.retryAfter ?? 0) > maxRetryAfter) throw problem;
      // At random, so that images of one host are not asked for again all at once.
      const delay = problem.retryAfter ?? retryDelay * 2 ** attempt * (1 + Math.random() / 2);
      await sleep(delay * 1000, undefined, { signal });
    }
  }
}

/** Runs a task with a signal that aborts when the time is over, or with `signal`. */
async function withTimeLimit<T>(
  seconds: number,
  signal: AbortSignal | undefined,
  task: (limit: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const abort = () => controller.abort(signal?.reason);
  const timer = setTimeout(
    () => controller.abort(new DownloadError('timeout', `took longer than ${seconds} s`)),
    seconds * 1000,
  );
  signal?.addEventListener('abort', abort);
  try {
    signal?.throwIfAborted();
    return await task(controller.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}

async function request(
  url: string,
  dispatcher: Dispatcher,
  { userAgent, userAgentToken, disallowedDirectives, maxBytes }: DownloadSettings,
  signal: AbortSignal,
): Promise<Buffer> {
  const { origin, pathname, search } = new URL(url);
  const { statusCode, headers, body } = await dispatcher.request({
    origin,
    path: pathname + search,
    method: 'GET',
    headers: { 'user-agent': userAgent, accept: 'image/*', 'accept-encoding': 'identity' },
    signal,
  });
  // A body that is left unread keeps its connection; its end is of no interest.
  const refuse = (error: DownloadError): never => {
    body.on('error', () => undefined).destroy();
    throw error;
  };
  if (statusCode >= 300 && statusCode < 400 && headers.location !== undefined)
    refuse(new DownloadError('redirects', 'has too many redirects'));
  if (statusCode !== 200) {
    const error = new DownloadError(`http-${statusCode}`, `the server answered with status ${statusCode}`);
    error.retryAfter = secondsOf(headers['retry-after']);
    return refuse(error);
  }
  const directive = findOptOut(headers['x-robots-tag'], userAgentToken, disallowedDirectives);
  if (directive !== undefined) refuse(new DownloadError('opt-out', `the header X-Robots-Tag has ${directive}`));
  const tooLarge = (bytes: string | number) =>
    new DownloadError('too-large', `must have at most ${maxBytes} bytes, not ${bytes}`);
  const declared = Number(headers['content-length'] ?? 0);
  if (declared > maxBytes) refuse(tooLarge(declared));
  const type = [headers['content-type']].flat()[0];
  const parts: Buffer[] = [];
  let size = 0;
  let isImage = false;
  for await (const part of body as AsyncIterable<Buffer>) {
    parts.push(part);
    size += part.length;
    if (size > maxBytes) refuse(tooLarge('more'));
    if (isImage || size < signatureBytes) continue;
    const start = Buffer.concat(parts);
    if (imageFormat(start) === undefined)
      refuse(new DownloadError('not-an-image', `is ${describeContent(start, type)}`));
    isImage = true;
  }
  const bytes = Buffer.concat(parts);
  if (!isImage) throw new DownloadError('not-an-image', `is ${describeContent(bytes, type)}`);
  return bytes;
}

/** Reads `Retry-After`: seconds, or a date. */
function secondsOf(header: string | readonly string[] | undefined): number | undefined {
  const text = [header ?? []].flat()[0];
  if (text === undefined) return undefined;
  const seconds = /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds);
}

function asDownloadError(error: unknown, { connectTimeout }: DownloadSettings): DownloadError {
  if (error instanceof DownloadError) return error;
  const { code = '', message, cause } = error as NodeJS.ErrnoException;
  if (cause instanceof DownloadError) return cause;
  const because = { cause: error };
  if (code === 'UND_ERR_CONNECT_TIMEOUT')
    return new DownloadError('timeout', `could not connect within ${connectTimeout} s`, because);
  if (/^UND_ERR_(HEADERS|BODY)_TIMEOUT$/.test(code)) return new DownloadError('timeout', message, because);
  if (/^(ENOTFOUND|EAI_|ENODATA|ESERVFAIL)/.test(code)) return new DownloadError('dns', message, because);
  if (/CERT|SSL|TLS|SELF_SIGNED/.test(code)) return new DownloadError('certificate', message, because);
  if (/redirect loop/i.test(message)) return new DownloadError('redirects', 'redirects to itself', because);
  if (/^ERR_INVALID_URL|UND_ERR_INVALID_ARG/.test(code)) return new DownloadError('url', message, because);
  return new DownloadError('connection', message || code, because);
}

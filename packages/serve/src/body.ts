import type { IncomingMessage } from 'node:http';
import { RequestError } from './errors.js';

export interface BodyLimits {
  /** Most bytes of the body. */
  readonly bytes: number;
  /** Most milliseconds until the body is whole. */
  readonly milliseconds: number;
}

/**
 * Reads the body of a request as JSON.
 *
 * @throws RequestError with status 415 if it is not JSON by its type, 413 if it is too large, 408 if it takes too long, 400 if
 *   it is not JSON in UTF-8.
 */
export async function readJson(request: IncomingMessage, { bytes, milliseconds }: BodyLimits): Promise<unknown> {
  const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  // A page of another origin may send other types without asking the server first.
  if (type !== 'application/json')
    throw new RequestError(
      415,
      'UNSUPPORTED_MEDIA_TYPE',
      `The content-type must be application/json, not ${type ? JSON.stringify(type) : 'missing'}.`,
    );
  const body = await readBody(request, bytes, milliseconds);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (cause) {
    const message = cause instanceof SyntaxError ? cause.message : 'it is not UTF-8';
    throw new RequestError(400, 'INVALID_JSON', `The body must be JSON: ${message}.`);
  }
}

async function readBody(request: IncomingMessage, limit: number, milliseconds: number): Promise<Buffer> {
  const tooLarge = () =>
    new RequestError(413, 'BODY_TOO_LARGE', `The body must have at most ${limit} bytes.`, { connection: 'close' });
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge();
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const settle = (work: () => void) => {
      clearTimeout(timer);
      request.off('data', onData).off('end', onEnd).off('close', onClose);
      work();
    };
    const fail = (error: Error) => settle(() => reject(error));
    const onData = (chunk: Buffer) => {
      length += chunk.length;
      if (length > limit) fail(tooLarge());
      else chunks.push(chunk);
    };
    const onEnd = () => settle(() => resolve(Buffer.concat(chunks)));
    const onClose = () => fail(new RequestError(400, 'ABORTED', 'The body ended early.'));
    const timer = setTimeout(() => {
      const message = `The body must arrive within ${milliseconds / 1000} seconds.`;
      fail(new RequestError(408, 'BODY_TIMEOUT', message, { connection: 'close' }));
    }, milliseconds);
    request.on('data', onData).on('end', onEnd).on('close', onClose);
  });
}

import { DalleMiniError } from '@dalle-mini/core';
import { type S3Options, s3Access } from '@dalle-mini/data';
import type { Storage } from './storage.js';

/** A server of the S3 protocol refuses a request, or cannot be reached. The message names the object. */
export class StorageError extends DalleMiniError {
  static override readonly code = 'STORAGE';
}

/** Bytes of the parts of an upload. S3 takes 10,000 of them for an object. */
const partSize = 16 * 2 ** 20;

interface Request {
  readonly method?: 'GET' | 'PUT' | 'POST' | 'DELETE' | undefined;
  readonly query?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | Uint8Array<ArrayBuffer> | undefined;
}

/**
 * Objects of a bucket below a prefix. An object is visible when its upload is complete. Requests are tried again after the statuses 429
 * and 5xx.
 */
export class S3Storage implements Storage {
  /** The URL of the bucket. */
  private readonly bucket: string;
  private readonly prefix: string;
  private readonly fetch: (url: string, init: RequestInit) => Promise<Response>;

  /** @param address `s3://bucket/prefix`. */
  constructor(
    private readonly address: string,
    options: S3Options = {},
  ) {
    const { bucket, prefix } = parseAddress(address);
    const server = s3Access(options);
    this.prefix = prefix;
    this.bucket = `${server.endpoint}/${bucket}`;
    this.fetch = server.fetch;
  }

  async list(): Promise<ReadonlySet<string>> {
    const names = new Set<string>();
    const query: Record<string, string> = { 'list-type': '2', 'encoding-type': 'url', prefix: this.prefix };
    for (;;) {
      const xml = await (await this.request('list', '', { query })).text();
      for (const [, key] of xml.matchAll(/<Key>([^<]*)<\/Key>/g))
        names.add(decodeURIComponent(key!.replaceAll('+', ' ')).slice(this.prefix.length));
      const next = tagOf(xml, 'NextContinuationToken');
      if (next === undefined) return names;
      query['continuation-token'] = next;
    }
  }

  async read(name: string): Promise<Uint8Array | undefined> {
    try {
      return new Uint8Array(await (await this.request('read', name)).arrayBuffer());
    } catch (error) {
      if (error instanceof StorageError && error.cause === 404) return undefined;
      throw error;
    }
  }

  async *parts(name: string): AsyncGenerator<Uint8Array> {
    const { body } = await this.request('read', name);
    yield* body as unknown as AsyncIterable<Uint8Array>;
  }

  async write(name: string, content: string | Uint8Array | AsyncIterable<Uint8Array>): Promise<void> {
    if (typeof content === 'string' || content instanceof Uint8Array) {
      await this.request('write', name, { method: 'PUT', body: content as string | Uint8Array<ArrayBuffer> });
      return;
    }
    const parts = inParts(content)[Symbol.asyncIterator]();
    const first = await parts.next();
    const second = first.done ? first : await parts.next();
    if (second.done) return this.write(name, first.value ?? '');
    await this.writeParts(name, [first.value!, second.value], { [Symbol.asyncIterator]: () => parts });
  }

  async remove(name: string): Promise<void> {
    await this.request('write', name, { method: 'DELETE' });
  }

  placeOf(name: string): string {
    return `${this.address.replace(/\/$/, '')}/${name}`;
  }

  /** Uploads an object in parts. If its content fails, the parts are removed. */
  private async writeParts(
    name: string,
    first: readonly Uint8Array<ArrayBuffer>[],
    rest: AsyncIterable<Uint8Array<ArrayBuffer>>,
  ): Promise<void> {
    const started = await this.request('write', name, { method: 'POST', query: { uploads: '' } });
    const uploadId = tagOf(await started.text(), 'UploadId') ?? '';
    const tags: string[] = [];
    const add = async (body: Uint8Array<ArrayBuffer>) => {
      const query = { partNumber: String(tags.length + 1), uploadId };
      const { headers } = await this.request('write', name, { method: 'PUT', query, body });
      tags.push(headers.get('etag') ?? '');
    };
    try {
      for (const part of first) await add(part);
      for await (const part of rest) await add(part);
      const list = tags.map((tag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${tag}</ETag></Part>`);
      const body = `<CompleteMultipartUpload>${list.join('')}</CompleteMultipartUpload>`;
      const answer = await (await this.request('write', name, { method: 'POST', query: { uploadId }, body })).text();
      // The status is sent before the parts are joined, so that it is 200 whatever happens.
      if (answer.includes('<Error>')) throw this.error('write', name, tagOf(answer, 'Message') ?? answer);
    } catch (error) {
      // The first error matters more than a failed cleanup.
      await this.request('write', name, { method: 'DELETE', query: { uploadId } }).catch(() => undefined);
      throw error;
    }
  }

  private async request(
    doing: Doing,
    name: string,
    { method = 'GET', query = {}, body }: Request = {},
  ): Promise<Response> {
    const key = doing === 'list' ? '' : `/${(this.prefix + name).split('/').map(encodeURIComponent).join('/')}`;
    const url = `${this.bucket}${key}?${new URLSearchParams(query)}`.replace(/\?$/, '');
    const response = await this.fetch(url, { method, ...(body !== undefined && { body }) }).catch((error: Error) => {
      const { message, cause } = error;
      throw this.error(doing, name, cause instanceof Error ? `${message}: ${cause.message}` : message, error);
    });
    if (response.ok) return response;
    const xml = await response.text();
    throw this.error(
      doing,
      name,
      `status ${response.status}, ${tagOf(xml, 'Message') ?? 'no message'}`,
      response.status,
    );
  }

  private error(doing: Doing, name: string, reason: string, cause?: unknown): StorageError {
    const action = 'Check the address, the keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and s3.endpoint.';
    return new StorageError(`Cannot ${doing} ${this.placeOf(name)}: ${reason}. ${action}`, { cause });
  }
}

type Doing = 'list' | 'read' | 'write';

/** Returns the content of the first element with a name. */
function tagOf(xml: string, name: string): string | undefined {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1];
  return text?.replace(/&(amp|lt|gt|quot|apos);/g, (_, entity: string) => entities[entity]!);
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** Joins bytes to parts of {@link partSize}; the last one may be smaller. */
async function* inParts(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let part = new Uint8Array(partSize);
  let size = 0;
  for await (const bytes of content) {
    for (let done = 0; done < bytes.length; ) {
      const taken = bytes.subarray(done, done + partSize - size);
      part.set(taken, size);
      done += taken.length;
      size += taken.length;
      if (size < partSize) continue;
      yield part;
      part = new Uint8Array(partSize);
      size = 0;
    }
  }
  if (size > 0) yield part.subarray(0, size);
}

function parseAddress(address: string): { bucket: string; prefix: string } {
  const [, bucket, path = ''] = /^s3:\/\/([^/]+)\/?(.*)$/.exec(address) ?? [];
  if (bucket === undefined)
    throw new StorageError(`The address must be s3://bucket/prefix, not ${JSON.stringify(address)}.`);
  return { bucket, prefix: path === '' || path.endsWith('/') ? path : `${path}/` };
}

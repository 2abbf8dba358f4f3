import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** Objects in an answer to a listing, so that a few objects take several. */
const pageSize = 3;

/** A server of the S3 protocol with one bucket: whole and multipart uploads, downloads, listings. */
export class S3Server {
  private readonly server: Server;
  readonly objects = new Map<string, Buffer>();
  private readonly uploads = new Map<string, Map<number, Buffer>>();
  /** Number of multipart uploads that were completed. */
  completed = 0;

  private constructor() {
    this.server = createServer((request, response) => void this.answer(request, response));
  }

  static async start(): Promise<S3Server> {
    const one = new S3Server();
    await new Promise<void>((resolve) => one.server.listen(0, '127.0.0.1', resolve));
    return one;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams: query } = new URL(request.url!, this.endpoint);
    const key = decodeURIComponent(pathname.replace(/^\/bucket\/?/, ''));
    const body = await buffer(request);
    const xml = (text: string, status = 200) =>
      response.writeHead(status, { 'content-type': 'application/xml' }).end(`<?xml version="1.0"?>${text}`);
    if (!request.headers.authorization?.startsWith('AWS4-HMAC-SHA256 Credential=test-key/'))
      return void xml('<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>', 403);
    const upload = query.get('uploadId') ?? '';
    if (request.method === 'PUT') {
      if (upload === '') this.objects.set(key, body);
      else this.uploads.get(upload)!.set(Number(query.get('partNumber')), body);
      return void response.writeHead(200, { etag: `"${createHash('md5').update(body).digest('hex')}"` }).end();
    }
    if (request.method === 'DELETE') {
      this.objects.delete(key);
      this.uploads.delete(upload);
      return void response.writeHead(204).end();
    }
    if (request.method === 'POST' && query.has('uploads')) {
      const id = randomUUID();
      this.uploads.set(id, new Map());
      return void xml(`<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`);
    }
    if (request.method === 'POST') {
      const parts = [...this.uploads.get(upload)!].sort(([a], [b]) => a - b).map(([, part]) => part);
      this.objects.set(key, Buffer.concat(parts));
      this.completed++;
      return void xml('<CompleteMultipartUploadResult><ETag>"x"</ETag></CompleteMultipartUploadResult>');
    }
    if (query.has('list-type')) return void xml(this.listing(query));
    const object = this.objects.get(key);
    if (object === undefined)
      return void xml('<Error><Code>NoSuchKey</Code><Message>No such key.</Message></Error>', 404);
    response.writeHead(200, { 'content-length': object.length, etag: '"x"' }).end(object);
  }

  private listing(query: URLSearchParams): string {
    const after = query.get('continuation-token') ?? '';
    const keys = [...this.objects.keys()]
      .filter((key) => key.startsWith(query.get('prefix') ?? '') && key > after)
      .sort();
    const page = keys.slice(0, pageSize);
    const next =
      keys.length > pageSize
        ? `<IsTruncated>true</IsTruncated><NextContinuationToken>${page.at(-1)}</NextContinuationToken>`
        : '<IsTruncated>false</IsTruncated>';
    const contents = page.map((key) => {
      const size = this.objects.get(key)!.length;
      return `<Contents><Key>${key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"x"</ETag><Size>${size}</Size></Contents>`;
    });
    return `<ListBucketResult><Name>bucket</Name><KeyCount>${page.length}</KeyCount>${next}${contents.join('')}</ListBucketResult>`;
  }
}

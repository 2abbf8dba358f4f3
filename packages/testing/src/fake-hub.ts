import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A file of the hub's repository, and what its listing tells of it. */
export interface FakeFile {
  content: Buffer;
  /** Lies with the store, which is another host. */
  lfs: boolean;
  size: number;
  oid: string;
}

export interface Received {
  host: 'hub' | 'store';
  path: string;
  range: string | undefined;
  authorization: string | undefined;
}

/** Answers a request for what has this content. */
export type Answer = (response: ServerResponse, content: Buffer, request: IncomingMessage) => void;

/** A hub with one repository, `org/name`, and a store of its large files: two hosts of this computer. */
export class FakeHub {
  readonly commit = 'c0'.repeat(20);
  readonly files = new Map<string, FakeFile>();
  readonly received: Received[] = [];
  /** Files in a page of the listing. */
  pageSize = 1000;
  /** What the next requests of the API, and those of contents, get instead of what is right. */
  readonly api: Answer[] = [];
  readonly contents: Answer[] = [];
  /** Requests of contents that are under way, at most. */
  most = 0;
  private underWay = 0;
  private readonly hub = createServer((request, response) => this.answer('hub', request, response));
  private readonly store = createServer((request, response) => this.answer('store', request, response));

  get url(): string {
    return urlOf(this.hub);
  }

  get storeUrl(): string {
    return urlOf(this.store);
  }

  async start(): Promise<void> {
    for (const server of [this.hub, this.store]) {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    }
  }

  async stop(): Promise<void> {
    for (const server of [this.hub, this.store]) {
      if (!server.listening) continue;
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    }
  }

  add(name: string, content: Buffer, lfs = false): FakeFile {
    const oid = lfs
      ? createHash('sha256').update(content).digest('hex')
      : createHash('sha1').update(`blob ${content.byteLength}\0`).update(content).digest('hex');
    const file = { content, lfs, size: content.byteLength, oid };
    this.files.set(name, file);
    return file;
  }

  /** The ranges of the requests that got contents. */
  get ranges(): (string | undefined)[] {
    return this.received.filter(({ path }) => /^\/(store|api\/resolve-cache)\//.test(path)).map(({ range }) => range);
  }

  private answer(host: Received['host'], request: IncomingMessage, response: ServerResponse): void {
    const { range, authorization } = request.headers;
    // As the hub and its stores do, for browsers.
    response.setHeader('access-control-allow-origin', '*');
    response.setHeader('access-control-allow-headers', 'range, authorization');
    response.setHeader('access-control-expose-headers', 'link');
    if (request.method === 'OPTIONS') {
      response.writeHead(204).end();
      return;
    }
    const url = new URL(request.url!, 'http://hub');
    const path = decodeURIComponent(url.pathname);
    this.received.push({ host, path, range, authorization });
    const [, kind, rest] = /^\/(api\/models|api\/resolve-cache|org\/name\/resolve|store)\/(.*)$/.exec(path) ?? [];
    if (kind === 'api/models') {
      const body = this.apiBody(rest!, url, response);
      const answer = this.api.shift() ?? (body === undefined ? status(404) : whole);
      answer(response, Buffer.from(JSON.stringify(body) ?? ''), request);
      return;
    }
    const name = rest?.replace(`${this.commit}/`, '') ?? '';
    const file = this.files.get(name);
    if (file === undefined) {
      response.writeHead(404).end();
      return;
    }
    if (kind === 'org/name/resolve') {
      const location = file.lfs ? `${this.storeUrl}/store/${name}` : `/api/resolve-cache/${name}`;
      response.writeHead(file.lfs ? 302 : 307, { location }).end();
      return;
    }
    this.most = Math.max(this.most, ++this.underWay);
    response.on('close', () => this.underWay--);
    (this.contents.shift() ?? whole)(response, file.content, request);
  }

  private apiBody(path: string, url: URL, response: ServerResponse): unknown {
    if (path === 'org/name/revision/main') return { sha: this.commit };
    if (path !== `org/name/tree/${this.commit}`) return undefined;
    const start = Number(url.searchParams.get('cursor') ?? 0);
    const entries = [...this.files].map(([name, { lfs, size, oid }]) =>
      lfs
        ? { type: 'file', path: name, size, oid: '1'.repeat(40), lfs: { oid, size, pointerSize: 130 } }
        : { type: 'file', path: name, size, oid },
    );
    const page = entries.slice(start, start + this.pageSize);
    if (start + this.pageSize < entries.length) {
      url.searchParams.set('cursor', `${start + this.pageSize}`);
      response.setHeader('link', `<${this.url}${url.pathname}${url.search}>; rel="next"`);
    }
    return [{ type: 'directory', path: 'folder', size: 0, oid: '2'.repeat(40) }, ...page];
  }
}

function urlOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** As a sound host does. */
export const whole: Answer = (response, content, request) => {
  const start = rangeStart(request);
  if (start > 0 && start >= content.byteLength) {
    response.writeHead(416, { 'content-range': `bytes */${content.byteLength}` }).end();
    return;
  }
  begin(response, content, start);
  response.end(content.subarray(start));
};

/** Sends up to `bytes` of a range, and then breaks the connection. */
export const cut =
  (bytes: number): Answer =>
  (response, content, request) => {
    const start = rangeStart(request);
    begin(response, content, start);
    response.write(content.subarray(start, start + bytes));
    // Time for the bytes to be read: an error overtakes those that are waiting.
    setTimeout(() => response.destroy(), 50);
  };

/** Sends `bytes` of the beginning, whatever range is asked for, and then breaks the connection. */
export const cutAnew =
  (bytes: number): Answer =>
  (response, content) => {
    begin(response, content, 0);
    response.write(content.subarray(0, bytes), () => setTimeout(() => response.destroy(), 50));
  };

/** Sends the beginning, `bytes` at a time, with pauses of some milliseconds. */
export const trickle =
  (bytes: number, pause: number): Answer =>
  (response, content) => {
    begin(response, content, 0);
    let sent = 0;
    const timer = setInterval(() => {
      response.write(content.subarray(sent, sent + bytes));
      sent += bytes;
    }, pause);
    response.on('close', () => clearInterval(timer));
  };

/** Sends `bytes` of a range, and then nothing. */
export const stall =
  (bytes: number): Answer =>
  (response, content, request) => {
    const start = rangeStart(request);
    begin(response, content, start);
    response.write(content.subarray(start, start + bytes));
  };

/** Sends `bytes` of a range, and ends as if that were all. */
export const truncated =
  (bytes: number): Answer =>
  (response, content, request) => {
    const start = rangeStart(request);
    if (start > 0) response.writeHead(206, { 'content-range': contentRange(content, start) });
    // Not with `end`, which would tell the length.
    response.write(content.subarray(start, start + bytes));
    response.end();
  };

export const status =
  (code: number, headers: Record<string, string> = {}, body = ''): Answer =>
  (response) => {
    response.writeHead(code, headers).end(body);
  };

/** Sends these bytes, with a length or without one, whatever is asked for. */
export const send =
  (bytes: Buffer | string, options: { headers?: Record<string, string>; code?: number } = {}): Answer =>
  (response) => {
    response.writeHead(options.code ?? 200, options.headers);
    response.write(bytes);
    response.end();
  };

function begin(response: ServerResponse, content: Buffer, start: number): void {
  response.writeHead(start > 0 ? 206 : 200, {
    'content-length': content.byteLength - start,
    ...(start > 0 && { 'content-range': contentRange(content, start) }),
  });
}

function contentRange(content: Buffer, start: number): string {
  return `bytes ${start}-${content.byteLength - 1}/${content.byteLength}`;
}

function rangeStart(request: IncomingMessage): number {
  return Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
}

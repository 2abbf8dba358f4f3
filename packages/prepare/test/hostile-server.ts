import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import sharp from 'sharp';

type Answer = (response: ServerResponse, request: IncomingMessage, visit: number) => unknown;

/** A JPEG with a slope of two colors. Different seeds look different. */
export async function photo(width: number, height: number, seed = 0): Promise<Buffer> {
  const data = Buffer.alloc(width * height * 3);
  for (let i = 0; i < width * height; i++)
    data.set([((i % width) * (seed + 1)) & 255, (Math.floor(i / width) * (seed + 2)) & 255, (seed * 37) & 255], i * 3);
  return sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg()
    .toBuffer();
}

const send = (response: ServerResponse, bytes: Buffer | string, headers: Record<string, string> = {}) =>
  response.writeHead(200, { 'content-type': 'image/jpeg', ...headers }).end(bytes);

const image = await photo(120, 80);

/** Never ends, and never sends more than a few bytes at a time. */
const trickle: Answer = (response) => {
  response.writeHead(200, { 'content-type': 'image/jpeg' });
  let sent = 0;
  const timer = setInterval(() => response.write(image.subarray(sent, ++sent)), 20);
  response.on('close', () => clearInterval(timer));
};

const endless: Answer = (response) => {
  response.writeHead(200, { 'content-type': 'image/jpeg' });
  response.write(image);
  const more = () => {
    while (response.writable && response.write(Buffer.alloc(65536)));
  };
  response.on('drain', more);
  more();
};

const answers: Readonly<Record<string, Answer>> = {
  ok: (response) => send(response, image),
  'wrong-type': (response) => send(response, image, { 'content-type': 'text/html' }),
  stall: (response) => response.writeHead(200, { 'content-length': '5000' }).write(image.subarray(0, 100)),
  silent: () => undefined,
  trickle,
  endless,
  huge: (response) => response.writeHead(200, { 'content-length': '9000000000' }).write(image),
  html: (response) => send(response, '<!doctype html><title>Not found</title>'),
  svg: (response) => send(response, '<svg xmlns="http://www.w3.org/2000/svg"/>', { 'content-type': 'image/svg+xml' }),
  empty: (response) => send(response, ''),
  cut: (response) => {
    response.writeHead(200, { 'content-length': String(image.length) }).write(image.subarray(0, 300));
    setTimeout(() => response.destroy(), 20);
  },
  'cut-once': (response, request, visit) => answers[visit === 1 ? 'cut' : 'ok']!(response, request, visit),
  truncated: (response) => send(response, image.subarray(0, image.length / 2)),
  missing: (response) => response.writeHead(404).end(),
  busy: (response, _, visit) =>
    visit === 1 ? response.writeHead(429, { 'retry-after': '0' }).end() : send(response, image),
  'busy-for-hours': (response) => response.writeHead(429, { 'retry-after': '7200' }).end(),
  broken: (response) => response.writeHead(503).end(),
  loop: (response, { url }) => response.writeHead(302, { location: url! }).end(),
  chain: (response, { url }) => response.writeHead(302, { location: `${url}x` }).end(),
  moved: (response) => response.writeHead(301, { location: '/ok' }).end(),
  file: (response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
  inside: (response, { socket }) =>
    response.writeHead(302, { location: `http://127.0.0.2:${socket.localPort}/ok` }).end(),
  noai: (response) => send(response, image, { 'x-robots-tag': 'noindex, noai' }),
  'noai-others': (response) => send(response, image, { 'x-robots-tag': 'other-bot: noai' }),
  'noai-this': (response) => send(response, image, { 'x-robots-tag': 'dalle-mini: noimageai' }),
};

/** A web server that does what servers of lists of millions of URLs do. The path is the name of an answer, or `/photo/<seed>`. */
export class HostileServer {
  private readonly server: Server;
  /** Number of requests by path. */
  readonly visits = new Map<string, number>();
  /** Paths of photos that are missing for now. */
  readonly down = new Set<string>();

  private constructor() {
    this.server = createServer((request, response) => void this.answer(request, response));
  }

  static async start(): Promise<HostileServer> {
    const one = new HostileServer();
    // All addresses of the loopback: 127.0.0.2 stands for a machine inside.
    await new Promise<void>((resolve) => one.server.listen(0, '0.0.0.0', resolve));
    return one;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  url(path: string, host = '127.0.0.1'): string {
    return `http://${host}:${this.port}/${path}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => undefined);
    const path = request.url!.slice(1);
    const visit = (this.visits.get(path) ?? 0) + 1;
    this.visits.set(path, visit);
    const [kind, seed] = path.split('/');
    if (this.down.has(path)) response.writeHead(503).end();
    else if (kind === 'photo') send(response, await photo(100, 80, Number(seed)));
    else answers[kind!]!(response, request, visit);
  }
}

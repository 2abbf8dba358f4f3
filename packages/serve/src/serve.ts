import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { type Complete, readOptions } from '@dalle-mini/core';
import type { TextToImage } from '@dalle-mini/pipeline';
import sirv from 'sirv';
import { ClosingError, RequestError } from './errors.js';
import { Metrics } from './metrics.js';
import { type ServeOptions, serveFields } from './options.js';
import { JobQueue } from './queue.js';
import { failureOf, sendError, setHeaders } from './respond.js';
import { createRoutes, type Handler, type Routes } from './routes.js';

/** A running server. */
export interface ImageServer extends AsyncDisposable {
  /** The address, such as `http://127.0.0.1:8080`. */
  readonly url: string;
  /**
   * Refuses new requests, drops those that wait, and waits for those that generate, at most for `closeTimeout`. The model is not
   * disposed of.
   */
  close(): Promise<void>;
}

/** The files of the page, which the build copies from the demo. */
const pageFolder = fileURLToPath(new URL('./page', import.meta.url));

const pageHeaders = {
  'content-security-policy':
    "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; frame-ancestors 'self'",
  'referrer-policy': 'no-referrer',
};

/**
 * Serves a model over HTTP, and a web page that uses it.
 *
 * | request | answer |
 * | --- | --- |
 * | `POST /api/generate` | server-sent events `queued`, `started`, `progress`, `done` and `error`; JSON if the client accepts only that |
 * | `POST /api/decode` | the images of grids of tokens |
 * | `POST /api/encode` | the tokens of an image |
 * | `GET /api/model` | sizes, sampling defaults and limits |
 * | `GET /health` | 200, or 503 while the server closes |
 * | `GET /metrics` | metrics in the text format of Prometheus |
 *
 * @throws OptionError if an option is unknown or out of its range; Error if the address cannot be listened on.
 *
 * @example
 * ```ts
 * import { fromPretrained } from '@dalle-mini/pipeline';
 * import { serve } from '@dalle-mini/serve';
 *
 * await using model = await fromPretrained();
 * await using server = await serve(model, { port: 0 });
 * const response = await fetch(`${server.url}/health`);
 * console.log(await response.json()); // { status: 'ok' }
 * ```
 */
export async function serve(model: TextToImage, options: ServeOptions = {}): Promise<ImageServer> {
  const given = readOptions(serveFields, options, 'serve') as Complete<ServeOptions>;
  const { concurrency, perClient, queueLength, bodyTimeout, closeTimeout, trustProxy, onError } = given;
  const queue = new JobQueue({ concurrency, perClient, length: queueLength });
  const metrics = new Metrics(queue);
  const routes = createRoutes(model, given, queue, metrics);
  const servePage = given.page ? openPage() : undefined;
  const closing = new AbortController();
  const ending = new AbortController();

  let answering = 0;
  /** Ends the connections that are kept alive, which would delay the end of the server. */
  const endConnections = () => {
    if (closing.signal.aborted && answering === 0) setImmediate(() => server.closeAllConnections());
  };

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    answering++;
    const left = new AbortController();
    const path = request.url?.split('?')[0] ?? '/';
    const isRoute = Object.hasOwn(routes, path);
    response.once('close', () => {
      left.abort();
      metrics.requests.inc({ route: isRoute ? path : 'page', status: response.statusCode });
      answering--;
      endConnections();
    });
    response.setHeader('x-content-type-options', 'nosniff');
    try {
      if (servePage && !isRoute && isReading(request))
        return servePage(request, response, () => sendError(response, notFound()));
      const handler = handlerOf(routes, path, request.method ?? '');
      if (closing.signal.aborted && !isReading(request)) throw new ClosingError();
      const signal = AbortSignal.any([left.signal, ending.signal]);
      await handler(request, response, { client: clientOf(request, trustProxy), signal, closing: closing.signal });
    } catch (error) {
      if (failureOf(error).status === 500 && !left.signal.aborted) onError(error);
      if (!response.headersSent) sendError(response, error);
    }
  };

  // A request whose headers or body come too slowly is dropped, even if it is answered already.
  const timeouts = { headersTimeout: bodyTimeout, requestTimeout: 2 * bodyTimeout, connectionsCheckingInterval: 1000 };
  const server = createServer(timeouts, answer);
  await listen(server, given);
  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= new Promise((resolve) => {
      closing.abort(new ClosingError());
      const timer = setTimeout(() => {
        ending.abort(new ClosingError());
        setTimeout(() => server.closeAllConnections(), 1000);
      }, closeTimeout);
      server.close(() => {
        clearTimeout(timer);
        resolve();
      });
      endConnections();
    });
    return closed;
  };
  return { url: urlOf(server), close, [Symbol.asyncDispose]: close };
}

function openPage() {
  return sirv(pageFolder, { etag: true, setHeaders: (response) => setHeaders(response, pageHeaders) });
}

function handlerOf(routes: Routes, path: string, method: string): Handler {
  const route = Object.hasOwn(routes, path) ? routes[path]! : undefined;
  if (!route) throw notFound();
  const name = method === 'HEAD' ? 'GET' : method;
  if (Object.hasOwn(route, name)) return route[name]!;
  const allow = Object.keys(route).join(', ');
  throw new RequestError(405, 'METHOD_NOT_ALLOWED', `The method must be ${allow}, not ${method}.`, { allow });
}

const isReading = ({ method }: IncomingMessage) => method === 'GET' || method === 'HEAD';

function notFound(): RequestError {
  return new RequestError(404, 'NOT_FOUND', 'There is nothing at this path. The page is at /, the API at /api.');
}

function clientOf({ headers, socket }: IncomingMessage, trustProxy: boolean): string {
  const forwarded = trustProxy
    ? String(headers['x-forwarded-for'] ?? '')
        .split(',')
        .at(-1)!
        .trim()
    : '';
  return forwarded || socket.remoteAddress || '';
}

function listen(server: Server, { port, host }: ServeOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
}

function urlOf(server: Server): string {
  const { address, port, family } = server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

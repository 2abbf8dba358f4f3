import { boolean, callback, integer, object, optional, string } from '@dalle-mini/core';

export interface ServeOptions {
  /** The port, or 0 for one that is free. Default 8080. */
  readonly port?: number | undefined;
  /** The address to listen on. `0.0.0.0` lets other computers connect. Default `127.0.0.1`. */
  readonly host?: string | undefined;
  /** Requests that generate at the same time. They share the processor. Default 1. */
  readonly concurrency?: number | undefined;
  /** Most requests that wait. Default 32. */
  readonly queueLength?: number | undefined;
  /** Most requests of one client that generate or wait. A client is an address. Default 2. */
  readonly perClient?: number | undefined;
  /** Most images of one request. Default 9. */
  readonly maxImages?: number | undefined;
  /** Takes the address of a client from the last entry of `x-forwarded-for`, as a reverse proxy sets it. Default false. */
  readonly trustProxy?: boolean | undefined;
  /** Most milliseconds until the body of a request is whole. Default 10,000. */
  readonly bodyTimeout?: number | undefined;
  /** Most milliseconds that `close` waits for requests that generate. Default 30,000. */
  readonly closeTimeout?: number | undefined;
  /** Whether the server has the web page too, at `/`. Default true. */
  readonly page?: boolean | undefined;
  /** Called with errors that are not the client's fault. */
  readonly onError?: ((error: unknown) => unknown) | undefined;
}

export const serveFields = object<ServeOptions>({
  port: optional(integer({ min: 0, max: 65_535 }), 8080),
  host: optional(string(), '127.0.0.1'),
  concurrency: optional(integer({ min: 1, max: 64 }), 1),
  queueLength: optional(integer({ min: 0, max: 100_000 }), 32),
  perClient: optional(integer({ min: 1, max: 100_000 }), 2),
  maxImages: optional(integer({ min: 1, max: 1000 }), 9),
  trustProxy: optional(boolean(), false),
  bodyTimeout: optional(integer({ min: 1 }), 10_000),
  closeTimeout: optional(integer({ min: 0 }), 30_000),
  page: optional(boolean(), true),
  onError: optional(callback(), () => undefined),
});

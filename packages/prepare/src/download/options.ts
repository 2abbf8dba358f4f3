import {
  type Complete,
  type Field,
  type Fields,
  field,
  integer,
  list,
  number,
  optional,
  string,
} from '@dalle-mini/core';
import ipaddr from 'ipaddr.js';

/** How images are downloaded. */
export interface DownloadOptions {
  /** Most downloads at a time. Default 256. */
  readonly connections?: number | undefined;
  /** Most downloads at a time from one host. Default 16. */
  readonly connectionsPerHost?: number | undefined;
  /** Seconds for a whole download: redirects and the last byte are in it. Default 30. */
  readonly timeout?: number | undefined;
  /** Seconds for a connection to be made. Default 10. */
  readonly connectTimeout?: number | undefined;
  /** Further tries after a failure that may pass: a time-out, a lost connection, the statuses 408, 429 and 5xx. Default 2. */
  readonly retries?: number | undefined;
  /** Seconds before the first further try; twice as long before each next one, and up to half of it more at random. Default 1. */
  readonly retryDelay?: number | undefined;
  /** Most seconds that a server can ask to wait with `Retry-After`. A longer wait is a failure. Default 60. */
  readonly maxRetryAfter?: number | undefined;
  /** Most redirects of a download. Default 5. */
  readonly maxRedirects?: number | undefined;
  /** Most bytes of an image file. Default 50 MiB. */
  readonly maxBytes?: number | undefined;
  /** The header `User-Agent`. */
  readonly userAgent?: string | undefined;
  /** The name that `X-Robots-Tag` may address. Default `dalle-mini`. */
  readonly userAgentToken?: string | undefined;
  /**
   * Directives of the header `X-Robots-Tag` with which an image is left out. Default `noai` and `noimageai`; an empty list ignores the
   * header.
   */
  readonly disallowedDirectives?: readonly string[] | undefined;
  /**
   * Ranges of addresses that are not public, and yet may be connected to, such as `10.0.0.0/8`. Default none: private, link-local and
   * loopback addresses are refused.
   */
  readonly allowedAddresses?: readonly string[] | undefined;
}

const range: Field<string> = field(
  'a range of addresses, such as 10.0.0.0/8',
  (value) => typeof value === 'string' && ipaddr.isValidCIDR(value),
  { type: 'string' },
);

/** {@link DownloadOptions} with all of them set. */
export type DownloadSettings = Complete<DownloadOptions>;

export const downloadFields: Fields<DownloadSettings> = {
  connections: optional(integer({ min: 1, max: 4096 }), 256),
  connectionsPerHost: optional(integer({ min: 1, max: 4096 }), 16),
  timeout: optional(number({ above: 0, max: 3600 }), 30),
  connectTimeout: optional(number({ above: 0, max: 600 }), 10),
  retries: optional(integer({ max: 20 }), 2),
  retryDelay: optional(number({ min: 0, max: 600 }), 1),
  maxRetryAfter: optional(number({ min: 0, max: 3600 }), 60),
  maxRedirects: optional(integer({ max: 20 }), 5),
  maxBytes: optional(integer({ min: 1, max: 2 ** 31 - 1 }), 50 * 2 ** 20),
  userAgent: optional(string(), 'Mozilla/5.0 (compatible; dalle-mini; +https://github.com/dalle-mini/dalle-mini-ts)'),
  userAgentToken: optional(string(), 'dalle-mini'),
  disallowedDirectives: optional(list(string()), ['noai', 'noimageai']),
  allowedAddresses: optional(list(range), []),
};

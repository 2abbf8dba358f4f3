import { quote } from '@dalle-mini/core';
import { HubError, UnavailableError } from './error.js';
import { type HttpProxy, type ProxySettings, proxiedFetch, proxyAddress } from './proxy.js';
import { withRetries } from './retries.js';

const maxRedirects = 10;

/** The largest JSON document, in bytes. A page of the listing has 1000 files, a few hundred kilobytes. */
const maxJsonBytes = 2 ** 26;

/** Bytes per second. A slower body would take days for a model. */
const minRate = 1000;

/** Time over which the rate of a body is averaged, in units of the timeout. */
const ratePeriod = 2;

/** Time in which a JSON document must be complete, in units of the timeout. */
const jsonDeadline = 6;

/** Time for the answer to what was sent, in units of the timeout: a hub or a store first processes it. */
const writePatience = 6;

/** A request to the hub, or to another host that the hub names. */
export interface HubRequest {
  /** Default `GET`. */
  readonly method?: 'GET' | 'POST' | 'PUT';
  readonly headers: Readonly<Record<string, string>>;
  /** Returns the body. It calls `sent` for each part that was sent. */
  readonly body?: (sent: () => void) => string | Blob;
  /** Milliseconds after which the whole answer must have been read. */
  readonly deadline?: number;
}

/** A client of the API of huggingface.co or of a mirror. */
export class HubClient {
  /** Hosts that have answered. A network fault that is permanent for other hosts is temporary for these. */
  private readonly answered = new Set<string>();
  private fetch: Promise<typeof fetch> | undefined;

  constructor(
    /** Without a slash at the end. */
    readonly endpoint: string,
    private readonly token: string | undefined,
    /** Milliseconds without a byte after which a connection is closed. */
    readonly timeout: number,
    readonly signal: AbortSignal,
    private readonly proxies: ProxySettings,
  ) {}

  /**
   * Sends a request to `url`, and passes the answer to `read`, with its body as it arrives. The connection is closed
   * when `read` ends.
   *
   * @throws UnavailableError if the network fails, stalls or is too slow; HubError for a wrong redirect; the reason of
   *   `signal`.
   */
  async request<T>(
    url: URL,
    request: HubRequest,
    read: (response: Response, body: AsyncIterable<Uint8Array>) => Promise<T>,
  ): Promise<T> {
    const { deadline } = request;
    const connection = new AbortController();
    const close = (fault: string, retries?: number) => {
      const action = 'Check the network, or raise HF_HUB_DOWNLOAD_TIMEOUT (seconds).';
      connection.abort(new UnavailableError(`${url.host} ${fault}. ${action}`, { retries }));
    };
    const patience = (request.body ? writePatience : 1) * this.timeout;
    const silence = setTimeout(() => close(`sent nothing for ${patience / 1000} s`), patience);
    const end =
      deadline === undefined
        ? undefined
        : setTimeout(() => close(`took more than ${deadline / 1000} s for an answer`, 1), deadline);
    const signal = AbortSignal.any([this.signal, connection.signal]);
    const period = ratePeriod * this.timeout;
    let [waited, received] = [0, 0];
    const arrived = (bytes: number, milliseconds: number) => {
      silence.refresh();
      waited += milliseconds;
      received += bytes;
      if (waited < period) return;
      if (received < (minRate * waited) / 1000) {
        close(`sent only ${received} bytes in ${Math.round(waited / 1000)} s`, 1);
      }
      [waited, received] = [0, 0];
    };
    try {
      const response = await this.follow(url, request, () => silence.refresh(), signal);
      silence.refresh();
      return await read(response, receive(response, arrived, signal));
    } finally {
      clearTimeout(silence);
      clearTimeout(end);
      connection.abort();
    }
  }

  /**
   * Downloads the JSON at `url`, and returns it and the address of the next page if there is one.
   *
   * @param what Names the JSON in messages.
   * @throws HubError if the hub refuses or answers something else.
   */
  async json(url: URL, what: string, retries?: number): Promise<{ value: unknown; next: URL | undefined }> {
    const read = async (response: Response, body: AsyncIterable<Uint8Array>) => {
      this.expectSuccess(response, what);
      const text = await readText(body, () => malformed(url, what));
      const next = /<([^>]+)>;\s*rel="?next"?/.exec(response.headers.get('link') ?? '')?.[1];
      try {
        const value: unknown = JSON.parse(text);
        return { value, next: next === undefined ? undefined : new URL(next, url) };
      } catch (cause) {
        throw malformed(url, what, { cause });
      }
    };
    const request = { headers: { accept: 'application/json' }, deadline: jsonDeadline * this.timeout };
    return withRetries(() => this.request(url, request, read), this.signal, retries);
  }

  /**
   * Sends something to the hub or a store, and returns the status, the headers and the text of the answer. Temporary
   * failures are tried again.
   *
   * @param what Names what is sent in messages.
   * @throws UnavailableError if the hub fails for longer.
   */
  async send(
    url: URL,
    request: HubRequest,
    what: string,
  ): Promise<{ readonly status: number; readonly headers: Headers; readonly text: string }> {
    const attempt = () =>
      this.request(url, request, async (response, body) => {
        if (isTemporary(response.status)) this.expectSuccess(response, what);
        const text = await readText(body, () => malformed(url, what));
        return { status: response.status, headers: response.headers, text };
      });
    return withRetries(attempt, this.signal);
  }

  /**
   * Checks the status of an answer.
   *
   * @param what Names the file in the message.
   * @throws HubError for the status of a failure.
   */
  expectSuccess(response: Response, what: string): void {
    const { status } = response;
    if (response.ok) return;
    const proxy = this.proxyFor(new URL(response.url));
    if (status === 407 && proxy !== undefined) throw proxyRefusal(proxy, status, new URL(response.url).host);
    if (isTemporary(status)) {
      const wait = retryAfter(response);
      const action = `Try again ${wait === undefined ? 'later' : `in ${Math.ceil(wait / 1000)} s`}`;
      const limited = this.token === undefined ? ', or set HF_TOKEN: users with a token may send more requests' : '';
      throw new UnavailableError(
        `${what}: ${status === 429 ? `too many requests (429). ${action}${limited}` : `the hub failed (${status}). ${action}`}.`,
        { retryAfter: wait },
      );
    }
    if (!this.isHub(new URL(response.url))) {
      const message = `${what}: its store, ${new URL(response.url).host}, refused the request (${status}). Try again later.`;
      // The hub redirects to addresses that expire. The next attempt gets a new one; if the store refuses that too,
      // further attempts do not help.
      throw expiredStatuses.has(status) ? new UnavailableError(message, { retries: 1 }) : new HubError(message);
    }
    throw new HubError(`${what}: ${this.refusal(status, response.headers.get('x-error-code'))}`);
  }

  private refusal(status: number, code: string | null): string {
    if (status === 404) {
      if (code === 'RevisionNotFound') return 'there is no such revision (404). Check the branch, tag or commit.';
      if (code === 'EntryNotFound') return 'there is no such file (404). Check its name and the revision.';
      return 'not found (404). Check the name; if the repository is private, set HF_TOKEN.';
    }
    if (status !== 401 && status !== 403) return `the hub answered with status ${status}. Check HF_ENDPOINT.`;
    const licence = `accept the model's licence on its page at ${this.endpoint}, if it has one`;
    // Without a token, a hub gives the same answer for repositories that do not exist.
    return this.token === undefined
      ? `access is denied (${status}). Check the name; if it is right, ${licence}, and set HF_TOKEN to your access token.`
      : `access is denied to this token (${status}). Check HF_TOKEN; if it is right, ${licence}.`;
  }

  private async follow(
    start: URL,
    { method = 'GET', headers, body }: HubRequest,
    sent: () => void,
    signal: AbortSignal,
  ): Promise<Response> {
    let url = start;
    for (let redirects = 0; redirects <= maxRedirects; redirects++) {
      // Only the hub gets the token: its files are on other hosts.
      const authorization = this.isHub(url) && this.token && `Bearer ${this.token}`;
      let response: Response;
      try {
        this.fetch ??= proxiedFetch(this.proxies);
        const send = await this.fetch;
        response = await send(url, {
          method,
          ...(body && { body: body(sent) }),
          // A compressed body could not be resumed.
          headers: { 'accept-encoding': 'identity', ...headers, ...(authorization && { authorization }) },
          redirect: 'manual',
          signal,
        });
      } catch (error) {
        throw networkError(error, url, signal, this.answered.has(url.host), this.proxyFor(url));
      }
      this.answered.add(url.host);
      const location = response.headers.get('location');
      if (location === null || response.status < 300 || response.status >= 400) return response;
      await response.body?.cancel();
      const target = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
      if (target === undefined || !/^https?:$/.test(target.protocol)) {
        throw new HubError(
          `${url.host} redirects to ${quote(location)}, which is not a web address. Check HF_ENDPOINT.`,
        );
      }
      url = target;
    }
    throw new HubError(`${start.host} redirects more than ${maxRedirects} times. Check HF_ENDPOINT.`);
  }

  private isHub(url: URL): boolean {
    return url.origin === new URL(this.endpoint).origin;
  }

  /** Returns the proxy of an address. `NO_PROXY` may except its host. */
  private proxyFor({ protocol }: URL): HttpProxy | undefined {
    return protocol === 'http:' || protocol === 'https:' ? this.proxies[protocol] : undefined;
  }
}

/** Reads a body of at most {@link maxJsonBytes} as text. */
async function readText(body: AsyncIterable<Uint8Array>, tooLarge: () => HubError): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > maxJsonBytes) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** Yields the chunks of a body. `arrived` receives the bytes of each one, and the milliseconds of waiting for it. */
async function* receive(
  response: Response,
  arrived: (bytes: number, milliseconds: number) => void,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (response.body === null) return;
  try {
    let asked = performance.now();
    for await (const chunk of response.body) {
      arrived(chunk.byteLength, performance.now() - asked);
      yield chunk;
      asked = performance.now();
    }
  } catch (error) {
    throw networkError(error, new URL(response.url), signal, true, undefined);
  }
}

/** Checks whether another attempt may get another status. */
function isTemporary(status: number): boolean {
  return [408, 425, 429].includes(status) || (status >= 500 && ![501, 505, 511].includes(status));
}

/** The statuses with which stores refuse an address that has expired. */
const expiredStatuses: ReadonlySet<number> = new Set([400, 401, 403, 410]);

/**
 * Faults that another attempt does not change if the host never answered, by their codes, and what to do about them.
 */
const permanentFaults: readonly (readonly [code: RegExp, fault: string, action: string])[] = [
  [/^ENOTFOUND$/, 'has no address', 'Check HF_ENDPOINT and the network'],
  [
    /CERT|SIGNATURE|HOSTNAME_MISMATCH|^INVALID_(CA|PURPOSE)$|^PATH_LENGTH_EXCEEDED$/,
    'has a certificate that is not trusted',
    "Check HF_ENDPOINT and the clock; for a proxy's own certificate, set NODE_EXTRA_CA_CERTS",
  ],
  [
    /^(ERR_SSL_(WRONG_VERSION|PACKET_LENGTH|UNSUPPORTED|NO_|.*(HANDSHAKE_FAILURE|PROTOCOL_VERSION|UNRECOGNIZED_NAME))|EPROTO$)/,
    'does not support the HTTPS of this computer',
    'Check HF_ENDPOINT',
  ],
  [/^(HPE_|UND_ERR_HEADERS_OVERFLOW$)/, 'does not answer in HTTP', 'Check HF_ENDPOINT'],
  [/^(bad port|E(ADDRNOTAVAIL|ACCES|PERM))$/, 'cannot be connected to', 'Check HF_ENDPOINT and the firewall'],
];

function networkError(
  error: unknown,
  { host }: URL,
  signal: AbortSignal,
  answered: boolean,
  proxy: HttpProxy | undefined,
): unknown {
  if (signal.aborted) return signal.reason;
  const { cause } = error as { cause?: { code?: string; message?: string } };
  const reason = cause?.code ?? cause?.message ?? String(error);
  if (proxy !== undefined) {
    // undici reports a refusal as the cause of the request's cancellation.
    const { message = '' } = (cause as { cause?: Error } | undefined)?.cause ?? cause ?? {};
    const status = /^Proxy (?:response|Authentication Required) \((\d+)\)/.exec(message)?.[1];
    if (status !== undefined) return proxyRefusal(proxy, Number(status), host, error);
    return new UnavailableError(
      `The connection to ${host} through the proxy ${proxyAddress(proxy)} failed (${reason}). ` +
        `Check ${proxy.variable}; if ${host} needs no proxy, add it to NO_PROXY; for a proxy's own certificate, set NODE_EXTRA_CA_CERTS.`,
      { cause: error, retries: answered ? undefined : 1 },
    );
  }
  for (const [code, fault, action] of permanentFaults) {
    if (!answered && code.test(reason)) {
      return new UnavailableError(`${host} ${fault} (${reason}). ${action}.`, { cause: error, retries: 0 });
    }
  }
  return new UnavailableError(
    `The connection to ${host} failed (${reason}). Check the network and HF_ENDPOINT, and try again.`,
    { cause: error },
  );
}

/** Creates the error of a proxy that does not connect to a host. */
function proxyRefusal(proxy: HttpProxy, status: number, host: string, cause?: unknown): UnavailableError {
  const { protocol, host: address } = proxy.url;
  const credentials = `to ${protocol}//USER:PASSWORD@${address}, with special characters as %XX`;
  return new UnavailableError(
    `The proxy ${proxyAddress(proxy)} did not connect to ${host} (${status}). ` +
      (status === 407
        ? `It requires a user and a password: set ${proxy.variable} ${credentials}.`
        : `Check ${proxy.variable}; if ${host} needs no proxy, add it to NO_PROXY.`),
    { cause, retries: status < 500 ? 0 : 1 },
  );
}

function malformed(url: URL, what: string, options?: ErrorOptions): HubError {
  return new HubError(
    `${what}: ${url.host} must answer with the JSON of a hub, and did not. Check HF_ENDPOINT.`,
    options,
  );
}

/** Reads the milliseconds to wait, from a number of seconds or a date. */
function retryAfter(response: Response): number | undefined {
  const value = response.headers.get('retry-after');
  if (value === null) return undefined;
  const wait = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(wait) ? undefined : Math.max(wait, 0);
}

import { setTimeout as sleep } from 'node:timers/promises';
import { HubError, TransientError } from './hub-error.js';

const MAX_REDIRECTS = 10;

/** Bytes of a JSON document. A page of the listing has 1000 files, some hundred kilobytes. */
const MAX_JSON = 2 ** 26;

/** The API of a hub: of huggingface.co, or of a mirror. */
export class HubClient {
  constructor(
    /** Without a slash at the end. */
    readonly endpoint: string,
    private readonly token: string | undefined,
    /** Milliseconds without a byte after which a connection is given up. */
    private readonly timeout: number,
    readonly signal: AbortSignal,
  ) {}

  /**
   * GETs `url` and gives the answer to `read`, its body as it arrives. The connection ends with `read`, at the latest.
   * @throws TransientError if the network fails or stalls; HubError for redirects that lead nowhere; the reason of `signal`.
   */
  async get<T>(
    url: URL,
    headers: Readonly<Record<string, string>>,
    read: (response: Response, body: AsyncIterable<Uint8Array>) => Promise<T>,
  ): Promise<T> {
    const connection = new AbortController();
    const timer = setTimeout(() => {
      const silence = `${url.host} sent nothing for ${this.timeout / 1000} s.`;
      connection.abort(new TransientError(`${silence} Check the network, or raise HF_HUB_DOWNLOAD_TIMEOUT (seconds).`));
    }, this.timeout);
    const signal = AbortSignal.any([this.signal, connection.signal]);
    try {
      const response = await this.follow(url, headers, signal);
      timer.refresh();
      return await read(response, receive(response, timer, signal));
    } finally {
      clearTimeout(timer);
      connection.abort();
    }
  }

  /**
   * The JSON at `url`, and the address of the next page if there is one. `what` names it in messages.
   * @throws HubError if the hub refuses or answers something else.
   */
  async json(url: URL, what: string, retries?: number): Promise<{ value: unknown; next: URL | undefined }> {
    const attempt = () =>
      this.get(url, { accept: 'application/json' }, async (response, body) => {
        this.expectSuccess(response, what);
        const chunks: Uint8Array[] = [];
        let size = 0;
        for await (const chunk of body) {
          size += chunk.byteLength;
          if (size > MAX_JSON) throw malformed(url, what);
          chunks.push(chunk);
        }
        const next = /<([^>]+)>;\s*rel="?next"?/.exec(response.headers.get('link') ?? '')?.[1];
        try {
          const value: unknown = JSON.parse(Buffer.concat(chunks).toString());
          return { value, next: next === undefined ? undefined : new URL(next, url) };
        } catch (cause) {
          throw malformed(url, what, { cause });
        }
      });
    return withRetries(attempt, this.signal, retries);
  }

  /** @throws HubError for the status of a failure. `what` names what was asked for. */
  expectSuccess(response: Response, what: string): void {
    const { status } = response;
    if (response.ok) return;
    if (status === 429 || status >= 500) {
      const wait = retryAfter(response);
      const remedy = `Try again ${wait === undefined ? 'later' : `in ${Math.ceil(wait / 1000)} s`}`;
      const limited = this.token === undefined ? ', or set HF_TOKEN: who is known may ask more often' : '';
      throw new TransientError(
        `${what}: ${status === 429 ? `too many requests (429). ${remedy}${limited}` : `the hub failed (${status}). ${remedy}`}.`,
        {},
        wait,
      );
    }
    if (!this.isHub(new URL(response.url))) {
      // The hub redirects to addresses that expire; the next try gets a fresh one.
      throw new TransientError(
        `${what}: its store, ${new URL(response.url).host}, refuses (${status}). Try again later.`,
      );
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
    // Without a token, a hub says so of repositories that do not exist, too.
    return this.token === undefined
      ? `access is denied (${status}). Check the name; if it is right, ${licence}, and set HF_TOKEN to your access token.`
      : `access is denied to this token (${status}). Check HF_TOKEN; if it is right, ${licence}.`;
  }

  private async follow(start: URL, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Response> {
    let url = start;
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      // The token is the hub's alone: its files lie with other hosts.
      const authorization = this.isHub(url) && this.token && `Bearer ${this.token}`;
      let response: Response;
      try {
        response = await fetch(url, {
          // A compressed body could not be resumed.
          headers: { 'accept-encoding': 'identity', ...headers, ...(authorization && { authorization }) },
          redirect: 'manual',
          signal,
        });
      } catch (error) {
        throw networkError(error, url, signal);
      }
      const location = response.headers.get('location');
      if (location === null || response.status < 300 || response.status >= 400) return response;
      await response.body?.cancel();
      const target = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
      if (target === undefined || !/^https?:$/.test(target.protocol)) {
        throw new HubError(`${url.host} redirects to ${shown(location)}, which is no web address. Check HF_ENDPOINT.`);
      }
      url = target;
    }
    throw new HubError(`${start.host} redirects more than ${MAX_REDIRECTS} times. Check HF_ENDPOINT.`);
  }

  private isHub(url: URL): boolean {
    return url.origin === new URL(this.endpoint).origin;
  }
}

/** The body's chunks; each one keeps the connection's timer from running out. */
async function* receive(
  response: Response,
  timer: NodeJS.Timeout,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (response.body === null) return;
  try {
    for await (const chunk of response.body) {
      timer.refresh();
      yield chunk;
    }
  } catch (error) {
    throw networkError(error, new URL(response.url), signal);
  }
}

function networkError(error: unknown, url: URL, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  const { cause } = error as { cause?: { code?: string; message?: string } };
  const reason = cause?.code ?? cause?.message ?? String(error);
  return new TransientError(
    `The connection to ${url.host} failed (${reason}). Check the network and HF_ENDPOINT, and try again.`,
    { cause: error },
  );
}

function malformed(url: URL, what: string, options?: ErrorOptions): HubError {
  return new HubError(`${what}: ${url.host} answers something else than a hub's JSON. Check HF_ENDPOINT.`, options);
}

/** Milliseconds, from a number of seconds or a date. */
function retryAfter(response: Response): number | undefined {
  const value = response.headers.get('retry-after');
  if (value === null) return undefined;
  const wait = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(wait) ? undefined : Math.max(wait, 0);
}

/** A stranger's text for a message: quoted, and shortened. */
export function shown(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}

/** Tries after the first one. */
export const RETRIES = 5;

/** Milliseconds before the first retry; each further one waits twice as long. */
const FIRST_WAIT = 500;

/** Milliseconds. A hub that asks for more patience is told to the user instead. */
const LONGEST_WAIT = 60_000;

/**
 * Calls `attempt` again as long as it fails with a TransientError, up to `retries` times in a row; `recovered`, which it may call,
 * begins a new row.
 * @throws The last error of `attempt`; the reason of `signal`.
 */
export async function withRetries<T>(
  attempt: (recovered: () => void) => Promise<T>,
  signal: AbortSignal,
  retries = RETRIES,
): Promise<T> {
  let failures = 0;
  for (;;) {
    try {
      return await attempt(() => {
        failures = 0;
      });
    } catch (error) {
      if (!(error instanceof TransientError) || failures === retries) throw error;
      const wait = error.retryAfter ?? FIRST_WAIT * 2 ** failures;
      if (wait > LONGEST_WAIT) throw error;
      failures++;
      await sleep(wait, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }
}

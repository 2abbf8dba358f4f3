/** HTTP requests of browsers, with retries. */
import { HubError, UnavailableError } from '../hub/error.js';

/** Milliseconds without a byte after which a connection is closed. */
const patience = 20_000;

/** The largest number of retries in a row. */
const maxRetries = 4;

/** Milliseconds before the first retry. Each further one waits twice as long. */
const firstWait = 500;

/** A host answered with the status of a failure. */
export class StatusError extends HubError {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

export interface Connection {
  /** An access token, which only `origin` gets. */
  readonly token?: string | undefined;
  readonly origin?: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * Sends a request and passes the answer to `read`. `alive` postpones the end of a connection that sends nothing.
 *
 * @throws UnavailableError if the network or the host fails; HubError if the host refuses; the signal's reason.
 */
export async function request<Result>(
  url: string,
  what: string,
  { token, origin, signal }: Connection,
  init: RequestInit,
  read: (response: Response, alive: () => void) => Promise<Result>,
): Promise<Result> {
  const silent = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silent.abort(), patience);
  };
  const isOrigin = token !== undefined && new URL(url).origin === origin;
  alive();
  try {
    const response = await fetch(url, {
      ...init,
      headers: { ...init.headers, ...(isOrigin ? { authorization: `Bearer ${token}` } : {}) },
      signal: AbortSignal.any([signal, silent.signal]),
    });
    alive();
    if (!response.ok) throw refusal(response, what);
    return await read(response, alive);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HubError) throw error;
    // Storage that is full, for example.
    if ((error as { code?: unknown }).code === 'BROWSER_STORAGE') throw error;
    const { host } = new URL(url);
    const reason = silent.signal.aborted ? `sent nothing for ${patience / 1000} s` : 'cannot be reached';
    throw new UnavailableError(
      `${what}: ${host || 'the address'} ${reason}. Check the network, and that the host allows requests of this website (CORS).`,
      {
        cause: error,
      },
    );
  } finally {
    clearTimeout(timer);
  }
}

function refusal({ status, statusText }: Response, what: string): HubError {
  const message = `${what}: the host answered with status ${status} ${statusText}`.trimEnd();
  if (status === 429 || status === 408 || status >= 500) return new UnavailableError(`${message}. Try again later.`);
  const action =
    status === 401 || status === 403 ? 'Check the token and the licence of the model' : 'Check the address';
  return new StatusError(`${message}. ${action}.`, status);
}

/** Repeats an attempt while it fails for want of a network. An attempt that calls `recovered` restarts the count. */
export async function withRetries<Result>(
  attempt: (recovered: () => void) => Promise<Result>,
  signal: AbortSignal,
): Promise<Result> {
  for (let failures = 0; ; ) {
    try {
      return await attempt(() => {
        failures = 0;
      });
    } catch (error) {
      // A browser that knows that it is offline does not need to wait.
      const { navigator } = globalThis as { readonly navigator?: { readonly onLine?: boolean } };
      if (!(error instanceof UnavailableError) || failures === maxRetries || navigator?.onLine === false) throw error;
      await delay(firstWait * 2 ** failures++, signal);
    }
  }
}

async function delay(milliseconds: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    const stop = () => {
      clearTimeout(timer);
      resolve();
    };
    signal.addEventListener('abort', stop, { once: true });
  });
  signal.throwIfAborted();
}

import { environmentVariable } from '@dalle-mini/core/node';
import { HubError } from './error.js';

/** A proxy of the environment. */
export interface HttpProxy {
  /** The variable that sets it. */
  readonly variable: string;
  /** Its address, with the user and the password if it needs them. */
  readonly url: URL;
}

/** The proxies of requests, by the protocol of the address that is requested. */
export interface ProxySettings {
  readonly 'http:'?: HttpProxy | undefined;
  readonly 'https:'?: HttpProxy | undefined;
  /** Hosts that are connected to directly, as `NO_PROXY` lists them. */
  readonly noProxy: string;
}

type Fetch = typeof fetch;

/**
 * Reads the proxies that the environment sets, under lower-case and upper-case names. `HTTP_PROXY` is used for HTTPS
 * too if `HTTPS_PROXY` is not set, as in undici.
 *
 * @throws HubError if a variable does not have the address of an HTTP proxy. The message never has its password.
 */
export function proxySettings(): ProxySettings {
  // Those runtimes read the same variables themselves.
  if ('bun' in process.versions || 'deno' in process.versions) return { noProxy: '' };
  const http = proxyOf('http_proxy', 'HTTP_PROXY');
  return {
    'http:': http,
    'https:': proxyOf('https_proxy', 'HTTPS_PROXY') ?? http,
    noProxy: environmentVariable('no_proxy', 'NO_PROXY') ?? '',
  };
}

function proxyOf(...names: readonly string[]): HttpProxy | undefined {
  const name = names.find((candidate) => environmentVariable(candidate) !== undefined);
  if (name === undefined) return undefined;
  const value = environmentVariable(name)!.trim();
  // Without a protocol, as in proxy.example:3128, it is HTTP in all programs that read these variables.
  const address = /^[a-z][a-z\d+.-]*:\/\//i.test(value) ? value : `http://${value}`;
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.hostname === '') {
    const given = url === undefined ? 'something else' : `one of ${url.protocol}//`;
    throw new HubError(
      `${name} must be the address of an HTTP proxy such as http://proxy.example:3128, not ${given}. Correct it, or remove it to connect directly.`,
    );
  }
  return { variable: name, url };
}

/** Returns the address of a proxy for messages, without its user and password. */
export function proxyAddress({ url }: HttpProxy): string {
  return `${url.protocol}//${url.host}`;
}

/**
 * Returns the function that sends requests through the proxies of the environment, or the global `fetch` if there are
 * none.
 */
export async function proxiedFetch({ noProxy, ...proxies }: ProxySettings): Promise<Fetch> {
  const [http, https] = [proxies['http:'], proxies['https:']];
  if (http === undefined && https === undefined) return fetch;
  // The fetch of the same version as the agent: that of Node.js may have another interface for agents.
  const { EnvHttpProxyAgent, fetch: fetchWith } = await import('undici');
  const dispatcher = new EnvHttpProxyAgent({
    ...(http && { httpProxy: http.url.href }),
    ...(https && { httpsProxy: https.url.href }),
    noProxy,
    // Many proxies tunnel to the port of HTTPS only.
    proxyTunnel: false,
  });
  const proxied = (url: URL, init?: object) => fetchWith(url, { ...init, dispatcher });
  return proxied as unknown as Fetch;
}

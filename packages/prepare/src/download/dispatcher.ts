import type { LookupAddress, LookupOptions } from 'node:dns';
import { isIP } from 'node:net';
import CacheableLookup from 'cacheable-lookup';
import ipaddr from 'ipaddr.js';
import { Agent, buildConnector, type Dispatcher, interceptors } from 'undici';
import { DownloadError } from './download-error.js';
import type { DownloadSettings } from './options.js';

/** Finds the addresses of a host. */
export type Lookup = (hostname: string) => Promise<readonly LookupAddress[]>;

/** Seconds for which an address is remembered: a list has millions of hosts. */
const rememberedFor = 600;

/**
 * Returns a lookup that asks the name servers, and remembers their answers. Unlike the system's lookup it needs none of the threads that
 * decode images, on which names that do not exist would wait for long.
 *
 * @param hasLocalNames Whether the system is asked for names that the name servers do not have, such as those of its hosts file.
 */
export function cachedLookup(hasLocalNames: boolean): Lookup {
  const options = { maxTtl: rememberedFor, errorTtl: rememberedFor };
  const cache = new CacheableLookup(hasLocalNames ? options : { ...options, lookup: false });
  return (hostname) => cache.lookupAsync(hostname, { all: true });
}

/**
 * Creates the connections of a download. Each address is checked where it is connected to: so it makes no difference whether it came from
 * a redirect, or from a name that has another address now than a moment ago (DNS rebinding).
 */
export function createDispatcher(
  { connectTimeout, maxRedirects, connectionsPerHost, allowedAddresses }: DownloadSettings,
  lookup: Lookup = cachedLookup(allowedAddresses.length > 0),
): Dispatcher {
  const allowed = allowedAddresses.map((range) => ipaddr.parseCIDR(range));
  const check = (hostname: string, addresses: readonly string[]) => {
    const refused = addresses.find((address) => !isAllowed(address, allowed));
    if (refused !== undefined)
      throw new DownloadError('address-refused', `${hostname} has the address ${refused}, which is not public`);
  };
  const checkedLookup = (
    hostname: string,
    { all }: LookupOptions,
    callback: (error: Error | null, address: string | LookupAddress[], family?: number) => void,
  ) => {
    lookup(hostname)
      .then((found) => {
        const addresses = found.map(({ address, family }) => ({ address, family }));
        check(
          hostname,
          addresses.map(({ address }) => address),
        );
        if (all) callback(null, addresses);
        else callback(null, addresses[0]!.address, addresses[0]!.family);
      })
      .catch((error: Error) => callback(error, ''));
  };
  const connect = buildConnector({ timeout: connectTimeout * 1000, lookup: checkedLookup as never });
  const agent = new Agent({
    connect(to, callback) {
      const hostname = to.hostname.replace(/^\[|\]$/g, '');
      try {
        // An address in the URL itself is not looked up.
        if (isIP(hostname) !== 0) check(hostname, [hostname]);
      } catch (error) {
        return callback(error as Error, null);
      }
      connect(to, callback);
    },
    connections: connectionsPerHost,
    // Most hosts are asked once or twice.
    keepAliveTimeout: 2_000,
    maxHeaderSize: 64 * 1024,
  });
  return agent.compose(interceptors.redirect({ maxRedirections: maxRedirects }));
}

function isAllowed(address: string, allowed: readonly [ipaddr.IPv4 | ipaddr.IPv6, number][]): boolean {
  // IPv4 addresses in the form of IPv6 are what they stand for.
  const parsed = ipaddr.process(address);
  if (parsed.range() === 'unicast') return true;
  return allowed.some(([range, bits]) => range.kind() === parsed.kind() && parsed.match(range as never, bits));
}

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeHub } from '@dalle-mini/testing/fake-hub';
import { downloadModel, HubError } from '@dalle-mini/weights/hub';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

vi.mock('node:timers/promises', async (original) => {
  const actual = await original<typeof import('node:timers/promises')>();
  return { ...actual, setTimeout: async () => actual.setTimeout(0) };
});

let hub: FakeHub;
let home: string;
let proxy: Server;
/** The requests of the proxy: the method, the target and the credentials. */
let asked: (string | undefined)[][];
/** The status with which the proxy refuses. */
let refused: number | undefined;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'proxy-'));
  hub = new FakeHub();
  await hub.start();
  hub.add('config.json', Buffer.from('{}'));
  hub.add('model.safetensors', Buffer.alloc(100_000, 7), true);
  asked = [];
  refused = undefined;
  proxy = createServer(({ method, url, headers }, response) => {
    asked.push([method, url, headers['proxy-authorization']]);
    if (refused !== undefined) response.writeHead(refused).end();
    else
      send(url!, { headers }, (answer) => {
        response.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(response);
      }).end();
  });
  proxy.on('connect', ({ method, url, headers }, socket) => {
    asked.push([method, url, headers['proxy-authorization']]);
    socket.end(`HTTP/1.1 ${refused} No\r\n\r\n`);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  for (const name of ['http_proxy', 'https_proxy', 'no_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'])
    vi.stubEnv(name, undefined);
  for (const name of ['HF_TOKEN', 'HF_TOKEN_PATH', 'HF_HUB_CACHE', 'HF_HUB_OFFLINE']) vi.stubEnv(name, undefined);
  vi.stubEnv('HF_HOME', home);
  vi.stubEnv('HF_ENDPOINT', hub.url);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await hub.stop();
  proxy.closeAllConnections();
  proxy.close();
  await rm(home, { recursive: true });
});

const address = (credentials = '') => `http://${credentials}127.0.0.1:${(proxy.address() as AddressInfo).port}`;

const download = () => downloadModel('org/name', { files: ['config.json', 'model.safetensors'] });

/** The message of the error, of one line, that does not tell the password. */
async function refusal(): Promise<string> {
  const error = await download().catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(HubError);
  const { message } = error as HubError;
  expect(message).not.toMatch(/[\n\r]|secret/);
  return message;
}

test.each(['http_proxy', 'HTTP_PROXY'])('%s is used for each request, and with its credentials', async (name) => {
  vi.stubEnv(name, address('user:s%40cret@'));
  expect((await download()).source).toBe('hub');
  const credentials = `Basic ${Buffer.from('user:s@cret').toString('base64')}`;
  expect(asked.map(([, , authorization]) => authorization)).toEqual(asked.map(() => credentials));
  expect(asked.some(([, url]) => url!.startsWith(hub.storeUrl))).toBe(true);
  expect(asked.filter(([, url]) => url!.startsWith(hub.url)).length).toBeGreaterThan(2);
});

test.each(['no_proxy', 'NO_PROXY'])('%s excepts hosts', async (name) => {
  vi.stubEnv('HTTP_PROXY', address());
  vi.stubEnv(name, 'localhost, 127.0.0.1');
  expect((await download()).source).toBe('hub');
  expect(asked).toEqual([]);
});

test('a proxy may be given without http://, and an empty variable is none', async () => {
  vi.stubEnv('http_proxy', '');
  vi.stubEnv('HTTP_PROXY', address().replace('http://', ''));
  await download();
  expect(asked.length).toBeGreaterThan(0);
  asked = [];
  vi.stubEnv('HTTP_PROXY', '');
  await download();
  expect(asked).toEqual([]);
});

test.each([
  ['https_proxy', 407, /^The proxy http:\/\/127\S+ did not connect to hub\.invalid \(407\)\. It requires a user and a/],
  ['HTTPS_PROXY', 403, /did not connect to hub\.invalid \(403\)\. Check HTTPS_PROXY; if hub\.invalid needs no proxy/],
  ['HTTPS_PROXY', 502, /\(502\)\. Check HTTPS_PROXY/],
  // As in undici.
  ['HTTP_PROXY', 403, /\(403\)\. Check HTTP_PROXY/],
])('%s is asked to connect to a host of HTTPS; its status %i is told', async (name, status, message) => {
  vi.stubEnv('HF_ENDPOINT', 'https://hub.invalid');
  vi.stubEnv(name, address('user:secret@'));
  refused = status;
  expect(await refusal()).toMatch(message);
  expect(asked[0]!.slice(0, 2)).toEqual(['CONNECT', 'hub.invalid:443']);
  expect(asked).toHaveLength(status < 500 ? 1 : 2);
});

test('a proxy that asks for a password is told from a hub that does', async () => {
  vi.stubEnv('HTTP_PROXY', address());
  refused = 407;
  expect(await refusal()).toMatch(/requires a user and a password: set HTTP_PROXY to http:\/\/USER:PASSWORD@127/);
});

test('a proxy that cannot be reached is named', async () => {
  vi.stubEnv('HF_ENDPOINT', 'https://hub.invalid');
  vi.stubEnv('HTTPS_PROXY', 'http://user:secret@127.0.0.1:1');
  expect(await refusal()).toMatch(
    /^The connection to hub\.invalid through the proxy http:\/\/127\.0\.0\.1:1 failed \(.+\)\. Check HTTPS_PROXY;/,
  );
});

test.each(['socks5://user:secret@127.0.0.1:1080', 'http://', 'http://user:secret@:99999'])(
  'an address that is not that of an HTTP proxy is refused',
  async (value) => {
    vi.stubEnv('HTTPS_PROXY', value);
    expect(await refusal()).toMatch(/^HTTPS_PROXY must be the address of an HTTP proxy such as/);
  },
);

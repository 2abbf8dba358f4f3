import { object, readOptions } from '@dalle-mini/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDispatcher, type Lookup } from '../src/download/dispatcher.js';
import { DownloadError } from '../src/download/download-error.js';
import { downloadImage } from '../src/download/download-image.js';
import { findOptOut } from '../src/download/opt-out.js';
import { type DownloadOptions, downloadFields } from '../src/download/options.js';
import { HostileServer } from './hostile-server.js';

let server: HostileServer;
beforeAll(async () => {
  server = await HostileServer.start();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

/** The server's address is allowed; others of the loopback are not. */
const quick: DownloadOptions = { allowedAddresses: ['127.0.0.1/32'], timeout: 0.3, retries: 1, retryDelay: 0.01 };

async function download(url: string, options: DownloadOptions = {}, lookup?: Lookup, signal?: AbortSignal) {
  const settings = readOptions(object(downloadFields), { ...quick, ...options }, 'prepare');
  const dispatcher = createDispatcher(settings, lookup);
  try {
    return await downloadImage(url, dispatcher, settings, signal);
  } finally {
    await dispatcher.destroy();
  }
}

async function problemOf(url: string, options?: DownloadOptions, lookup?: Lookup): Promise<string> {
  const error = await download(url, options, lookup).catch((error: unknown) => error);
  if (!(error instanceof DownloadError)) throw error;
  return error.problem;
}

describe('downloading an image', () => {
  it.each(['ok', 'moved', 'wrong-type', 'busy', 'cut-once', 'noai-others'])('succeeds: %s', async (path) => {
    expect((await download(server.url(path))).subarray(0, 2)).toEqual(Buffer.from([0xff, 0xd8]));
  });

  it.each([
    ['missing', 'http-404', 1],
    ['broken', 'http-503', 2],
    ['busy-for-hours', 'http-429', 1],
    ['stall', 'timeout', 2],
    ['silent', 'timeout', 2],
    ['trickle', 'timeout', 2],
    ['cut', 'connection', 2],
    ['huge', 'too-large', 1],
    ['endless', 'too-large', 1],
    ['html', 'not-an-image', 1],
    ['svg', 'not-an-image', 1],
    ['empty', 'not-an-image', 1],
    ['noai', 'opt-out', 1],
    ['noai-this', 'opt-out', 1],
    ['file', 'url', 1],
  ])('of a server that is hostile fails: %s is %s after %i requests', async (path, problem, requests) => {
    expect(await problemOf(server.url(path), { maxBytes: 100_000 })).toBe(problem);
    expect(server.visits.get(path)).toBe(requests);
  });

  it('follows no loop of redirects, and no longer chain than is set', async () => {
    expect(await problemOf(server.url('loop'))).toBe('redirects');
    expect(await problemOf(server.url('chain/'), { maxRedirects: 3 })).toBe('redirects');
    expect([...server.visits.keys()].filter((path) => path.startsWith('chain'))).toHaveLength(4);
  });

  it('ignores the wish of a server if no directives are disallowed', async () => {
    expect(await download(server.url('noai'), { disallowedDirectives: [] })).toBeInstanceOf(Buffer);
  });

  it('rejects with the reason of its signal', async () => {
    const reason = new Error('enough');
    await expect(download(server.url('trickle'), {}, undefined, AbortSignal.abort(reason))).rejects.toBe(reason);
    const later = new AbortController();
    setTimeout(() => later.abort(reason), 50);
    await expect(download(server.url('silent'), { timeout: 30 }, undefined, later.signal)).rejects.toBe(reason);
  });
});

describe('addresses that are not public', () => {
  const names = (...addresses: string[]): Lookup => {
    let asked = 0;
    return async () => [{ address: addresses[Math.min(asked++, addresses.length - 1)]!, family: 4 }];
  };

  it.each([
    'http://127.0.0.2/a.jpg',
    'http://10.1.2.3/a.jpg',
    'http://192.168.0.1/a.jpg',
    'http://169.254.169.254/latest/meta-data',
    'http://0.0.0.0/a.jpg',
    'http://[::1]/a.jpg',
    'http://[::ffff:10.0.0.1]/a.jpg',
    'http://[fe80::1]/a.jpg',
    'http://[64:ff9b::a00:1]/a.jpg',
    'http://2130706434/a.jpg',
  ])('are refused in a URL: %s', async (url) => {
    expect(await problemOf(url)).toBe('address-refused');
  });

  it('are refused as the address of a name', async () => {
    expect(await problemOf(server.url('ok', 'images.example'), {}, names('10.0.0.1'))).toBe('address-refused');
  });

  it('are refused after a redirect', async () => {
    expect(await problemOf(server.url('inside'))).toBe('address-refused');
    expect(await download(server.url('inside'), { allowedAddresses: ['127.0.0.0/8'] })).toBeInstanceOf(Buffer);
  });

  it('are refused where a name has another address than a moment ago', async () => {
    const rebinding = names('127.0.0.1', '127.0.0.2');
    expect(await problemOf(server.url('broken', 'images.example'), { retries: 0 }, rebinding)).toBe('http-503');
    expect(await problemOf(server.url('ok', 'images.example'), {}, rebinding)).toBe('address-refused');
  });

  it('are reached by the names of the system, if they are allowed', async () => {
    expect(
      await download(server.url('ok', 'localhost'), { timeout: 20, allowedAddresses: ['127.0.0.0/8', '::1/128'] }),
    ).toBeInstanceOf(Buffer);
  });

  it('are refused if one of several is among them', async () => {
    const both: Lookup = async () => [
      { address: '127.0.0.1', family: 4 },
      { address: '10.0.0.1', family: 4 },
    ];
    expect(await problemOf(server.url('ok', 'images.example'), {}, both)).toBe('address-refused');
  });
});

it('finds directives for all programs, and for this one', () => {
  const disallowed = ['noai', 'noimageai'];
  expect(findOptOut('noai', 'dalle-mini', disallowed)).toBe('noai');
  expect(findOptOut(['noindex', 'nofollow , NoImageAI'], 'dalle-mini', disallowed)).toBe('noimageai');
  expect(findOptOut('DALLE-Mini: noai', 'dalle-mini', disallowed)).toBe('noai');
  expect(findOptOut('googlebot: noai', 'dalle-mini', disallowed)).toBeUndefined();
  expect(findOptOut('noindex', 'dalle-mini', disallowed)).toBeUndefined();
  expect(findOptOut(undefined, 'dalle-mini', disallowed)).toBeUndefined();
});

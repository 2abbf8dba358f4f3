import { homedir } from 'node:os';
import { environmentVariable, expandHome, userCacheFolder } from '@dalle-mini/core/node';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

beforeEach(() => {
  for (const name of ['XDG_CACHE_HOME', 'LOCALAPPDATA']) vi.stubEnv(name, '');
  vi.stubEnv('HOME', '/home/ann');
  vi.stubEnv('USERPROFILE', '/home/ann');
});
afterEach(() => vi.unstubAllEnvs());

describe('the folder of caches', () => {
  test.each([
    ['linux', '/home/ann/.cache/dalle-mini/scans'],
    ['freebsd', '/home/ann/.cache/dalle-mini/scans'],
    ['darwin', '/home/ann/Library/Caches/dalle-mini/scans'],
    ['win32', '\\home\\ann\\AppData\\Local\\dalle-mini\\scans'],
  ] as const)('is that of the system on %s', (platform, expected) => {
    expect(userCacheFolder('scans', platform)).toBe(expected);
  });

  test('is in LOCALAPPDATA on Windows only', () => {
    vi.stubEnv('LOCALAPPDATA', 'D:\\Local');
    expect(userCacheFolder('scans', 'win32')).toBe('D:\\Local\\dalle-mini\\scans');
    expect(userCacheFolder('scans', 'linux')).toBe('/home/ann/.cache/dalle-mini/scans');
  });

  test.each(['linux', 'darwin', 'win32'] as const)('is in XDG_CACHE_HOME if it is set, on %s', (platform) => {
    vi.stubEnv('XDG_CACHE_HOME', '/big/cache');
    vi.stubEnv('LOCALAPPDATA', 'D:\\Local');
    expect(userCacheFolder('xla', platform).replaceAll('\\', '/')).toBe('/big/cache/dalle-mini/xla');
    vi.stubEnv('XDG_CACHE_HOME', '~/cache');
    expect(userCacheFolder('xla', platform).replaceAll('\\', '/')).toBe('/home/ann/cache/dalle-mini/xla');
  });
});

test('~ at the beginning of a path is the folder of the user', () => {
  expect(['~', '~/a', '~ann', 'a/~'].map(expandHome)).toEqual([homedir(), `${homedir()}/a`, '~ann', 'a/~']);
});

test('an empty environment variable counts as one that is not set', () => {
  vi.stubEnv('DALLE_MINI_A', '');
  vi.stubEnv('DALLE_MINI_B', 'b');
  expect(environmentVariable('DALLE_MINI_A')).toBeUndefined();
  expect(environmentVariable('DALLE_MINI_A', 'DALLE_MINI_B')).toBe('b');
});

import { OptionError, object, readOptions } from '@dalle-mini/core';
import { type HubOptions, hubFields } from '@dalle-mini/weights/hub';
import { describe, expect, test } from 'vitest';

describe('the options of the hub', () => {
  const read = (options: unknown) => readOptions(object<HubOptions>(hubFields), options, 'open');

  test('are all optional', () => {
    expect(read({})).toEqual({});
    const options = { revision: 'main', cacheDir: 'a', endpoint: 'http://localhost:1', token: '', offline: true };
    expect(read(options)).toEqual(options);
  });

  test.each([
    ['revision', '../main'],
    ['cacheDir', ''],
    ['endpoint', 'file:///etc'],
    ['token', 7],
    ['offline', 'yes'],
    ['signal', {}],
    ['onProgress', {}],
  ])('%s is refused where it is %j', (name, value) => {
    expect(() => read({ [name]: value })).toThrow(OptionError);
    expect(() => read({ [name]: value })).toThrow(`${name} must be`);
  });
});

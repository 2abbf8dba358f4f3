import {
  ConfigError,
  checkImage,
  DalleMiniError,
  describeValue,
  errorFromData,
  errorToData,
  OptionError,
  quote,
} from '@dalle-mini/core';
import { FileError } from '@dalle-mini/core/node';
import { describe, expect, test } from 'vitest';

describe('an error', () => {
  const error = new OptionError('topK', 'a whole number of at least 1', 0);

  test('has a code, a name, and a message with the option, the expected value and the given value', () => {
    expect(error).toMatchObject({ code: 'INVALID_OPTION', name: 'OptionError', option: 'topK', given: 0 });
    expect(error.message).toBe('topK must be a whole number of at least 1, not 0.');
  });

  test('is an instance of its own class and of the base class, but of no other', () => {
    expect(OptionError.isInstance(error)).toBe(true);
    expect(DalleMiniError.isInstance(error)).toBe(true);
    expect(ConfigError.isInstance(error)).toBe(false);
    for (const value of [new Error('no'), undefined, null, 'text', {}])
      expect(OptionError.isInstance(value)).toBe(false);
  });

  test('is recognized if it is from another copy of the package', () => {
    const copy = Object.assign(new Error('other'), {
      [Symbol.for('dalle-mini.error.codes')]: ['INVALID_OPTION', 'DALLE_MINI'],
    });
    expect(OptionError.isInstance(copy)).toBe(true);
    expect(ConfigError.isInstance(copy)).toBe(false);
  });

  test('keeps its code, its message and its class in a message to another thread', () => {
    const received = errorFromData(structuredClone(errorToData(error)));
    expect(received).toMatchObject({ code: 'INVALID_OPTION', name: 'OptionError', message: error.message });
    expect(OptionError.isInstance(received)).toBe(true);
    expect(ConfigError.isInstance(received)).toBe(false);
    expect(errorFromData(errorToData(new TypeError('no')))).toMatchObject({ name: 'TypeError', message: 'no' });
    expect(errorFromData(errorToData('text')).message).toBe('text');
  });

  test('of a file keeps the system error code', () => {
    const cause = Object.assign(new Error('ENOENT: …'), { code: 'ENOENT', syscall: 'open' });
    const file = new FileError('read', 'a.json', cause);
    expect(file).toMatchObject({ code: 'FILE', systemCode: 'ENOENT', path: 'a.json', cause });
    expect(file.message).toBe('Cannot read a.json: there is no such file. Check the path.');
  });
});

test.each([
  [Number.NaN, 'NaN'],
  [undefined, 'undefined'],
  [1n, '1n'],
  ['a"b\n', '"a\\"b\\n"'],
  [[1, 'a'], '[1, "a"]'],
  [[[]], 'a list of 1'],
  [{}, 'an object'],
  [() => 1, 'a function'],
])('%s is described as %s', (value, text) => {
  expect(describeValue(value)).toBe(text);
});

test('long text is cut between characters', () => {
  expect(quote(`${'a'.repeat(59)}\u{1f600}${'b'.repeat(100)}`)).toBe(`"${'a'.repeat(59)}"… (161 characters)`);
});

describe('an image', () => {
  test('of the right size is accepted', () => {
    expect(() => checkImage({ width: 2, height: 1, data: new Uint8Array(6) })).not.toThrow();
  });

  test.each([
    [
      { width: 2, height: 1, data: new Uint8Array(8) },
      'image.data must have 6 bytes, 3 for each of 2 × 1 pixels, not 8. Remove the alpha channel, or pass the right size.',
    ],
    [{ width: 0, height: 1, data: new Uint8Array(0) }, 'image.width must be a whole number of at least 1, not 0.'],
    [{ width: 2, height: 1, data: [1, 2] }, 'image.data must be a Uint8Array of RGB bytes, not [1, 2].'],
    [undefined, 'image.width must be a whole number of at least 1, not undefined.'],
  ])('%j is refused', (image, message) => {
    expect(() => checkImage(image as never)).toThrow(message);
  });
});

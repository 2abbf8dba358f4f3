import {
  abortSignal,
  boolean,
  ConfigError,
  callback,
  field,
  implementation,
  integer,
  list,
  number,
  OptionError,
  object,
  oneOf,
  optional,
  readConfig,
  readOptions,
  refuse,
  samplingFields,
  seedField,
  string,
  variant,
} from '@dalle-mini/core';
import { describe, expect, test } from 'vitest';

interface Config {
  readonly layers: number;
  readonly rate: number;
  readonly kind: 'a' | 'b';
  readonly sizes: readonly number[];
  readonly inner?: { readonly on: boolean } | undefined;
}

const fields = object<Config>({
  layers: integer({ min: 1, max: 100 }),
  rate: number({ above: 0, max: 1 }),
  kind: oneOf(['a', 'b']),
  sizes: list(integer({ min: 1, max: 9 }), { min: 1, max: 3 }),
  inner: optional(object<{ on: boolean }>({ on: boolean() })),
});
const valid = { layers: 3, rate: 0.5, kind: 'a', sizes: [1, 2] };
const messageOf = (value: unknown) => {
  try {
    readConfig(fields, value, 'config.json');
  } catch (error) {
    expect(ConfigError.isInstance(error)).toBe(true);
    return (error as Error).message;
  }
  throw new Error('it was accepted');
};

describe('a configuration', () => {
  test('is refused with the action that the caller passes', () => {
    expect(() => readConfig(fields, { ...valid, layers: 0 }, 'config.json', 'Download it again.')).toThrow(
      'config.json: layers must be a whole number from 1 to 100, not 0. Download it again.',
    );
  });

  test('is returned without the fields that are left out', () => {
    expect(readConfig(fields, valid, 'config.json')).toEqual(valid);
    expect(Object.hasOwn(readConfig(fields, valid, 'config.json'), 'inner')).toBe(false);
  });

  test.each([
    [{ ...valid, layers: 1e6 }, 'config.json: layers must be a whole number from 1 to 100, not 1000000.'],
    [{ ...valid, layers: 2.5 }, 'config.json: layers must be a whole number from 1 to 100, not 2.5.'],
    [{ ...valid, layers: '3' }, 'config.json: layers must be a whole number from 1 to 100, not "3".'],
    [{ ...valid, layers: Number.NaN }, 'config.json: layers must be a whole number from 1 to 100, not NaN.'],
    [{ ...valid, layers: undefined }, 'config.json: layers is missing; it must be a whole number from 1 to 100.'],
    [{ ...valid, rate: 0 }, 'config.json: rate must be a number above 0 and of at most 1, not 0.'],
    [{ ...valid, kind: 'c' }, 'config.json: kind must be "a" or "b", not "c".'],
    [{ ...valid, sizes: [] }, 'config.json: sizes must be a list of 1 to 3 values, not [].'],
    [{ ...valid, sizes: [1, 10] }, 'config.json: sizes[1] must be a whole number from 1 to 9, not 10.'],
    [{ ...valid, inner: { on: 1 } }, 'config.json: inner.on must be true or false, not 1.'],
    [{ ...valid, inner: null }, 'config.json: inner must be an object, not null.'],
    [{ ...valid, layer: 3 }, 'config.json: layer is not known. Did you mean layers?'],
    [{ ...valid, x: 3 }, 'config.json: x is not known. The known ones are layers, rate, kind, sizes, inner.'],
    [[], 'config.json: the configuration must be an object, not [].'],
    [null, 'config.json: the configuration must be an object, not null.'],
  ])('%j is refused by name', (value, message) => {
    expect(messageOf(value)).toBe(message);
  });

  test('is read from own properties, not from the prototype', () => {
    expect(messageOf(Object.create(valid))).toContain('layers is missing');
    expect(messageOf({ ...valid, constructor: 1 })).toContain('constructor is not known');
  });

  test('gets a short message for a value of any depth and length', () => {
    let deep: unknown = 0;
    for (let i = 0; i < 1e5; i++) deep = [deep];
    expect(messageOf({ ...valid, layers: deep }).length).toBeLessThan(200);
    expect(messageOf({ ...valid, kind: '\u{1f600}'.repeat(1e5) }).length).toBeLessThan(200);
    expect(messageOf({ ...valid, ['y'.repeat(1e5)]: 1 }).length).toBeLessThan(300);
  });

  test('may ignore unknown fields, and treat null as left out', () => {
    const lenient = object<{ a?: number | undefined }>(
      { a: optional(integer(), 5) },
      { unknown: 'ignore', nullIsAbsent: true },
    );
    expect(readConfig(lenient, { a: null, b: 1 }, 'config.json')).toEqual({ a: 5 });
  });

  test('may check fields against each other', () => {
    const both = object<{ low: number; high: number }>(
      { low: integer(), high: integer() },
      { check: ({ low, high }, at) => low > high && refuse(at('high'), `at least low, ${low}`, high) },
    );
    expect(() => readConfig(both, { low: 2, high: 1 }, 'range')).toThrow('range: high must be at least low, 2, not 1.');
  });
});

describe('options', () => {
  const options = object<{ n?: number | undefined; onProgress?: (() => void) | undefined; text?: string | undefined }>({
    n: optional(integer({ min: 1, max: 1000 }), 1),
    onProgress: optional(callback()),
    text: optional(string({ minLength: 0 })),
  });

  test('have their defaults if undefined is given', () => {
    expect(readOptions(options, { n: undefined }, 'generate')).toEqual({ n: 1 });
  });

  test('that are unknown are refused by name', () => {
    const read = () => readOptions(options, { count: 4 }, 'generate');
    expect(read).toThrow(OptionError);
    expect(read).toThrow('The option count of generate is not known. The known ones are n, onProgress, text.');
  });

  test('of the wrong type are refused by name', () => {
    expect(() => readOptions(options, { onProgress: 1 }, 'generate')).toThrow('onProgress must be a function, not 1.');
    expect(() => readOptions(options, 7, 'generate')).toThrow('the options of generate must be an object, not 7.');
  });
});

test('guidance beyond float32 is refused, since models compute in it', () => {
  const sampling = object(samplingFields);
  expect(readOptions(sampling, { guidanceScale: 3.4028234663852886e38 }, 'generate')).toBeDefined();
  expect(() => readOptions(sampling, { guidanceScale: 1e39 }, 'generate')).toThrow('guidanceScale must be');
});

describe('a tagged union', () => {
  type Figure =
    | { readonly kind: 'circle'; readonly radius: number }
    | { readonly kind: 'square'; readonly side: number };
  const size = number({ above: 0 });
  const figure = variant<Figure, 'kind'>('kind', {
    circle: object<Figure & { kind: 'circle' }>({ kind: oneOf(['circle']), radius: size }),
    square: object<Figure & { kind: 'square' }>({ kind: oneOf(['square']), side: size }),
  });
  const shape = object<{ figure: Figure }>({ figure });
  const read = (value: unknown) => readConfig(shape, { figure: value }, 'x.json').figure;

  test('has the fields that its tag selects', () => {
    expect(read({ kind: 'square', side: 2 })).toEqual({ kind: 'square', side: 2 });
  });

  test.each([
    [{ kind: 'circle', side: 2 }, 'x.json: figure.side is not known. The known ones are kind, radius.'],
    [{ kind: 'circle', radius: 0 }, 'x.json: figure.radius must be a number above 0, not 0.'],
    [{ kind: 'line' }, 'x.json: figure.kind must be "circle" or "square", not "line".'],
    [{ kind: 'constructor' }, 'x.json: figure.kind must be "circle" or "square", not "constructor".'],
    [{ side: 2 }, 'x.json: figure.kind is missing; it must be "circle" or "square".'],
    [7, 'x.json: figure must be an object, not 7.'],
  ])('is refused where a field is wrong: %j', (value, message) => {
    expect(() => read(value)).toThrow(message);
  });
});

test.each([
  ['2 or 4', field('2 or 4', (value) => value === 2 || value === 4), 4, 3, '3'],
  ['an AbortSignal', abortSignal(), AbortSignal.abort(), new AbortController(), 'an object'],
  ['a whole number of at least 0', seedField, 2 ** 53 - 1, -1, '-1'],
  [
    'a reader, an object with read() and close()',
    implementation('a reader', ['read', 'close']),
    { read() {}, close() {} },
    { read() {} },
    undefined,
  ],
])('%s is accepted, and anything else is refused in these words', (expected, one, right, wrong, given = '') => {
  const options = object<{ option: unknown }>({ option: one });
  expect(readOptions(options, { option: right }, 'call')).toEqual({ option: right });
  expect(() => readOptions(options, { option: wrong }, 'call')).toThrow(`option must be ${expected}, not ${given}`);
  expect(() => readOptions(options, { option: null }, 'call')).toThrow(OptionError);
});

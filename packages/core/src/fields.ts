import { ConfigError, describeValue, OptionError, quote } from './errors.js';

/** A JSON Schema as plain data. */
export type JsonSchema = { readonly [keyword: string]: unknown };

/** Validates one value of a configuration or of the options of a call. */
export interface Field<T> {
  /** The valid values, in words that follow "must be": `a whole number from 1 to 1024`. */
  readonly expected: string;
  /** Whether the field may be left out. */
  readonly isOptional: boolean;
  /** JSON Schema (draft 2020-12) of the valid values. It may accept more than `read`. Missing if JSON has no such values. */
  readonly schema?: JsonSchema | undefined;
  /**
   * Returns the value if it is valid.
   *
   * @param path The names of the fields that lead to the value, joined by dots; empty at the top.
   * @throws FieldProblem if the value is invalid.
   */
  read(value: unknown, path: string): T;
}

/** An object type with all of its optional properties given. */
export type Complete<T> = { readonly [Name in keyof T]-?: Exclude<T[Name], undefined> };

/** One field for each property of an object. */
export type Fields<T> = { readonly [Name in keyof T]-?: Field<T[Name]> };

/** The value that a field reads. */
export type ValueOf<F> = F extends Field<infer T> ? T : never;

/** Reports an invalid value. {@link readConfig} and {@link readOptions} turn it into an error that names the source. */
class FieldProblem extends Error {
  constructor(
    readonly path: string,
    readonly expected: string,
    readonly given: unknown,
    /** The rest of the message, after the path. Default "must be …, not …". */
    readonly problem = `must be ${expected}, not ${describeValue(given)}.`,
  ) {
    super(`${path} ${problem}`);
  }
}

/** Throws the error for an invalid value. Call it in a field's `read` or in {@link ObjectRules.check}. */
export function refuse(path: string, expected: string, given: unknown): never {
  throw new FieldProblem(path, expected, given);
}

/** Creates a field whose valid values are those for which `accepts` returns true. */
export function field<T>(expected: string, accepts: (value: unknown) => boolean, schema?: JsonSchema): Field<T> {
  return {
    expected,
    isOptional: false,
    schema,
    read: (value, path) => (accepts(value) ? (value as T) : refuse(path, expected, value)),
  };
}

/** Creates a field of whole numbers from `min` (default 0) to `max` (default: the largest safe integer). */
export function integer({
  min = 0,
  max = Number.MAX_SAFE_INTEGER,
}: {
  min?: number | undefined;
  max?: number | undefined;
} = {}): Field<number> {
  const expected =
    max === Number.MAX_SAFE_INTEGER ? `a whole number of at least ${min}` : `a whole number from ${min} to ${max}`;
  return field(
    expected,
    (value) => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max,
    { type: 'integer', minimum: min, maximum: max },
  );
}

/** Bounds of a number. `above` and `below` exclude the bound itself. */
export interface NumberRange {
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  readonly above?: number | undefined;
  readonly below?: number | undefined;
}

/** Creates a field of finite numbers in a range. */
export function number({ min, max, above, below }: NumberRange = {}): Field<number> {
  const bounds = [
    min === undefined ? '' : `of at least ${min}`,
    above === undefined ? '' : `above ${above}`,
    max === undefined ? '' : `of at most ${max}`,
    below === undefined ? '' : `below ${below}`,
  ];
  const expected = ['a number', bounds.filter(Boolean).join(' and ')].join(' ').trim();
  const accepts = (value: unknown) => {
    if (typeof value !== 'number' || !Number.isFinite(value)) return false;
    return (
      value >= (min ?? value) &&
      value <= (max ?? value) &&
      value > (above ?? Number.NEGATIVE_INFINITY) &&
      value < (below ?? Number.POSITIVE_INFINITY)
    );
  };
  const bound = { minimum: min, maximum: max, exclusiveMinimum: above, exclusiveMaximum: below };
  return field(expected, accepts, { type: 'number', ...defined(bound) });
}

/** Returns the properties of an object that are not `undefined`. */
function defined(properties: JsonSchema): JsonSchema {
  return Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined));
}

/** Creates a field of `true` and `false`. */
export function boolean(): Field<boolean> {
  return field('true or false', (value) => typeof value === 'boolean', { type: 'boolean' });
}

/** Creates a field of strings of at least `minLength` characters (default 1). */
export function string({ minLength = 1 }: { minLength?: number } = {}): Field<string> {
  const expected =
    minLength === 0
      ? 'a string'
      : minLength === 1
        ? 'a string that is not empty'
        : `a string of at least ${minLength} characters`;
  return field(expected, (value) => typeof value === 'string' && value.length >= minLength, {
    type: 'string',
    minLength,
  });
}

/** Creates a field that accepts the listed values only. */
export function oneOf<const T extends string | number | boolean | null>(values: readonly T[]): Field<T> {
  const names = values.map((value) => JSON.stringify(value));
  const expected = names.length > 1 ? `${names.slice(0, -1).join(', ')} or ${names.at(-1)}` : names.join();
  return field(expected, (value) => values.includes(value as T), { enum: values });
}

/** Creates a field of lists of `min` to `max` values. */
export function list<T>(
  item: Field<T>,
  { min = 0, max = 1_000_000 }: { min?: number; max?: number } = {},
): Field<readonly T[]> {
  const expected = min === max ? `a list of ${min} values` : `a list of ${min} to ${max} values`;
  return {
    expected,
    isOptional: false,
    schema: item.schema && { type: 'array', items: item.schema, minItems: min, maxItems: max },
    read(value, path) {
      if (!Array.isArray(value) || value.length < min || value.length > max) return refuse(path, expected, value);
      return value.map((one, index) => item.read(one, `${path}[${index}]`));
    },
  };
}

/** Creates a field of functions, such as progress callbacks. */
export function callback<T extends (...args: never[]) => unknown>(): Field<T> {
  return field('a function', (value) => typeof value === 'function');
}

/** Creates a field of `AbortSignal`s, from this realm or another. */
export function abortSignal(): Field<AbortSignal> {
  return field('an AbortSignal', (value) => typeof (value as AbortSignal | null)?.addEventListener === 'function');
}

/** Creates a field of objects that have the named methods: implementations of an interface. */
export function implementation<T extends object>(name: string, methods: readonly (keyof T & string)[]): Field<T> {
  const accepts = (value: unknown) =>
    typeof value === 'object' &&
    value !== null &&
    methods.every((method) => typeof (value as Record<string, unknown>)[method] === 'function');
  return field(`${name}, an object with ${methods.map((method) => `${method}()`).join(' and ')}`, accepts);
}

/** Makes a field optional. If it is left out or `undefined`, its value is `otherwise`. */
export function optional<T>(inner: Field<T>): Field<T | undefined>;
export function optional<T>(inner: Field<T>, otherwise: T): Field<T>;
export function optional<T>(inner: Field<T>, otherwise?: T): Field<T | undefined> {
  return {
    expected: inner.expected,
    isOptional: true,
    schema: inner.schema && defined({ ...inner.schema, default: otherwise }),
    read: (value, path) => (value === undefined ? otherwise : inner.read(value, path)),
  };
}

/** Rules of an object beyond its fields. */
export interface ObjectRules<T> {
  /** How to treat a property that has no field: `refuse` throws an error that names it; `ignore` drops it. Default `refuse`. */
  readonly unknown?: 'refuse' | 'ignore' | undefined;
  /** Whether `null` counts as left out, as in JSON files that Python writes. Default false. */
  readonly nullIsAbsent?: boolean | undefined;
  /** Checks fields against each other after all are read. Calls {@link refuse} if they do not fit. */
  readonly check?: ((value: T, at: (name: keyof T & string) => string) => void) | undefined;
}

/** Creates a field of objects with the given fields. A field that is left out and has no default is not in the result. */
export function object<T extends object>(fields: Fields<T>, rules: ObjectRules<T> = {}): Field<T> {
  const expected = 'an object';
  const names = Object.keys(fields) as (keyof T & string)[];
  const schemas = names.map((name) => [name, fields[name].schema] as const).filter(([, schema]) => schema);
  return {
    expected,
    isOptional: false,
    schema: {
      type: 'object',
      properties: Object.fromEntries(schemas),
      required: names.filter((name) => !fields[name].isOptional),
      additionalProperties: rules.unknown === 'ignore',
    },
    read(value, path) {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return refuse(path, expected, value);
      const given = value as Record<string, unknown>;
      const at = (name: string) => (path === '' ? name : `${path}.${name}`);
      if (rules.unknown !== 'ignore') {
        for (const name of Object.keys(given)) {
          if (!Object.hasOwn(fields, name)) throw unknownField(at(name), name, names);
        }
      }
      const result: Partial<T> = {};
      for (const name of names) {
        // Own properties only: the prototype has names such as "constructor" too.
        const own = Object.hasOwn(given, name) ? given[name] : undefined;
        const one = rules.nullIsAbsent && own === null ? undefined : own;
        if (one === undefined && !fields[name].isOptional)
          throw new FieldProblem(
            at(name),
            fields[name].expected,
            one,
            `is missing; it must be ${fields[name].expected}.`,
          );
        const read = fields[name].read(one, at(name));
        if (read !== undefined) result[name] = read;
      }
      rules.check?.(result as T, at);
      return result as T;
    },
  };
}

/**
 * Creates a field of a tagged union: the property `tag` names the kind of the object, and the kind sets its fields.
 *
 * @param usual The kind of objects without the property. Default: it must be given.
 */
export function variant<T extends object, Tag extends keyof T & string>(
  tag: Tag,
  kinds: { readonly [Kind in T[Tag] & string]: Field<T> },
  usual?: T[Tag] & string,
): Field<T> {
  const names = Object.keys(kinds) as (T[Tag] & string)[];
  const kind = oneOf(names);
  const kindOf = object({ [tag]: usual === undefined ? kind : optional(kind, usual) }, { unknown: 'ignore' });
  const schema = { oneOf: names.map((name) => kinds[name].schema) };
  return { ...kindOf, schema, read: (value, path) => kinds[kindOf.read(value, path)[tag]!].read(value, path) };
}

function unknownField(path: string, name: string, known: readonly string[]): FieldProblem {
  const simple = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, '');
  const given = simple(name);
  const near =
    given.length < 3
      ? undefined
      : known.find((one) => simple(one).startsWith(given) || given.startsWith(simple(one)) || simple(one) === given);
  const hint = near === undefined ? `The known ones are ${known.join(', ')}.` : `Did you mean ${near}?`;
  const shown = path.length > 80 ? quote(path) : path;
  return new FieldProblem(shown, 'a known name', name, `is not known. ${hint}`);
}

/**
 * Reads a configuration.
 *
 * @param source The start of an error message: the file's path, or a name such as `decoder config`.
 * @param action The end of an error message: what the user can do about an invalid field.
 * @throws ConfigError if a field is missing, unknown or invalid.
 *
 * @example
 * ```ts
 * import { integer, object, readConfig } from '@dalle-mini/core';
 *
 * const sizes = object<{ layers: number }>({ layers: integer({ min: 1, max: 1000 }) });
 * console.log(readConfig(sizes, { layers: 12 }, 'config.json').layers); // 12
 * ```
 */
export function readConfig<T>(fields: Field<T>, value: unknown, source: string, action = ''): T {
  try {
    return fields.read(value, '');
  } catch (error) {
    if (!(error instanceof FieldProblem)) throw error;
    throw new ConfigError(source, error.path || 'the configuration', `${error.problem} ${action}`.trimEnd());
  }
}

/**
 * Reads the options of a call.
 *
 * @param call The name of the function, such as `generate`.
 * @throws OptionError if an option is missing, unknown or invalid.
 */
export function readOptions<T>(fields: Field<T>, options: unknown, call: string): T {
  try {
    return fields.read(options, '');
  } catch (error) {
    if (!(error instanceof FieldProblem)) throw error;
    const path = error.path || `the options of ${call}`;
    const subject = error.expected === 'a known name' ? `The option ${path} of ${call}` : path;
    throw new OptionError(path, error.expected, error.given, `${subject} ${error.problem}`);
  }
}

import { ConfigError, describeValue, OptionError, quote } from './errors.js';

/** Reads one value of a configuration or of the options of a call, and refuses what it must not be. */
export interface Field<T> {
  /** What a value must be, in words that follow "must be": `a whole number from 1 to 1024`. */
  readonly expected: string;
  /** Whether the field may be left out. */
  readonly isOptional: boolean;
  /**
   * @param path The names of the fields that lead to the value, joined by dots; empty at the top.
   * @throws FieldProblem
   */
  read(value: unknown, path: string): T;
}

/** One field for each property of an object. */
export type Fields<T> = { readonly [Name in keyof T]-?: Field<T[Name]> };

/** The value that a field reads. */
export type ValueOf<F> = F extends Field<infer T> ? T : never;

/** What is wrong with a value. {@link readConfig} and {@link readOptions} turn it into an error that says where the value is from. */
class FieldProblem extends Error {
  constructor(
    readonly path: string,
    readonly expected: string,
    readonly given: unknown,
    /** Follows the path; replaces "must be … , not …". */
    readonly problem = `must be ${expected}, not ${describeValue(given)}.`,
  ) {
    super(`${path} ${problem}`);
  }
}

/** Refuses the value at a path: a field's `read` calls it, or a check of two fields against each other. */
export function refuse(path: string, expected: string, given: unknown): never {
  throw new FieldProblem(path, expected, given);
}

/** A field of the values that `accepts` accepts. */
export function field<T>(expected: string, accepts: (value: unknown) => boolean): Field<T> {
  return {
    expected,
    isOptional: false,
    read: (value, path) => (accepts(value) ? (value as T) : refuse(path, expected, value)),
  };
}

/** A whole number from `min`, by default 0, to `max`, by default the largest safe integer. */
export function integer({
  min = 0,
  max = Number.MAX_SAFE_INTEGER,
}: {
  min?: number;
  max?: number;
} = {}): Field<number> {
  const expected =
    max === Number.MAX_SAFE_INTEGER ? `a whole number of at least ${min}` : `a whole number from ${min} to ${max}`;
  return field(
    expected,
    (value) => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max,
  );
}

/** Bounds of a number. `above` and `below` exclude the bound itself. */
export interface NumberRange {
  readonly min?: number;
  readonly max?: number;
  readonly above?: number;
  readonly below?: number;
}

/** A finite number in a range. */
export function number({ min, max, above, below }: NumberRange = {}): Field<number> {
  const bounds = [
    min === undefined ? '' : `of at least ${min}`,
    above === undefined ? '' : `above ${above}`,
    max === undefined ? '' : `of at most ${max}`,
    below === undefined ? '' : `below ${below}`,
  ];
  const expected = ['a number', bounds.filter(Boolean).join(' and ')].join(' ').trim();
  return field(expected, (value) => {
    if (typeof value !== 'number' || !Number.isFinite(value)) return false;
    return (
      value >= (min ?? value) &&
      value <= (max ?? value) &&
      value > (above ?? Number.NEGATIVE_INFINITY) &&
      value < (below ?? Number.POSITIVE_INFINITY)
    );
  });
}

/** True or false. */
export function boolean(): Field<boolean> {
  return field('true or false', (value) => typeof value === 'boolean');
}

/** A string; by default of at least one character. */
export function string({ minLength = 1 }: { minLength?: number } = {}): Field<string> {
  const expected =
    minLength === 0
      ? 'a string'
      : minLength === 1
        ? 'a string that is not empty'
        : `a string of at least ${minLength} characters`;
  return field(expected, (value) => typeof value === 'string' && value.length >= minLength);
}

/** One of some values. */
export function oneOf<const T extends string | number | boolean | null>(values: readonly T[]): Field<T> {
  const names = values.map((value) => JSON.stringify(value));
  const expected = names.length > 1 ? `${names.slice(0, -1).join(', ')} or ${names.at(-1)}` : names.join();
  return field(expected, (value) => values.includes(value as T));
}

/** A list of `min` to `max` values. */
export function list<T>(
  item: Field<T>,
  { min = 0, max = 1_000_000 }: { min?: number; max?: number } = {},
): Field<readonly T[]> {
  const expected = min === max ? `a list of ${min} values` : `a list of ${min} to ${max} values`;
  return {
    expected,
    isOptional: false,
    read(value, path) {
      if (!Array.isArray(value) || value.length < min || value.length > max) return refuse(path, expected, value);
      return value.map((one, index) => item.read(one, `${path}[${index}]`));
    },
  };
}

/** A function, such as a progress callback. */
export function callback<T extends (...args: never[]) => unknown>(): Field<T> {
  return field('a function', (value) => typeof value === 'function');
}

/** An `AbortSignal`, of this realm or of another. */
export function abortSignal(): Field<AbortSignal> {
  return field('an AbortSignal', (value) => typeof (value as AbortSignal | null)?.addEventListener === 'function');
}

/** An object with the named methods: an implementation of an interface. */
export function implementation<T extends object>(name: string, methods: readonly (keyof T & string)[]): Field<T> {
  const accepts = (value: unknown) =>
    typeof value === 'object' &&
    value !== null &&
    methods.every((method) => typeof (value as Record<string, unknown>)[method] === 'function');
  return field(`${name}, an object with ${methods.map((method) => `${method}()`).join(' and ')}`, accepts);
}

/** A field that may be left out, or be `undefined`: then it has the default, if there is one. */
export function optional<T>(inner: Field<T>): Field<T | undefined>;
export function optional<T>(inner: Field<T>, otherwise: T): Field<T>;
export function optional<T>(inner: Field<T>, otherwise?: T): Field<T | undefined> {
  return {
    expected: inner.expected,
    isOptional: true,
    read: (value, path) => (value === undefined ? otherwise : inner.read(value, path)),
  };
}

/** How an object treats what its fields do not say. */
export interface ObjectRules<T> {
  /** What happens to a property that has no field: `refuse`, the default, names it and lists the fields; `ignore` leaves it out. */
  readonly unknown?: 'refuse' | 'ignore';
  /** Whether `null` counts as left out, as in JSON files that Python writes. Default false. */
  readonly nullIsAbsent?: boolean;
  /** Checks fields against each other, after each was read. It calls {@link refuse}. */
  readonly check?: (value: T, at: (name: keyof T & string) => string) => void;
}

/** An object with these fields. Only what was given is in the result: a field that was left out and has no default is not. */
export function object<T extends object>(fields: Fields<T>, rules: ObjectRules<T> = {}): Field<T> {
  const expected = 'an object';
  const names = Object.keys(fields) as (keyof T & string)[];
  return {
    expected,
    isOptional: false,
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
        // Not what the prototype has: a file may name a field "constructor".
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

/** An object of one of several kinds, which the value of its property `tag` names: a union of TypeScript with a tag. */
export function variant<T extends object, Tag extends keyof T & string>(
  tag: Tag,
  kinds: { readonly [Kind in T[Tag] & string]: Field<T> },
): Field<T> {
  const names = Object.keys(kinds) as (T[Tag] & string)[];
  const kindOf = object({ [tag]: oneOf(names) }, { unknown: 'ignore' });
  return { ...kindOf, read: (value, path) => kinds[kindOf.read(value, path)[tag]!].read(value, path) };
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
 * @param source What is read, to begin the message with: a file's path, or `decoder config`.
 * @param action What the user can do about a wrong field, to end the message with.
 * @throws ConfigError that names the field, what it must be, and what it is.
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
 * @throws OptionError that names the option, what it must be, and what it is; unknown options are refused by name too.
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

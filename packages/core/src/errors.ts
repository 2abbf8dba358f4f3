const codes = Symbol.for('dalle-mini.error.codes');

/**
 * The base class of every error that these packages throw on purpose. `code` names the kind of error. It stays the same when the
 * message changes.
 *
 * If two copies of a package are loaded, `instanceof` fails for errors of the other copy. `isInstance` works for both.
 *
 * @example
 * ```ts
 * import { OptionError } from '@dalle-mini/core';
 *
 * const error: unknown = new OptionError('topK', 'a whole number of at least 1', 0);
 * console.log(OptionError.isInstance(error) && error.option); // topK
 * ```
 */
export abstract class DalleMiniError extends Error {
  static readonly code: string = 'DALLE_MINI';

  /** The kind of error, such as `INVALID_OPTION`. */
  readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    const kinds: string[] = [];
    for (let kind: unknown = new.target; typeof kind === 'function'; kind = Object.getPrototypeOf(kind)) {
      if (Object.hasOwn(kind, 'code')) kinds.push((kind as typeof DalleMiniError).code);
    }
    this.code = kinds[0]!;
    this.name = new.target.name;
    // Not enumerable: a printed error shows only `code`.
    Object.defineProperty(this, codes, { value: kinds });
  }

  /** Checks whether a value is an error of this class, from any copy of the package. */
  static isInstance<T extends DalleMiniError>(
    this: { readonly code: string; readonly prototype: T },
    value: unknown,
  ): value is T {
    if (!(value instanceof Error)) return false;
    const kinds = (value as { [codes]?: readonly string[] })[codes];
    // biome-ignore lint/complexity/noThisInStatic: the class that it is called on, which may extend this one.
    return Array.isArray(kinds) && kinds.includes(this.code);
  }
}

/** An option or an argument of a call is unknown or has an invalid value. */
export class OptionError extends DalleMiniError {
  static override readonly code = 'INVALID_OPTION';

  /**
   * @param option The name of the option, such as `temperature`.
   * @param expected The valid values, in words that follow "must be".
   * @param given The value that was passed.
   */
  constructor(
    readonly option: string,
    readonly expected: string,
    readonly given: unknown,
    message = `${option} must be ${expected}, not ${describeValue(given)}.`,
  ) {
    super(message);
  }
}

/** A field of a configuration, such as a `config.json`, is missing, unknown or invalid. */
export class ConfigError extends DalleMiniError {
  static override readonly code = 'INVALID_CONFIG';

  /**
   * @param source The path of the file, or a name such as `VQ-GAN config`.
   * @param field The path of the field in it, such as `model.layers`.
   */
  constructor(
    readonly source: string,
    readonly field: string,
    problem: string,
  ) {
    super(`${source}: ${field} ${problem}`);
  }
}

/** Something was used after its `dispose()`. */
export class DisposedError extends DalleMiniError {
  static override readonly code = 'DISPOSED';
}

/** An error as plain data, which messages between threads carry. */
export interface ErrorData {
  readonly name: string;
  readonly message: string;
  readonly stack?: string | undefined;
  /** Of an error of these packages: `code`, and the codes of the classes that it extends. */
  readonly codes?: readonly string[] | undefined;
}

/** Returns an error as plain data, for a message to another thread. */
export function errorToData(error: unknown): ErrorData {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const { name, message, stack } = error;
  return { name, message, stack, codes: (error as { [codes]?: readonly string[] })[codes] };
}

/** Restores an error from its data. `isInstance` recognizes it. */
export function errorFromData({ name, message, stack, codes: kinds }: ErrorData): Error {
  const error = Object.assign(new Error(message), { name, stack: stack ?? `${name}: ${message}` });
  if (!kinds) return error;
  Object.defineProperty(error, codes, { value: kinds });
  return Object.assign(error, { code: kinds[0] });
}

const longestText = 60;

/**
 * Describes a value in an error message: short, on one line, and safe for a value of any depth and size.
 *
 * @returns A number as JavaScript writes it, a string in quotes, or the kind of any other value: `a list of 3`, `an object`.
 */
export function describeValue(value: unknown): string {
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'number' || typeof value === 'boolean' || value === undefined || value === null)
    return String(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (Array.isArray(value)) {
    const isPlain = value.length <= 8 && value.every((item) => typeof item !== 'object' && typeof item !== 'function');
    return isPlain ? `[${value.map(describeValue).join(', ')}]` : `a list of ${value.length}`;
  }
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** Quotes text for an error message and cuts long text. */
export function quote(text: string): string {
  if (text.length <= longestText) return JSON.stringify(text);
  // Do not cut a surrogate pair in half.
  const cut = text.slice(0, longestText).replace(/[\ud800-\udbff]$/, '');
  return `${JSON.stringify(cut)}… (${text.length} characters)`;
}

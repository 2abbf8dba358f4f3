import { ConfigError, describeValue } from './errors.js';

/**
 * Parses the text of a JSON object.
 *
 * @param source The start of an error message: the file's path, or `metadata.jsonl, line 3`.
 * @param action The end of an error message: what the user can do.
 * @throws ConfigError if the text is not JSON or not an object.
 */
export function parseJsonObject(
  text: string,
  source: string,
  action = 'Correct it, or download it again.',
): Record<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    // V8 quotes the text in some messages, at any length and with its line breaks.
    const reason = (error as Error).message.replace(/\s+/g, ' ').slice(0, 200);
    throw new ConfigError(source, 'the text', `must be JSON, and is not (${reason}). ${action}`);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new ConfigError(source, 'the text', `must be a JSON object, not ${describeValue(json)}. ${action}`);
  return json as Record<string, unknown>;
}

/** Returns a copy of settings with other values, by the names of the fields that lead to each, joined by dots. */
export function withOverrides(settings: object, overrides: Readonly<Record<string, unknown>>): object {
  const replace = (at: unknown, [name, ...rest]: readonly string[], value: unknown): object => {
    const fields = typeof at === 'object' && at !== null && !Array.isArray(at) ? at : {};
    const old = Object.hasOwn(fields, name!) ? (fields as Record<string, unknown>)[name!] : undefined;
    return { ...fields, [name!]: rest.length === 0 ? value : replace(old, rest, value) };
  };
  return Object.entries(overrides).reduce((now, [path, value]) => replace(now, path.split('.'), value), settings);
}

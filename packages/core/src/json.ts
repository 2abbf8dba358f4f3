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

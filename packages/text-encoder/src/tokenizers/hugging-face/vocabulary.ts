import { ConfigError, describeValue, forEachInTurns, quote } from '@dalle-mini/core';

/** Largest id of a token. The largest vocabularies have a million tokens. */
export const largestId = 2 ** 26;

const isId = (value: unknown) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= largestId;

/**
 * Reads ids by token, as in `vocab.json`, without blocking the event loop.
 *
 * @param source The file, and `field` in it, for error messages.
 * @param action What the user can do about an error.
 */
export async function readVocabulary(
  vocab: Readonly<Record<string, unknown>>,
  { source, field, action }: { source: string; field: string; action: string },
): Promise<Map<string, number>> {
  const ids = new Map<string, number>();
  const tokensOfIds = new Map<number, string>();
  await forEachInTurns(Object.keys(vocab), (token) => {
    const id = vocab[token];
    const at = () => `${field}[${quote(token)}]`;
    if (!isId(id))
      throw new ConfigError(
        source,
        at(),
        `must be a whole number from 0 to ${largestId}, the id of the token, not ${describeValue(id)}. ${action}`,
      );
    const same = tokensOfIds.get(id as number);
    if (same !== undefined)
      throw new ConfigError(
        source,
        at(),
        `must be an id of its own, not ${id}, which ${quote(same)} has too. ${action}`,
      );
    checkText(token, source, at, action);
    tokensOfIds.set(id as number, token);
    ids.set(token, id as number);
  });
  if (ids.size === 0) throw new ConfigError(source, field, `must have tokens, but has none. ${action}`);
  return ids;
}

/** Refuses a token that no text has. */
export function checkText(token: string, source: string, at: () => string, action: string): void {
  if (!/^[\0-\ud7ff]*$/.test(token) && /\p{Surrogate}/u.test(token))
    throw new ConfigError(source, at(), `must be text, not half of a surrogate pair. ${action}`);
}

/** Refuses ids with gaps: a token was lost, or an id is not the one with which the model was trained. */
export function checkGaps(ids: ReadonlySet<number>, source: string, field: string, action: string): void {
  for (let id = 0; id < ids.size; id++) {
    if (!ids.has(id))
      throw new ConfigError(source, field, `must have a token for every id from 0; none has the id ${id}. ${action}`);
  }
}

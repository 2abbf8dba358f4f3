/** Divides a word, which is what the pre-tokenizer left, into tokens of a vocabulary. */
export interface TokenModel {
  /** Ids by token. */
  readonly vocabulary: ReadonlyMap<string, number>;
  /** Number of tokens, also of those that are in a list twice. */
  readonly size: number;
  /** The id of all that the vocabulary lacks; `undefined` if nothing is unknown or the unknown is dropped. */
  readonly unknownId: number | undefined;
  /** Returns the ids of all tokens. */
  ids(): Iterable<number>;
  /** Returns the ids of the tokens of a word that is not empty. */
  tokenize(word: string): readonly number[];
}

/**
 * Returns the ids of the bytes of a text, of the tokens `<0x00>` to `<0xFF>`, or `undefined` if the vocabulary lacks one
 * of them.
 */
export function byteTokens(vocabulary: ReadonlyMap<string, number>, text: string): number[] | undefined {
  const ids: number[] = [];
  for (const byte of new TextEncoder().encode(text)) {
    const id = vocabulary.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
    if (id === undefined) return undefined;
    ids.push(id);
  }
  return ids;
}

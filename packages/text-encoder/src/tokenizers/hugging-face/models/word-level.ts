import type { TokenModel } from './model.js';

/** One token for each word. */
export function wordLevel(vocabulary: ReadonlyMap<string, number>, unknownId: number): TokenModel {
  return {
    vocabulary,
    size: vocabulary.size,
    ids: () => vocabulary.values(),
    unknownId,
    tokenize: (word) => [vocabulary.get(word) ?? unknownId],
  };
}

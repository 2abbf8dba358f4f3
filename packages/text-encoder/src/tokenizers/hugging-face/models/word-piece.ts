import type { TokenModel } from './model.js';

export interface WordPieceOptions {
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly unknownId: number;
  /** What tokens that continue a word begin with, such as `##`. */
  readonly prefix: string;
  /** Longer words are unknown. */
  readonly longestWord: number;
}

/** WordPiece (Wu et al. 2016): from left to right, the longest token that the rest of the word begins with. */
export function wordPiece({ vocabulary, unknownId, prefix, longestWord }: WordPieceOptions): TokenModel {
  return {
    vocabulary,
    size: vocabulary.size,
    ids: () => vocabulary.values(),
    unknownId,
    tokenize(word) {
      const unknown = [unknownId];
      // Characters are at most two units, so that a very long word need not be divided.
      if (word.length > 2 * longestWord) return unknown;
      const characters = Array.from(word);
      if (characters.length > longestWord) return unknown;
      const ids: number[] = [];
      for (let start = 0; start < characters.length; ) {
        let rest = (start > 0 ? prefix : '') + characters.slice(start).join('');
        let end = characters.length;
        let id = vocabulary.get(rest);
        while (id === undefined && --end > start) {
          rest = rest.slice(0, -characters[end]!.length);
          id = vocabulary.get(rest);
        }
        if (id === undefined) return unknown;
        ids.push(id);
        start = end;
      }
      return ids;
    },
  };
}

import { byteTokens, type TokenModel } from './model.js';

/** How much less probable an unknown character is than the least probable token, as a logarithm. */
const unknownPenalty = 10;

export interface UnigramOptions {
  /** The id of a token is its place. Of equal tokens the last counts. */
  readonly tokens: readonly string[];
  /** The logarithm of each token's probability. */
  readonly scores: Float64Array;
  /** Ids by token. */
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly unknownId: number;
  /** Whether unknown characters are read as the tokens of their bytes. */
  readonly byteFallback: boolean;
}

/** The unigram language model (Kudo 2018): of all ways to divide a word into tokens, the most probable (Viterbi). */
export function unigram({ tokens, scores, vocabulary, unknownId, byteFallback }: UnigramOptions): TokenModel {
  const unknownScore = asReference(scores.reduce((a, b) => Math.min(a, b))) - unknownPenalty;
  // Most tokens are never needed.
  const parsed = new Float64Array(scores.length).fill(Number.NaN);
  const scoreOf = (id: number) => {
    if (Number.isNaN(parsed[id])) parsed[id] = asReference(scores[id]!);
    return parsed[id]!;
  };
  // The longest token that begins with a UTF-16 unit bounds the search.
  const longest = new Map<number, number>();
  for (const token of tokens) {
    const first = token.charCodeAt(0);
    if (token.length > (longest.get(first) ?? 0)) longest.set(first, token.length);
  }

  /** Returns the parts of the most probable division, neighbouring unknown characters joined. */
  const divide = (word: string): string[] => {
    const bestScore = new Float64Array(word.length + 1);
    const bestStart = new Int32Array(word.length + 1).fill(-1);
    const bestId = new Int32Array(word.length + 1);
    const consider = (start: number, end: number, id: number, score: number) => {
      const total = score + bestScore[start]!;
      if (bestStart[end] !== -1 && total <= bestScore[end]!) return;
      bestScore[end] = total;
      bestStart[end] = start;
      bestId[end] = id;
    };
    for (let start = 0; start < word.length; ) {
      const length = word.codePointAt(start)! > 0xffff ? 2 : 1;
      const last = Math.min(word.length, start + (longest.get(word.charCodeAt(start)) ?? 0));
      let isKnown = false;
      for (let end = start + length; end <= last; end++) {
        const id = vocabulary.get(word.slice(start, end));
        if (id === undefined) continue;
        if (end === start + length) isKnown = true;
        consider(start, end, id, scoreOf(id));
      }
      if (!isKnown) consider(start, start + length, unknownId, unknownScore);
      start += length;
    }
    const parts: string[] = [];
    let wasUnknown = false;
    for (let end = word.length; end > 0; end = bestStart[end]!) {
      const part = word.slice(bestStart[end]!, end);
      const isUnknown = bestId[end] === unknownId;
      if (isUnknown && wasUnknown) parts.push(part + parts.pop()!);
      else parts.push(part);
      wasUnknown = isUnknown;
    }
    return parts.reverse();
  };

  return {
    vocabulary,
    size: tokens.length,
    ids: () => tokens.keys(),
    unknownId,
    tokenize: (word) =>
      divide(word).flatMap((part) => {
        const id = vocabulary.get(part);
        if (id !== undefined) return [id];
        return (byteFallback ? byteTokens(vocabulary, part) : undefined) ?? [unknownId];
      }),
  };
}

/**
 * Returns a number as the reference parses it: its digits as a whole number, divided by a power of ten. Each step rounds,
 * so that the result may differ in the last bit, which decides between divisions that are equally probable.
 */
function asReference(score: number): number {
  const text = String(score);
  // Fifteen digits and a sign and a point: every step is exact.
  if (text.length <= 17 && !text.includes('e')) return score;
  const [mantissa, exponent = '0'] = text.split('e') as [string, string?];
  const [whole, fraction = ''] = mantissa.split('.') as [string, string?];
  const power = Number(exponent) - fraction.length;
  const digits = Number(whole + fraction);
  return power < 0 ? digits / Number(`1e${-power}`) : digits * Number(`1e${power}`);
}

import { byteTokens, type TokenModel } from './model.js';

export interface BpeOptions {
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly merges: Merges;
  readonly unknownId?: number | undefined;
  /** What tokens that continue a word begin with. Default: nothing. */
  readonly prefix?: string | undefined;
  /** What tokens at the end of a word end with, such as `</w>`. Default: nothing. */
  readonly suffix?: string | undefined;
  /** Whether neighbouring unknown characters are one unknown token. Default false. */
  readonly fuseUnknown?: boolean | undefined;
  /** Whether unknown characters are read as the tokens of their bytes. Default false. */
  readonly byteFallback?: boolean | undefined;
  /** Whether a word that is a token is never divided. Default false. */
  readonly ignoreMerges?: boolean | undefined;
}

/** Pairs of tokens that merge into one, in the order of merging. */
export class Merges {
  private readonly ranks = new Map<number, number>();
  private readonly results: number[] = [];

  add(left: number, right: number, result: number): void {
    this.ranks.set(keyOf(left, right), this.results.length);
    this.results.push(result);
  }

  /** Returns the place of a pair in the order of merging. */
  rank(left: number, right: number): number | undefined {
    return this.ranks.get(keyOf(left, right));
  }

  /** Returns the token that a pair merges into. */
  result(rank: number): number {
    return this.results[rank]!;
  }
}

/** Ids are below 2²⁶, so that keys are exact. */
const keyOf = (left: number, right: number) => left * 2 ** 26 + right;

/** Byte-pair encoding (Sennrich et al. 2016): a word's characters, of which pairs merge, those of the lowest rank first. */
export function bpe(options: BpeOptions): TokenModel {
  const { vocabulary, merges, unknownId, ignoreMerges = false } = options;
  return {
    vocabulary,
    size: vocabulary.size,
    ids: () => vocabulary.values(),
    unknownId,
    tokenize(word) {
      const whole = ignoreMerges ? vocabulary.get(word) : undefined;
      return whole === undefined ? mergeAll(merges, characterTokens(options, word)) : [whole];
    },
  };
}

function characterTokens(options: BpeOptions, word: string): number[] {
  const { vocabulary, unknownId, prefix = '', suffix = '', fuseUnknown = false, byteFallback = false } = options;
  const ids: number[] = [];
  // An unknown token waits for the next known character. In the reference, the bytes of other characters overtake it.
  let waiting = false;
  const addWaiting = () => {
    if (waiting) ids.push(unknownId!);
    waiting = false;
  };
  const characters = Array.from(word);
  for (const [i, character] of characters.entries()) {
    const token = (i > 0 ? prefix : '') + character + (i === characters.length - 1 ? suffix : '');
    const id = vocabulary.get(token);
    const bytes = id === undefined && byteFallback ? byteTokens(vocabulary, token) : undefined;
    if (id !== undefined) {
      addWaiting();
      ids.push(id);
    } else if (bytes !== undefined) {
      ids.push(...bytes);
    } else if (unknownId !== undefined) {
      if (!fuseUnknown) addWaiting();
      waiting = true;
    }
  }
  addWaiting();
  return ids;
}

/** Merges pairs of neighbours until none is left: the lowest rank first, and of equal ranks the leftmost. */
function mergeAll(merges: Merges, ids: number[]): number[] {
  const removed = -1;
  const previous = ids.map((_, place) => place - 1);
  const next = ids.map((_, place) => place + 1);
  const queue = new Queue();
  const enqueue = (left: number) => {
    const right = next[left]!;
    if (left < 0 || right >= ids.length) return;
    const rank = merges.rank(ids[left]!, ids[right]!);
    if (rank !== undefined) queue.push(rank * placesPerRank + left);
  };
  for (let place = 0; place < ids.length; place++) enqueue(place);
  for (let first = queue.pop(); first !== undefined; first = queue.pop()) {
    const left = first % placesPerRank;
    const right = next[left]!;
    if (ids[left] === removed || right >= ids.length) continue;
    // The pair may have changed since it was queued. Another pair with the same result takes its turn.
    const rank = merges.rank(ids[left]!, ids[right]!);
    const result = merges.result(Math.floor(first / placesPerRank));
    if (rank === undefined || merges.result(rank) !== result) continue;
    ids[left] = result;
    ids[right] = removed;
    next[left] = next[right]!;
    if (next[left]! < ids.length) previous[next[left]!] = left;
    if (previous[left]! >= 0) enqueue(previous[left]!);
    enqueue(left);
  }
  return ids.filter((id) => id !== removed);
}

/** A word has fewer characters than this. */
const placesPerRank = 2 ** 26;

/** A binary heap of numbers, the smallest first. */
class Queue {
  private readonly heap: number[] = [];

  push(value: number): void {
    const { heap } = this;
    let place = heap.push(value) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (heap[parent]! <= value) break;
      heap[place] = heap[parent]!;
      place = parent;
    }
    heap[place] = value;
  }

  pop(): number | undefined {
    const { heap } = this;
    const smallest = heap[0];
    const value = heap.pop();
    if (value === undefined || heap.length === 0) return smallest;
    let place = 0;
    for (let child = 1; child < heap.length; child = 2 * place + 1) {
      if (child + 1 < heap.length && heap[child + 1]! < heap[child]!) child++;
      if (heap[child]! >= value) break;
      heap[place] = heap[child]!;
      place = child;
    }
    heap[place] = value;
    return smallest;
  }
}

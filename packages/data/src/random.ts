/**
 * Portable randomness: 32-bit integer arithmetic only, so that every machine draws the same numbers from the same seed.
 * Nothing here keeps state that must be saved: a value is a function of the words that name it.
 */

/** Murmur3's 32-bit finalizer: a bijection of `[0, 2³²)` whose every output bit depends on every input bit. */
function mix(word: number): number {
  let x = word | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

const golden = 0x9e3779b9;

/** Hashes numbers (safe non-negative integers, both 32-bit halves count) and strings to an integer in `[0, 2³²)`. */
export function hash(...words: readonly (number | string)[]): number {
  let state = golden;
  const absorb = (word: number) => {
    state = mix(Math.imul(state, 31) + mix(word + golden));
  };
  for (const word of words) {
    if (typeof word === 'number') {
      absorb(word);
      absorb(Math.floor(word / 2 ** 32));
    } else {
      for (let i = 0; i < word.length; i++) absorb(word.charCodeAt(i));
      absorb(word.length);
    }
  }
  return state;
}

/** A number in `[0, 1)` with 32 random bits, named by `words`. */
export function uniform(...words: readonly (number | string)[]): number {
  return hash(...words) / 2 ** 32;
}

/** An integer in `[0, bound)` for a bound in `[1, 2³¹]`, named by `words`. */
export function integerBelow(bound: number, ...words: readonly (number | string)[]): number {
  return Math.floor(uniform(...words) * bound);
}

/** A permutation of `0 … length - 1` (Fisher and Yates), named by `words`. */
export function permutation(length: number, ...words: readonly (number | string)[]): Uint32Array {
  const order = new Uint32Array(length);
  for (let i = 0; i < length; i++) order[i] = i;
  let state = hash(...words);
  for (let i = length - 1; i > 0; i--) {
    state = (state + golden) | 0;
    const j = Math.floor((mix(state) / 2 ** 32) * (i + 1));
    const swapped = order[i]!;
    order[i] = order[j]!;
    order[j] = swapped;
  }
  return order;
}

/** `items` in an order named by `words`; the input stays as it is. */
export function shuffled<T>(items: readonly T[], ...words: readonly (number | string)[]): T[] {
  return Array.from(permutation(items.length, ...words), (index) => items[index]!);
}

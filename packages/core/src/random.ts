/**
 * Seeded randomness, the same on every machine: 32-bit integer arithmetic only.
 *
 * Random numbers have names: words that say what they are for, and the seed. `createRandom('sampling', seed, image)` is a sequence,
 * `uniform('flip', seed, index, epoch)` a single number. Equal names give equal numbers, and different names independent ones, so
 * that nothing has to be saved to resume, and that two purposes never share numbers.
 */

/** A part of a name: a string, or a whole number from 0 to 2⁵³ − 1. */
export type Word = string | number;

const golden = 0x9e3779b9;

/** Murmur3's 32-bit finalizer: a bijection of `[0, 2³²)` whose every output bit depends on every input bit. */
function mix(word: number): number {
  let x = word | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** Hashes a name to an integer in `[0, 2³²)`. */
export function hash(...name: readonly Word[]): number {
  let state = golden;
  const absorb = (word: number) => {
    state = mix(Math.imul(state, 31) + mix(word + golden));
  };
  for (const word of name) {
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

/** Returns the number in `[0, 1)` of a name, with 32 random bits. */
export function uniform(...name: readonly Word[]): number {
  return hash(...name) / 2 ** 32;
}

/** Returns the integer in `[0, bound)` of a name, for a bound in `[1, 2³¹]`. */
export function integerBelow(bound: number, ...name: readonly Word[]): number {
  return Math.floor(uniform(...name) * bound);
}

/** Returns the permutation of `0 … length - 1` of a name (Fisher and Yates). */
export function permutation(length: number, ...name: readonly Word[]): Uint32Array {
  const order = new Uint32Array(length);
  for (let i = 0; i < length; i++) order[i] = i;
  let state = hash(...name);
  for (let i = length - 1; i > 0; i--) {
    state = (state + golden) | 0;
    const j = Math.floor((mix(state) / 2 ** 32) * (i + 1));
    const swapped = order[i]!;
    order[i] = order[j]!;
    order[j] = swapped;
  }
  return order;
}

/** Returns `items` in the order of a name; `items` itself does not change. */
export function shuffled<T>(items: readonly T[], ...name: readonly Word[]): T[] {
  return Array.from(permutation(items.length, ...name), (index) => items[index]!);
}

/** A sequence of random numbers. */
export interface Random {
  /** An integer in `[0, 2³²)`. */
  uint32(): number;
  /** A number in `[0, 1)` of 24 random bits: exact in float32. */
  uniform(): number;
  /** An integer in `[0, bound)`, unbiased, for a bound in `[1, 2³²]`. */
  integer(bound: number): number;
  /** A number of the standard normal distribution, by Box and Muller's method. */
  normal(): number;
}

/**
 * Creates the sequence of a name: sfc32 (Chris Doty-Humphrey, PractRand), which has 128 bits of state.
 *
 * @example
 * ```ts
 * import { createRandom } from '@dalle-mini/core';
 *
 * const random = createRandom('example', 7);
 * console.log(random.uniform() < 1, random.integer(6) < 6); // true true
 * ```
 */
export function createRandom(...name: readonly Word[]): Random {
  // Three hashes of 32 bits, from three starting points: 96 bits of the state depend on the name.
  let [a, b, c] = [hash(0, ...name) | 0, hash(1, ...name) | 0, hash(2, ...name) | 0];
  let counter = 1;
  const uint32 = () => {
    const result = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + result) | 0;
    return result >>> 0;
  };
  const uniform = () => (uint32() >>> 8) / 0x1_000000;
  return {
    uint32,
    uniform,
    integer(bound) {
      if (!(Number.isInteger(bound) && bound >= 1 && bound <= 0x1_0000_0000))
        throw new RangeError(`bound must be a whole number from 1 to 2³², not ${bound}.`);
      const limit = 0x1_0000_0000 - (0x1_0000_0000 % bound);
      let value = uint32();
      while (value >= limit) value = uint32();
      return value % bound;
    },
    normal() {
      const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
      return radius * Math.cos(2 * Math.PI * uniform());
    },
  };
}

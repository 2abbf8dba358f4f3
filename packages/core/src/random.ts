/**
 * Seeded random numbers. They use 32-bit integer arithmetic only, so that they are the same on every machine.
 *
 * A name identifies each random number. It consists of the purpose, the seed and indices: `createRandom('sampling', seed, image)`
 * creates a sequence, `uniform('flip', seed, index, epoch)` returns a single number. Equal names give equal numbers; different names
 * give independent numbers. So resuming needs no saved generator state, and two purposes never share numbers.
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

/** Returns the hash of a name: an integer in `[0, 2³²)`. */
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

/** Returns the random number of a name: in `[0, 1)`, with 32 random bits. */
export function uniform(...name: readonly Word[]): number {
  return hash(...name) / 2 ** 32;
}

/** Returns the random integer of a name: in `[0, bound)`, for a bound in `[1, 2³¹]`. */
export function integerBelow(bound: number, ...name: readonly Word[]): number {
  return Math.floor(uniform(...name) * bound);
}

/** Returns the random permutation of `0 … length - 1` of a name (Fisher–Yates shuffle). */
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

/** Returns a copy of `items` in the random order of a name. */
export function shuffled<T>(items: readonly T[], ...name: readonly Word[]): T[] {
  return Array.from(permutation(items.length, ...name), (index) => items[index]!);
}

/** A sequence of random numbers. */
export interface Random {
  /** Returns an integer in `[0, 2³²)`. */
  uint32(): number;
  /** Returns a number in `[0, 1)` with 24 random bits, which is exact in float32. */
  uniform(): number;
  /** Returns an unbiased integer in `[0, bound)`, for a bound in `[1, 2³²]`. */
  integer(bound: number): number;
  /** Returns a number of the standard normal distribution, by the Box–Muller method. */
  normal(): number;
}

/**
 * Creates the random sequence of a name. The generator is sfc32 (Chris Doty-Humphrey, PractRand) with 128 bits of state.
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
  // Three 32-bit hashes with different prefixes: 96 bits of the state depend on the name.
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

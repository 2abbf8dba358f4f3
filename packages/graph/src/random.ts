/**
 * A seeded generator of 32-bit integers: sfc32 (Chris Doty-Humphrey, PractRand), 128 bits of state. It uses 32-bit integer
 * arithmetic only, so that a seed gives the same numbers on every machine.
 */
export type Random = () => number;

/** Makes a generator. Different streams of one seed are independent: one for each purpose. */
export function createRandom(seed: number, stream = 0): Random {
  if (!Number.isSafeInteger(seed)) throw new RangeError(`a seed must be a whole number, not ${seed}`);
  let a = seed | 0;
  let b = Math.floor(seed / 0x1_0000_0000) | 0;
  let c = stream | 0;
  let counter = 1;
  const next = () => {
    const result = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + result) | 0;
    return result >>> 0;
  };
  // The first outputs of similar seeds are alike; twelve rounds mix the state.
  for (let i = 0; i < 12; i++) next();
  return next;
}

/** A number in `[0, 1)` of 24 random bits: exact in float32. */
export function sampleUniform(random: Random): number {
  return (random() >>> 8) / 0x1_000000;
}

/** An integer in `[0, bound)`, unbiased. */
export function sampleInteger(random: Random, bound: number): number {
  if (!(Number.isInteger(bound) && bound >= 1 && bound <= 0x1_0000_0000))
    throw new RangeError(`a bound must be a whole number in [1, 2³²], not ${bound}`);
  const limit = 0x1_0000_0000 - (0x1_0000_0000 % bound);
  let value = random();
  while (value >= limit) value = random();
  return value % bound;
}

/** A number of the standard normal distribution, by Box and Muller's method. */
export function sampleNormal(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - sampleUniform(random)));
  return radius * Math.cos(2 * Math.PI * sampleUniform(random));
}

/** Shuffles in place, by Fisher and Yates's method. */
export function shuffle<T>(items: T[], random: Random): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = sampleInteger(random, i + 1);
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
  return items;
}

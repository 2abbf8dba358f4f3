import { randomInt } from 'node:crypto';
import { createRandom, type Random, type Word } from '@dalle-mini/core';
import { onTestFailed } from 'vitest';

const seed = Number(process.env.TEST_SEED ?? randomInt(2 ** 31));

/** Random numbers that differ from run to run. A test that fails says how to repeat them. */
export function varyingRandom(...name: readonly Word[]): Random {
  onTestFailed(() => console.error(`Run this test again with the same random numbers: TEST_SEED=${seed}`));
  return createRandom('test', seed, ...name);
}

/** Random bytes, always the same for a name. */
export function randomBytes(length: number, ...name: readonly Word[]): Buffer<ArrayBuffer> {
  const random = createRandom('test', ...name);
  const words = Uint32Array.from({ length: Math.ceil(length / 4) }, () => random.uint32());
  return Buffer.from(words.buffer, 0, length);
}

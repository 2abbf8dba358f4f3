/** Which tokens are masked: the schedule of MaskGIT (Chang et al. 2022, section 3.2 and 3.3). */
import { createRandom, permutation, type Random, type Word } from '@dalle-mini/core';

/**
 * Returns the share of tokens that are masked after a share of the passes, 0 to 1: cos(π/2 · progress). Rounded to float32 in each step, as
 * published code does: after two thirds of the passes that is just below a half, and one token less is masked.
 */
export function maskedShare(progress: number): number {
  const angle = Math.fround(Math.fround(progress) * Math.fround(Math.PI)) / 2;
  return Math.max(0, Math.fround(Math.cos(angle)));
}

/** Returns the temperature of the choice of tokens that are kept after a pass: it falls from `initial` to 0 at the last pass. */
export function choiceTemperatureAt(initial: number, pass: number, passes: number): number {
  return passes === 1 ? 0 : initial * (1 - pass / (passes - 1));
}

/**
 * Returns the number of tokens that are masked for the next pass.
 *
 * @param free Number of tokens that are generated in all.
 * @param masked How many of them were masked in this pass. At least one more is known after it, and at least one is masked.
 * @param progress The share of passes that are done.
 */
export function maskedNext(free: number, masked: number, progress: number): number {
  return Math.max(1, Math.min(masked - 1, Math.floor(Math.fround(free * maskedShare(progress)))));
}

/**
 * Chooses the places that are masked again: the `count` with the least confidence, log p + temperature · g, where g is Gumbel noise.
 *
 * @param places The places that were masked in this pass, and so have new tokens.
 * @param logProbabilities Of the tokens at all places.
 */
export function leastConfident(
  places: readonly number[],
  logProbabilities: Float32Array,
  count: number,
  temperature: number,
  random: Random,
): number[] {
  const confidences = places.map((place) => {
    const noise = -Math.log(-Math.log(Math.max(random.uniform(), 1e-20)));
    return { place, confidence: logProbabilities[place]! + temperature * noise };
  });
  // Of equally confident tokens, those that come first are kept.
  confidences.sort((a, b) => a.confidence - b.confidence || b.place - a.place);
  return confidences.slice(0, count).map(({ place }) => place);
}

/** Chooses a share of places at random, rounded up: those that a variation of an image generates again. */
export function randomPlaces(places: readonly number[], share: number, ...name: readonly Word[]): number[] {
  const order = permutation(places.length, ...name);
  return Array.from(order.subarray(0, Math.ceil(share * places.length)), (index) => places[index]!);
}

/**
 * Masks tokens for training (section 3.1): at random places a share cos(π/2 · r) of them, rounded up, where r is uniform in [0, 1).
 *
 * @param maskToken What is put in place of a token: `vocabularySize` of the decoder.
 * @param name Names the random numbers, as in `createRandom`.
 */
export function maskTokens(tokens: Int32Array, maskToken: number, ...name: readonly Word[]): Int32Array {
  const masked = tokens.slice();
  const share = maskedShare(createRandom(...name).uniform());
  for (const place of randomPlaces([...tokens.keys()], share, ...name, 'places')) masked[place] = maskToken;
  return masked;
}

/** The automatic measure of pictures of several things: which things are where, in which colors, and how many. */
import type { RgbImage } from '@dalle-mini/core';
import { dominantColor } from '@dalle-mini/data/emoji';
import { type Composition, places } from './compositions.js';
import { crop } from './pictures.js';

/** Width of the square of one thing. */
const side = 64;
/** Pixels from a boundary between squares that things leave blank. */
const gap = 2;
/** Share of the ink that a color needs to be the color of a thing. Captions name one that has more, but soft edges are grey or a mixture. */
const colorShare = 0.3;
/** A square with less ink than this is empty. */
const leastInk = 0.02;

/** Finds the concepts of the nearest real pictures to a square of one thing, nearest first. */
export type NearestConcepts = (square: RgbImage) => Promise<readonly string[]>;

/** What is right in a picture of several things. */
export interface ComposedFigures {
  /** Share of pairs whose left and right thing are each among the five nearest concepts of their half. */
  readonly sides: number;
  /** Share of named colors of pairs that are the most frequent color of their half. White things, which have no color to measure, do not count. */
  readonly colors: number;
  /** Share of counts with the right number of things, most of which are the right thing. */
  readonly counts: number;
}

/** Measures pictures, 128 pixels wide, that are to show compositions. */
export async function evaluateComposed(
  images: readonly RgbImage[],
  compositions: readonly Composition[],
  nearestConcepts: NearestConcepts,
): Promise<ComposedFigures> {
  const tally = { sides: [] as boolean[], colors: [] as boolean[], counts: [] as boolean[] };
  for (const [i, { concepts, colors, kind }] of compositions.entries()) {
    const image = images[i]!;
    const squares = places[concepts.length]!.map(([left, top]) => crop(image, left, top, side));
    const found = await Promise.all(
      squares.map(async (square, k) => (await nearestConcepts(square)).includes(concepts[k]!)),
    );
    if (kind === 'pair') {
      tally.sides.push(found.every(Boolean));
      for (const [k, color] of colors.entries()) {
        if (color && color !== 'white') tally.colors.push(dominantColor(squares[k]!, colorShare) === color);
      }
    } else {
      const right = found.filter(Boolean).length;
      tally.counts.push(countThings(image) === concepts.length && right > concepts.length / 2);
    }
  }
  const share = (values: readonly boolean[]) => values.filter(Boolean).length / values.length;
  return { sides: share(tally.sides), colors: share(tally.colors), counts: share(tally.counts) };
}

/**
 * Counts the things of a picture, 1 to 4: the number whose layout fits best, with the least ink outside its squares and on the boundaries
 * between them, and no empty square.
 */
export function countThings(image: RgbImage): number {
  const ink = inkOf(image);
  const total = ink.reduce((sum, value) => sum + value, 0);
  let best = { count: 1, misfit: 0.02 };
  for (const [count, corners] of Object.entries(places)) {
    let inside = 0;
    let empty = 0;
    for (const [left, top] of corners) {
      let square = 0;
      for (let y = top + gap; y < top + side - gap; y++) {
        for (let x = left + gap; x < left + side - gap; x++) square += ink[y * image.width + x]!;
      }
      inside += square;
      if (square < leastInk * side * side) empty++;
    }
    const misfit = 1 - inside / total + empty;
    if (misfit < best.misfit || (misfit === best.misfit && best.count === 1)) best = { count: Number(count), misfit };
  }
  return best.count;
}

/** Returns 1 for each pixel that is not white, and 0 for the others. */
function inkOf({ data }: RgbImage): Uint8Array {
  return Uint8Array.from({ length: data.length / 3 }, (_, i) =>
    Math.min(data[3 * i]!, data[3 * i + 1]!, data[3 * i + 2]!) < 235 ? 1 : 0,
  );
}

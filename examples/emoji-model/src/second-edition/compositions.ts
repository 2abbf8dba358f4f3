/** Pictures of several things, composed of single pictures, so that their captions are true: colors, counts and sides. */
import { createRandom, type RgbImage } from '@dalle-mini/core';
import type { EmojiSplit } from '@dalle-mini/data/emoji';
import sharp from 'sharp';
import { pluralOf } from './phrases.js';
import type { Picture, PictureDataset, PictureSource } from './pictures.js';

/** Places of 1 to 4 things in a picture of 128 pixels, each the left top corner of a square of 64 pixels. */
export const places: Readonly<Record<number, readonly (readonly [left: number, top: number])[]>> = {
  2: [
    [0, 32],
    [64, 32],
  ],
  3: [
    [32, 0],
    [0, 64],
    [64, 64],
  ],
  4: [
    [0, 0],
    [64, 0],
    [0, 64],
    [64, 64],
  ],
};
const numerals = ['', '', 'two', 'three', 'four'];

/** A thing that can be composed: a picture with a name that takes an article. */
interface Thing {
  readonly index: number;
  readonly picture: Picture;
  /** Such as `apple`. */
  readonly name: string;
  /** The color that its captions name, such as `red`. */
  readonly color: string | undefined;
}

/** What a composition shows, from which its captions are made and its evaluation is read. */
export interface Composition {
  /** Concepts in the order of {@link places}. */
  readonly concepts: readonly string[];
  readonly colors: readonly (string | undefined)[];
  /** For a count, the things are the same. */
  readonly kind: 'pair' | 'count';
}

export interface CompositionOptions {
  readonly seed: number;
  readonly pairs: number;
  readonly counts: number;
  readonly split: EmojiSplit;
}

export type Composed = PictureSource & { readonly compositions: readonly Composition[] };

/** Composes pictures of a dataset, whose pictures are 128 pixels wide. */
export function compose(dataset: PictureDataset, { seed, pairs, counts, split }: CompositionOptions): Composed {
  const random = createRandom('compositions', seed, split);
  const designs = thingsOf(dataset);
  const concepts = [...designs.keys()];
  const any = <Item>(items: readonly Item[]): Item => items[random.integer(items.length)]!;
  const anyThing = () => any(designs.get(any(concepts))!);
  const made: { readonly things: readonly Thing[]; readonly kind: Composition['kind']; readonly captions: string[] }[] =
    [];
  while (made.length < pairs) {
    const [left, right] = [anyThing(), anyThing()];
    if (left.name !== right.name)
      made.push({ things: [left, right], kind: 'pair', captions: pairCaptions(left, right) });
  }
  while (made.length < pairs + counts) {
    const thing = anyThing();
    const count = 2 + random.integer(3);
    made.push({ things: new Array(count).fill(thing), kind: 'count', captions: countCaptions(thing, count) });
  }
  return {
    compositions: made.map(({ things, kind }) => ({
      kind,
      concepts: things.map(({ picture }) => picture.concept),
      colors: things.map(({ color }) => color),
    })),
    pictures: made.map(({ things, captions }, index) => ({
      key: `composed-${split}/${index}`,
      concept: things.map(({ picture }) => picture.concept).join('+'),
      group: `composed-${split}/${index}`,
      split,
      captions,
    })),
    async read(index) {
      const { things } = made[index]!;
      const small = await Promise.all(things.map(async ({ index: from }) => half((await dataset.get(from)).image)));
      return arrange(small, places[things.length]!);
    },
  };
}

/** Lists the things that can be composed, by concept. */
function thingsOf({ pictures }: PictureDataset): Map<string, Thing[]> {
  const things = new Map<string, Thing[]>();
  for (const [index, picture] of pictures.entries()) {
    const name = /^an? ([a-z-]+(?: [a-z-]+)?)$/.exec(picture.captions[1] ?? '')?.[1];
    if (!name || unlikely.test(name) || picture.captions.some((caption) => /skin/.test(caption))) continue;
    const color = colors.find((word) => name.startsWith(`${word} `) || picture.captions.some(saysColor(word, name)));
    const thing = { index, picture, name, color };
    const known = things.get(picture.concept);
    if (known) known.push(thing);
    else things.set(picture.concept, [thing]);
  }
  return things;
}

/** Checks whether a caption names a color: `a red apple`, or `apple, red`. Things in black and white have none. */
const saysColor = (color: string, name: string) => (caption: string) =>
  caption === `${name}, ${color}` || (caption.endsWith(`${color} ${name}`) && !caption.includes('black and white'));

const colors = ['red', 'orange', 'yellow', 'green', 'blue', 'purple', 'pink', 'brown', 'black', 'white'];
/** Names of signs, clocks and people, which are seldom asked for together with something else. */
const unlikely = /button|arrow|clock|sign|symbol|o-clock|thirty|square|circle|people|hand|medium|input|keycap/;

const articled = (phrase: string) => `${/^([aeio]|u(?!ni|se))/.test(phrase) ? 'an' : 'a'} ${phrase}`;
const coloredName = ({ name, color }: Thing) => (color && !name.startsWith(color) ? `${color} ${name}` : name);

function pairCaptions(left: Thing, right: Thing): string[] {
  const captions: string[] = [];
  for (const nameOf of [coloredName, ({ name }: Thing) => name]) {
    const [a, b] = [articled(nameOf(left)), articled(nameOf(right))];
    captions.push(
      `${a} left of ${b}`,
      `${b} right of ${a}`,
      `${a} and ${b}`,
      `${a} to the left of ${b}`,
      `${b} to the right of ${a}`,
      `${a} next to ${b}`,
    );
  }
  return [...new Set(captions)];
}

function countCaptions(thing: Thing, count: number): string[] {
  const captions = [coloredName(thing), thing.name].flatMap((name) => {
    const phrase = `${numerals[count]} ${pluralOf(name)}`;
    return [phrase, `a picture of ${phrase}`, `${count} ${pluralOf(name)}`];
  });
  return [...new Set(captions)];
}

/** Makes a picture half as wide. */
export async function half({ width, height, data }: RgbImage): Promise<RgbImage> {
  const [w, h] = [width / 2, height / 2];
  const raw = { width, height, channels: 3 } as const;
  const small = await sharp(data, { raw }).resize(w, h, { kernel: 'lanczos3' }).raw().toBuffer();
  return { width: w, height: h, data: new Uint8Array(small) };
}

/** Puts squares on a white picture of twice their width. */
function arrange(squares: readonly RgbImage[], corners: readonly (readonly [number, number])[]): RgbImage {
  const side = squares[0]!.width;
  const size = 2 * side;
  const data = new Uint8Array(3 * size * size).fill(255);
  for (const [i, [left, top]] of corners.entries()) {
    for (let y = 0; y < side; y++) {
      const row = squares[i]!.data.subarray(3 * y * side, 3 * (y + 1) * side);
      data.set(row, 3 * ((top + y) * size + left));
    }
  }
  return { width: size, height: size, data };
}

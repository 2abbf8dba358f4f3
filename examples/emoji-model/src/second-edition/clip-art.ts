/**
 * Clip art of plain things from OpenClipart, which its authors have dedicated to the public domain: Debian's package `openclipart-svg`.
 * Titles become captions if all their words are English; card decks, signs, flags, icon themes and people are left out.
 */
import { readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { type RgbImage, uniform } from '@dalle-mini/core';
import { readBytes } from '@dalle-mini/core/node';
import { dominantColor, type EmojiDataset, type EmojiSplit } from '@dalle-mini/data/emoji';
import sharp from 'sharp';
import { withArticle } from './phrases.js';
import type { PreparedPictures } from './picture-file.js';

/** Folders of plain things. Files that are not in these, or that `leftOut` names, are not read. */
const folders =
  /^(animals|buildings|computer\/hardware|containers|education|electronics|food|geography\/astronomy|office|plants|recreation|science\/astronomy|signs_and_symbols\/(weather|clocks)|tools|transportation)(\/|$)/;
const leftOut =
  /^(recreation\/(games|religion)|electronics\/battery|tools\/weapons|transportation\/(roadsigns|aiga-symbols))(\/|$)/;
/** Collections of signs, logos and diagrams within these folders, and titles in other languages. */
const otherThings =
  /road sign|\(sailing\)|\btux\b|penguin linux|logo|bullet|creation day|presentation|diagram|yoga|jigsaw|meeting/i;
const otherLanguage = /architetto|rollandin|archi_|_archit/i;
/** Titles of whole collections: the file's name says more. */
const collection = /^$|clip ?art|^etiquette|^r1\d |^home|various|^svg|icons?$|@/i;
/** Largest SVG in bytes; larger ones are traced photographs. */
const largestFile = 400_000;
const largestCaption = 5;
const heldOutShare = 0.05;
/** Least share of a picture that is drawn on. */
const leastInk = 0.03;
/** Share of the picture's width that is left blank on each side. */
const margin = 0.04;

export interface ClipArtOptions {
  readonly imageSize: number;
  readonly seed: number;
  /** Frequent English words. A title with a word that is not among them, nor in a caption of an emoji, nor made of two, is left out. */
  readonly words: ReadonlySet<string>;
}

/** Reads the clip art in a folder, such as `/usr/share/openclipart/svg`. Things that are held out as emoji are held out here too. */
export async function* clipArt(
  folder: string,
  emoji: EmojiDataset,
  { imageSize, seed, words }: ClipArtOptions,
): PreparedPictures {
  const { conceptOf, isUnseen } = emojiNames(emoji);
  const isEnglish = englishTest(words, emoji);
  const files = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && entry.name.endsWith('.svg'))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((path) => folders.test(path) && !leftOut.test(path) && !otherLanguage.test(path));
  for (const path of files.sort()) {
    const encoded = await readBytes(join(folder, path));
    const svg = new TextDecoder().decode(encoded);
    const title = /<dc:title>([^<]*)<\/dc:title>/.exec(svg)?.[1] ?? '';
    const named = nameOf(title, path.split('/').at(-1)!);
    if (encoded.length > largestFile || otherThings.test(title) || otherLanguage.test(svg)) continue;
    if (!named?.name.split(' ').every(isEnglish)) continue;
    const image = await render(encoded, imageSize);
    if (!image || inkOf(image) < leastInk) continue;
    const { name, isColorless } = named;
    const group = `clip-art/${name}`;
    const split: EmojiSplit = isUnseen(name)
      ? 'unseen-concepts'
      : uniform('clip-art', seed, group) < heldOutShare
        ? 'held-out-drawings'
        : 'train';
    const captions = captionsOf(name, isColorless ? 'black and white' : dominantColor(image));
    yield { picture: { key: `clip-art/${path}`, concept: conceptOf(name), group, split, captions }, image };
  }
}

/** Finds concepts of emoji by their names, and names of those that are held out. */
function emojiNames({ entries }: EmojiDataset) {
  const concepts = new Map<string, string>();
  const unseen = new Set<string>();
  for (const { concept, captions, split } of entries) {
    const label = captions[0]!.toLowerCase();
    for (const name of [label, label.replace(/ face$/, '')]) {
      if (!concepts.has(name)) concepts.set(name, concept);
      if (split === 'unseen-concepts') unseen.add(name);
    }
  }
  return {
    conceptOf: (name: string) => concepts.get(name) ?? `clip-art/${name}`,
    isUnseen: (name: string) => [...unseen].some((label) => ` ${name} `.includes(` ${label} `)),
  };
}

function englishTest(words: ReadonlySet<string>, { entries }: EmojiDataset): (word: string) => boolean {
  const known = new Set([
    ...words,
    ...entries.flatMap(({ captions }) =>
      captions
        .join(' ')
        .toLowerCase()
        .split(/[^a-z]+/),
    ),
  ]);
  const isCompound = (word: string) =>
    Array.from({ length: Math.max(0, word.length - 5) }, (_, i) => i + 3).some(
      (at) => known.has(word.slice(0, at)) && known.has(word.slice(at)),
    );
  return (word) => known.has(word) || isCompound(word);
}

/** Makes a name of a title, or of a file's name: `apple` of `Apple 02 (B and W)`. */
function nameOf(title: string, file: string): { readonly name: string; readonly isColorless: boolean } | undefined {
  const plain = title.replace(/&amp;|&#?\w+;/g, '&').trim();
  const text = collection.test(plain) ? file.replace(/\.svg$/, '') : plain;
  const isColorless = /\bb ?(and|&)+;? ?w\b|[ _]bw\b|black and white|contour|silhouet/i.test(text);
  const name = text
    .replace(
      /\([^)]*\)|\b(ganson|simple|stylized|clipart|contour|silhouet\w*|bw|svg|form|another|md|aj)\b|_(simple|bw|ganson|contour)(?=_|$)|^contour_/gi,
      ' ',
    )
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .replace(/[^a-z]+/g, ' ')
    .replace(/\b[b-z]\b/g, ' ')
    .replace(/^ *(an?|the) /, ' ')
    .replace(/ +/g, ' ')
    .trim();
  const count = name.split(' ').length;
  return name.length < 3 || count > largestCaption ? undefined : { name, isColorless };
}

function captionsOf(name: string, look: string | undefined): string[] {
  const article = withArticle(name);
  const looks = look
    ? [`${name}, ${look}`, withArticle(look === 'black and white' ? `${look} ${name}` : `${look} ${name}`)]
    : [];
  const all = [name, article, ...looks, `${name}, clip art`, article && `a drawing of ${article}`];
  return all.flatMap((caption) => caption ?? []);
}

/** Renders a drawing on white, without its margins, in the middle of a square. Returns `undefined` for a damaged one. */
async function render(svg: Uint8Array, size: number): Promise<RgbImage | undefined> {
  try {
    const { width = 1, height = 1 } = await sharp(svg).metadata();
    const density = Math.min(1200, Math.max(8, (72 * 4 * size) / Math.max(width, height)));
    const drawn = await sharp(svg, { density }).flatten({ background: white }).toColourspace('srgb').png().toBuffer();
    if (await isCut(drawn)) return undefined;
    const inner = Math.round(size * (1 - 2 * margin));
    const fitted = await sharp(drawn)
      .trim({ background: white, threshold: 10 })
      .resize(inner, inner, { fit: 'inside', kernel: 'lanczos3' })
      .png()
      .toBuffer();
    const data = await sharp(fitted)
      .resize(size, size, { fit: 'contain', background: white, withoutEnlargement: true })
      .removeAlpha()
      .raw()
      .toBuffer();
    return { width: size, height: size, data: new Uint8Array(data) };
  } catch {
    return undefined;
  }
}

const white = '#ffffff';
/** Largest share of a side of the page that a drawing may touch: what touches more of it is cut off there. */
const largestTouch = 0.15;

/** Checks whether a drawing continues beyond a side of its page. */
async function isCut(png: Buffer): Promise<boolean> {
  const { data, info } = await sharp(png).greyscale().raw().toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const touch = (length: number, at: (i: number) => number) =>
    Array.from({ length }, (_, i) => data[channels * at(i)]!).filter((level) => level < 240).length / length;
  const sides = [
    touch(width, (x) => x),
    touch(width, (x) => (height - 1) * width + x),
    touch(height, (y) => y * width),
    touch(height, (y) => y * width + width - 1),
  ];
  return sides.some((share) => share > largestTouch);
}

function inkOf({ data }: RgbImage): number {
  let ink = 0;
  for (let i = 0; i < data.length; i += 3) if (Math.min(data[i]!, data[i + 1]!, data[i + 2]!) < 240) ink++;
  return (3 * ink) / data.length;
}

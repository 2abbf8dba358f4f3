/** The pictures of the second edition: what they show, where they come from, and what each is for. */
import type { RgbImage } from '@dalle-mini/core';
import type { Dataset, Sample } from '@dalle-mini/data';
import type { EmojiSplit } from '@dalle-mini/data/emoji';

/** The description of a picture, without its pixels. */
export interface Picture {
  /** `<source>/<name>`, unique. */
  readonly key: string;
  /** What it shows: the hexcode of an emoji, or the name of a piece of clip art. */
  readonly concept: string;
  /** Variants of one drawing share a group. */
  readonly group: string;
  readonly split: EmojiSplit;
  /** The plain label first. */
  readonly captions: readonly string[];
}

/** Pictures of one place, each read by its index. */
export interface PictureSource {
  readonly pictures: readonly Picture[];
  read(index: number): Promise<RgbImage>;
}

/** A picture, its description and its pixels. */
export type PictureSample = Picture & Sample & { readonly group: string };

/** A dataset of pictures that can be narrowed by what is known of them. */
export interface PictureDataset extends Dataset<PictureSample> {
  readonly pictures: readonly Picture[];
  filter(keep: (picture: Picture) => boolean): PictureDataset;
}

/** Makes one dataset of several sources, in their order. */
export function pictureDataset(sources: readonly PictureSource[]): PictureDataset {
  return datasetOf(
    sources.flatMap((source) => source.pictures.map((picture, index) => ({ picture, read: () => source.read(index) }))),
  );
}

function datasetOf(
  items: readonly { readonly picture: Picture; readonly read: () => Promise<RgbImage> }[],
): PictureDataset {
  return {
    length: items.length,
    pictures: items.map(({ picture }) => picture),
    filter: (keep) => datasetOf(items.filter(({ picture }) => keep(picture))),
    async get(index) {
      const { picture, read } = items[index]!;
      return { ...picture, image: await read() };
    },
  };
}

/** Copies a square out of a picture. */
export function crop({ width, data }: RgbImage, left: number, top: number, size: number): RgbImage {
  const square = new Uint8Array(3 * size * size);
  for (let y = 0; y < size; y++) {
    const start = 3 * ((top + y) * width + left);
    square.set(data.subarray(start, start + 3 * size), 3 * y * size);
  }
  return { width: size, height: size, data: square };
}

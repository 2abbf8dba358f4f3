/** Prepares the pictures of the second edition. */
import { join } from 'node:path';
import { type EmojiDataset, prepareEmoji } from '@dalle-mini/data/emoji';
import { splitOf } from '../recipe.js';
import { englishWords } from '../text-encoder.js';
import { clipArt } from './clip-art.js';
import { type Composed, compose } from './compositions.js';
import { fluent3d } from './fluent-3d.js';
import { preparedOnce } from './picture-file.js';
import { type PictureDataset, type PictureSource, pictureDataset } from './pictures.js';
import * as recipe from './recipe.js';
import { plainPictures } from './styles.js';

/** Where Debian's package `openclipart-svg` has its drawings, unless `CLIP_ART` names another folder. */
const clipArtFolder = process.env.CLIP_ART ?? '/usr/share/openclipart/svg';

/** The pictures by what they are for. */
export interface Data {
  /** Single things of all splits, and where they come from. */
  readonly singles: PictureDataset;
  /** Keys of the pictures that captions without a style mean. */
  readonly plain: ReadonlySet<string>;
  /** The plain emoji that are trained on, of which compositions are made. */
  readonly composable: PictureDataset;
  /** Single things and compositions that are trained on, compositions last. */
  readonly training: PictureDataset;
  /** Compositions of drawings that are held out. */
  readonly heldOutCompositions: Composed;
  readonly emoji: EmojiDataset;
}

/** Renders the pictures into a folder, or opens what is there. */
export async function prepareData(folder: string, signal?: AbortSignal): Promise<Data> {
  const { imageSize, seed } = recipe;
  const emoji = await prepareEmoji(join(folder, 'emoji'), { imageSize, signal });
  const words = await englishWords();
  const sources: PictureSource[] = [
    {
      pictures: emoji.entries.map((entry) => ({ ...entry, split: splitOf(entry) })),
      read: async (index) => (await emoji.get(index)).image,
    },
    await preparedOnce(folder, 'fluent-3d', imageSize, () => fluent3d(emoji, imageSize)),
    await preparedOnce(folder, 'clip-art', imageSize, () => clipArt(clipArtFolder, emoji, { imageSize, seed, words })),
  ];
  const singles = pictureDataset(sources);
  const trained = singles.filter(({ split }) => split === 'train');
  const heldOut = singles.filter(({ split }) => split === 'held-out-drawings');
  const plain = plainPictures(singles.pictures);
  const composable = trained.filter(({ key }) => plain.has(key) && !key.startsWith('clip-art/'));
  const compositions = compose(composable, { seed, split: 'train', ...recipe.compositions });
  return {
    singles,
    plain,
    composable,
    training: pictureDataset([sourceOf(trained), compositions]),
    heldOutCompositions: compose(heldOut, { seed, split: 'held-out-drawings', ...recipe.heldOutCompositions }),
    emoji,
  };
}

function sourceOf(dataset: PictureDataset): PictureSource {
  return { pictures: dataset.pictures, read: async (index) => (await dataset.get(index)).image };
}

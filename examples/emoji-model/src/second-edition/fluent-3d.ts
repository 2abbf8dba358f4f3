/** Microsoft's Fluent Emoji as they are rendered in three dimensions, from the npm package `@lobehub/fluent-emoji-3d` (MIT). */
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { findPackageFile, readBytes } from '@dalle-mini/core/node';
import { preprocessImage } from '@dalle-mini/data';
import type { EmojiDataset, EmojiEntry } from '@dalle-mini/data/emoji';
import type { PreparedPictures } from './picture-file.js';

/** Sets whose captions fit: they are drawings of the same design. */
const sameDesign = ['fluent-emoji', 'fluent-emoji-flat'];

const plainHexcode = (hexcode: string) => hexcode.toUpperCase().replaceAll('-FE0F', '').replace(/^0+/, '');

/** Reads the pictures, with the captions and the split that their emoji have in the flat sets of the same design. */
export async function* fluent3d(emoji: EmojiDataset, imageSize: number): PreparedPictures {
  const known = new Map<string, EmojiEntry>();
  for (const vendor of sameDesign.toReversed())
    for (const entry of emoji.entries) if (entry.vendor === vendor) known.set(plainHexcode(entry.hexcode), entry);
  const folder = join(dirname(findPackageFile('@lobehub/fluent-emoji-3d/package.json', import.meta.url)), 'assets');
  for (const file of (await readdir(folder)).sort()) {
    const entry = known.get(plainHexcode(file.replace(/\.webp$/, '')));
    if (!entry) continue;
    const { concept, split } = entry;
    const [label, ...captions] = entry.captions.filter((caption) => !/, (3d|flat) style$/.test(caption));
    yield {
      picture: {
        key: `fluent-3d/${file.replace(/\.webp$/, '')}`,
        concept,
        group: `${concept}/fluent-3d`,
        split,
        captions: [label!, ...captions, `${label}, 3d`],
      },
      image: await preprocessImage(await readBytes(join(folder, file)), file, { imageSize, crop: 'none' }),
    };
  }
}

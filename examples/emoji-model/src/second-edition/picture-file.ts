/** Pictures that have been prepared: their pixels in one file, one after the other, and a line of JSON for each in another. */
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { RgbImage } from '@dalle-mini/core';
import { exists, readTextFile, writeFileAtomically } from '@dalle-mini/core/node';
import type { Picture, PictureSource } from './pictures.js';

/** What is prepared: pictures of one size, as they come. */
export type PreparedPictures = AsyncIterable<{ readonly picture: Picture; readonly image: RgbImage }>;

/** Opens the pictures `name` in a folder, and prepares them first if they are not there. */
export async function preparedOnce(
  folder: string,
  name: string,
  imageSize: number,
  prepare: () => PreparedPictures,
): Promise<PictureSource> {
  const [pixels, index] = [join(folder, `${name}.u8`), join(folder, `${name}.jsonl`)];
  if (!(await exists(index))) {
    const file = await open(`${pixels}.partial`, 'w');
    const lines: string[] = [];
    try {
      for await (const { picture, image } of prepare()) {
        await file.write(image.data);
        lines.push(`${JSON.stringify(picture)}\n`);
      }
    } finally {
      await file.close();
    }
    await rename(`${pixels}.partial`, pixels);
    await writeFileAtomically(index, lines.join(''));
  }
  const lines = (await readTextFile(index)).trimEnd().split('\n');
  const file = await open(pixels);
  const length = 3 * imageSize * imageSize;
  return {
    pictures: lines.map((line) => JSON.parse(line) as Picture),
    async read(position) {
      const data = new Uint8Array(length);
      await file.read(data, 0, length, position * length);
      return { width: imageSize, height: imageSize, data };
    },
  };
}

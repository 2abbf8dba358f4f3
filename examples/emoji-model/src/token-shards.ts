import {
  type Dataset,
  openTokenShards,
  type Sample,
  type TokenShards,
  type WriteTokenShardsOptions,
  writeTokenShards,
} from '@dalle-mini/data';
import type { VqganTokenizer } from '@dalle-mini/vqgan';

/** Encodes pictures into a folder, unless an earlier run has done so, and opens their tokens. */
export async function encodedOnce(
  folder: string,
  pictures: Dataset<Sample>,
  tokenizer: VqganTokenizer,
  options: WriteTokenShardsOptions,
): Promise<TokenShards> {
  await writeTokenShards(pictures, tokenizer, folder, options);
  return openTokenShards(folder);
}

/** Pictures with other captions. */
export function withCaptions<Picture extends Sample>(
  pictures: Dataset<Picture>,
  captionsOf: (picture: Picture) => readonly string[],
): Dataset<Sample> {
  return {
    length: pictures.length,
    async get(index) {
      const picture = await pictures.get(index);
      return { ...picture, captions: captionsOf(picture) };
    },
  };
}

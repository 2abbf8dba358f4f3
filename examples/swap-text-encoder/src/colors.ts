import type { ImageTokenizer } from '@dalle-mini/core';
import type { TokenDataset } from '@dalle-mini/data';

const colors = {
  red: [220, 40, 40],
  green: [30, 160, 60],
  blue: [40, 80, 220],
  yellow: [250, 210, 50],
  white: [255, 255, 255],
};

/** Pictures of one color, as a tokenizer writes them, with two captions each. */
export async function colorDataset(tokenizer: ImageTokenizer): Promise<TokenDataset> {
  const { imageSize, gridSize, vocabularySize } = tokenizer;
  const images = Object.values(colors).map((color) => {
    const data = Uint8Array.from({ length: 3 * imageSize ** 2 }, (_, i) => color[i % 3]!);
    return { width: imageSize, height: imageSize, data };
  });
  const grids = await tokenizer.encode(images);
  const samples = Object.keys(colors).map((name, i) => ({
    key: name,
    tokens: grids[i]!,
    captions: [name, `a ${name} picture`],
  }));
  return {
    length: samples.length,
    gridSize,
    vocabularySize,
    get: async (index) => samples[index]!,
    groups: async () => samples.map((_, index) => [index]),
  };
}

import { createRandom, type RgbImage } from '@dalle-mini/core';
import type { TensorData } from '@dalle-mini/graph';
import { initializeParameters } from '@dalle-mini/graph/initializers';
import { type VqganConfig, vqganParameters } from '@dalle-mini/vqgan';

/** f2: 8×8 tokens. */
export const tinyVqgan: VqganConfig = {
  resolution: 16,
  inChannels: 3,
  ch: 8,
  chMult: [1, 2],
  numResBlocks: 1,
  attnResolutions: [],
  zChannels: 8,
  embedDim: 4,
  nEmbed: 32,
  normGroups: 4,
};

/** The same with attention. */
export const attentiveVqgan: VqganConfig = { ...tinyVqgan, attnResolutions: [8], zChannels: 4 };

/** First values, but for vectors and codes that are as far apart, so that images have many tokens. */
export function randomParameters(config: VqganConfig, seed: number): Map<string, TensorData> {
  const random = createRandom(seed);
  const parameters = initializeParameters(vqganParameters(config), seed);
  const spread = (name: string, width: number) => {
    const values = parameters.get(name)?.data ?? [];
    for (let i = 0; i < values.length; i++) values[i] = width * random.normal();
  };
  spread(config.quantizer === 'gumbel' ? 'quantize.embed.weight' : 'quantize.embedding.weight', 1);
  spread('quant_conv.weight', 2);
  return parameters;
}

export function randomImages(count: number, size: number, seed: number): RgbImage[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => {
    const data = Uint8Array.from({ length: 3 * size * size }, () => random.integer(256));
    return { width: size, height: size, data };
  });
}

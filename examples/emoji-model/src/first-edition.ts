/** The first edition of the bundled model: 64×64 pixels. The second starts from it, and the studies are about it. */
import { fileURLToPath } from 'node:url';
import type { DecoderConfig } from '@dalle-mini/decoder';
import type { TensorData } from '@dalle-mini/graph';
import type { VqganConfig } from '@dalle-mini/vqgan';
import { loadParameters } from './parameters-file.js';
import * as recipe from './recipe.js';

/** A network with its parameters, and the sizes that they have. */
export interface Part<Config> {
  readonly config: Config;
  readonly parameters: ReadonlyMap<string, TensorData>;
}

export interface FirstEdition {
  readonly imageTokenizer: Part<VqganConfig>;
  readonly decoder: Part<DecoderConfig>;
}

/** Reads the weights of the first edition. Its text encoder and its sampling options are those of the second. */
export async function readFirstEdition(): Promise<FirstEdition> {
  const load = (name: string) =>
    loadParameters(fileURLToPath(new URL(`../first-edition/${name}.safetensors`, import.meta.url)));
  return {
    imageTokenizer: { config: recipe.vqgan, parameters: await load('vqgan') },
    decoder: { config: recipe.decoder, parameters: await load('decoder') },
  };
}

/** Checks the parts of a model that is written, against each other. */
import { object, readConfig, samplingFields } from '@dalle-mini/core';
import { checkAnyDecoderConfig, textWidthOf } from '@dalle-mini/decoder';
import { checkParameters } from '@dalle-mini/graph/stored';
import { checkBartConfig } from '@dalle-mini/text-encoder';
import { checkVqganConfig, gridSizeOf } from '@dalle-mini/vqgan';
import { type Checkpoint, fromFloat32 } from '@dalle-mini/weights';
import { fail, ModelFolderError } from './error.js';
import type { AnyTextEncoderPart, ModelParts } from './model-parts.js';
import { bartKind, decoderKind, type Part, type PartKind, type VqganPart, vqganKind } from './part-kind.js';

/** Throws if parts do not match or lack values. A published model may lack its VQ-GAN. */
export function checkParts({
  imageTokenizer,
  textEncoder,
  decoder,
  sampling,
}: Pick<ModelParts<AnyTextEncoderPart>, 'textEncoder' | 'decoder' | 'sampling'> & {
  readonly imageTokenizer?: VqganPart | undefined;
}): void {
  try {
    if (imageTokenizer) checkVqganConfig(imageTokenizer.config);
    checkAnyDecoderConfig(decoder.config);
    if ('config' in textEncoder) checkBartConfig(textEncoder.config);
    readConfig(object(samplingFields), sampling ?? {}, 'sampling');
  } catch (error) {
    fail(`${(error as Error).message}.`, error);
  }
  const { gridSize, vocabularySize } = decoder.config;
  const textWidth = textWidthOf(decoder.config);
  if (imageTokenizer) {
    const { nEmbed } = imageTokenizer.config;
    const grid = gridSizeOf(imageTokenizer.config);
    if (grid !== gridSize || nEmbed !== vocabularySize) {
      fail(
        `The decoder must generate ${grid}×${grid} grids of ${nEmbed} tokens, like the VQ-GAN, not ` +
          `${gridSize}×${gridSize} grids of ${vocabularySize}. Use the VQ-GAN that the decoder was trained with.`,
      );
    }
    checkPart('VQ-GAN', imageTokenizer, vqganKind);
  }
  if ('config' in textEncoder) {
    const { width } = textEncoder.config;
    if (width !== textWidth)
      fail(
        `The decoder's textWidth must be ${width}, the width of the text encoder, not ${textWidth}. ` +
          'Use the text encoder that the decoder was trained with.',
      );
    checkPart('text encoder', textEncoder, bartKind);
  } else if ('maxLength' in textEncoder) {
    const { maxLength } = textEncoder;
    if (!Number.isSafeInteger(maxLength) || maxLength < 1)
      fail(`textEncoder.maxLength must be a whole number of at least 1, not ${maxLength}.`);
  }
  checkPart('decoder', decoder, decoderKind);
}

/** Returns the parameters of a checked part as tensors of a checkpoint. */
export function stored<Config>(
  { config, parameters }: Part<Config>,
  kind: PartKind<Config>,
): { readonly config: Config; readonly weights: Checkpoint } {
  const weights: Checkpoint = new Map();
  for (const [name, { shape }] of kind.parameters(config))
    weights.set(name, fromFloat32(parameters.get(name)!.data as Float32Array, shape));
  return { config, weights };
}

export function checkPart<Config>(what: string, { config, parameters }: Part<Config>, kind: PartKind<Config>): void {
  try {
    checkParameters(kind.parameters(config), parameters);
  } catch (error) {
    throw new ModelFolderError(`The ${what}: ${(error as Error).message}`, { cause: error });
  }
}

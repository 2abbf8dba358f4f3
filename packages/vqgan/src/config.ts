import {
  boolean,
  type Field,
  integer,
  list,
  number,
  object,
  oneOf,
  optional,
  readConfig,
  refuse,
  sizeFields,
} from '@dalle-mini/core';

/**
 * The sizes of a VQ-GAN, named as in Taming Transformers (Esser et al. 2021): `ddconfig`, `n_embed` and `embed_dim`.
 */
export interface VqganConfig {
  /** Width and height of the images in pixels. */
  readonly resolution: number;
  /** Channels of an image. */
  readonly inChannels: number;
  /** Channels of the first level. */
  readonly ch: number;
  /** Channels of each level as a multiple of `ch`; between two levels the image is halved in width and height. */
  readonly chMult: readonly number[];
  /**
   * Channels of each level of the decoder as a multiple of `ch`. Default `chMult`. A longer list makes images larger than the encoder reads:
   * with one level more, it reads the means of 2 × 2 pixels, so that a grid of tokens has four times the pixels.
   */
  readonly decoderChMult?: readonly number[] | undefined;
  /** Residual blocks per level of the encoder; the decoder has one more per level. */
  readonly numResBlocks: number;
  /** Widths of images at which each residual block is followed by self-attention. */
  readonly attnResolutions: readonly number[];
  /** Whether there is self-attention between the two residual blocks at the smallest width. Default true, as in Taming's. */
  readonly midAttention?: boolean | undefined;
  /** Channels of the encoder's output and of the decoder's input. */
  readonly zChannels: number;
  /** Width of a code. */
  readonly embedDim: number;
  /** Number of codes in the codebook. */
  readonly nEmbed: number;
  /** Groups of each group normalization. Default 32. */
  readonly normGroups?: number | undefined;
  /**
   * Method that converts a vector to a token. `nearest`, the default, takes the nearest code of the codebook, as Taming's `VQModel` does.
   * `gumbel` takes the largest of `nEmbed` logits, as Taming's `GumbelVQ` does without the noise of training; it cannot be trained.
   */
  readonly quantizer?: 'nearest' | 'gumbel' | undefined;
  /**
   * Whether vectors and codes are divided by their lengths, so that the nearest code is that of the smallest angle. With narrow codes
   * (`embedDim` 8 instead of 256) it keeps nearly all codes in use (Yu et al. 2022, ViT-VQGAN). Default false.
   */
  readonly normalizeCodes?: boolean | undefined;
  /** Pixel values of the bytes 0 and 255. Default [−1, 1], as Taming's; the VQ-GAN of DALL·E Mini has [0, 1]. */
  readonly pixelRange?: readonly [black: number, white: number] | undefined;
  /** Whether the model has only the decoder, which converts tokens to images. Default false. */
  readonly decoderOnly?: boolean | undefined;
}

const taming = {
  resolution: 256,
  inChannels: 3,
  ch: 128,
  chMult: [1, 1, 2, 2, 4],
  numResBlocks: 2,
  attnResolutions: [16],
  zChannels: 256,
  embedDim: 256,
} as const;

const dalleMini = { ...taming, nEmbed: 16384, pixelRange: [0, 1] } as const;

/** The published sizes: `ddconfig`, `n_embed` and `embed_dim` of the published checkpoints. */
export const vqganPresets = {
  /** Taming's `vqgan_imagenet_f16_16384`. */
  'f16-16384': { ...taming, nEmbed: 16384 },
  /** Taming's `vqgan_imagenet_f16_1024`. */
  'f16-1024': { ...taming, nEmbed: 1024 },
  /** Taming's `vqgan_gumbel_f8_8192`, of OpenImages. */
  'gumbel-f8-8192': { ...taming, chMult: [1, 1, 2, 4], attnResolutions: [32], nEmbed: 8192, quantizer: 'gumbel' },
  /** DALL·E Mini's image tokenizer: `f16-16384`, which its code decodes to pixels in [0, 1]. */
  'dalle-mini': dalleMini,
  /** The decoder half of it, in min-dalle's `detoker.pt`. */
  'min-dalle': { ...dalleMini, decoderOnly: true },
  /** LlamaGen's `vq_ds16_c2i` and `vq_ds16_t2i`, for images of 256 × 256 pixels. */
  'llama-gen-f16': { ...taming, embedDim: 8, nEmbed: 16384, normalizeCodes: true },
  /** LlamaGen's `vq_ds8_c2i`, for images of 256 × 256 pixels. */
  'llama-gen-f8': {
    ...taming,
    chMult: [1, 2, 2, 4],
    attnResolutions: [32],
    embedDim: 8,
    nEmbed: 16384,
    normalizeCodes: true,
  },
} as const satisfies Record<string, VqganConfig>;

/** Returns the width, and height, of the grid of tokens. */
export function gridSizeOf({ resolution, chMult, decoderChMult = chMult }: VqganConfig): number {
  return resolution / 2 ** (decoderChMult.length - 1);
}

const { width, imageSize, vocabularySize } = sizeFields;
const mostChannels = 2 ** 17;

/** Fields for the sizes. */
export const vqganSizeFields = {
  resolution: imageSize,
  inChannels: width,
  ch: width,
  chMult: list(width, { min: 1, max: 12 }),
  numResBlocks: integer({ min: 1, max: 64 }),
  attnResolutions: list(imageSize, { max: 64 }),
  zChannels: width,
  embedDim: width,
  nEmbed: vocabularySize,
};

/** A field that reads a configuration. */
export const vqganConfigField = object<VqganConfig>(
  {
    ...vqganSizeFields,
    decoderChMult: optional(vqganSizeFields.chMult),
    midAttention: optional(boolean()),
    normGroups: optional(width),
    quantizer: optional(oneOf(['nearest', 'gumbel'])),
    normalizeCodes: optional(boolean()),
    pixelRange: optional(list(number(), { min: 2, max: 2 }) as Field<readonly [number, number]>),
    decoderOnly: optional(boolean()),
  },
  {
    check(config, at) {
      const {
        resolution,
        ch,
        chMult,
        decoderChMult = chMult,
        zChannels,
        embedDim,
        quantizer,
        normalizeCodes,
        pixelRange,
        normGroups = 32,
      } = config;
      if (decoderChMult.length < chMult.length)
        refuse(at('decoderChMult'), `as long as chMult, ${chMult.length}, or longer`, decoderChMult);
      const grid = gridSizeOf(config);
      if (!Number.isInteger(grid))
        refuse(
          at('resolution'),
          `a multiple of ${2 ** (decoderChMult.length - 1)}, for the ${decoderChMult.length} levels of ${config.decoderChMult ? 'decoderChMult' : 'chMult'}`,
          resolution,
        );
      if (grid > 512)
        refuse(
          at('resolution'),
          `at most ${(512 * resolution) / grid}, for a grid of at most 512 × 512 tokens`,
          resolution,
        );
      for (const [field, multiples] of Object.entries({ chMult, decoderChMult }))
        for (const multiple of multiples) {
          const channels = ch * multiple;
          if (channels > mostChannels)
            refuse(
              at(field as keyof VqganConfig),
              `such that each ch · ${field} is at most ${mostChannels}`,
              multiples,
            );
          if (channels % normGroups !== 0)
            refuse(at('normGroups'), `a divisor of ${channels}, the channels of a level (ch · ${field})`, normGroups);
        }
      if (quantizer === 'gumbel' && embedDim !== zChannels)
        refuse(at('embedDim'), `equal to zChannels, ${zChannels}, with quantizer "gumbel"`, embedDim);
      if (quantizer === 'gumbel' && normalizeCodes)
        refuse(at('normalizeCodes'), 'false with quantizer "gumbel"', normalizeCodes);
      if (pixelRange && pixelRange[0] >= pixelRange[1])
        refuse(at('pixelRange'), 'two numbers, the smaller first', pixelRange);
    },
  },
);

/**
 * Checks a configuration.
 *
 * @param source The start of an error message, such as the file's path.
 * @throws ConfigError that names the field.
 */
export function checkVqganConfig(config: unknown, source = 'VQ-GAN config'): VqganConfig {
  return readConfig(vqganConfigField, config, source);
}

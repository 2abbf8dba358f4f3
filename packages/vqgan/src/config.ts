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
  /** Channels of each level as a multiple of `ch`; between two levels the image is halved. */
  readonly chMult: readonly number[];
  /** Residual blocks a level of the encoder; the decoder has one more. */
  readonly numResBlocks: number;
  /** Widths of images at which each residual block is followed by self-attention. */
  readonly attnResolutions: readonly number[];
  /** Channels that the encoder ends in, and the decoder starts from. */
  readonly zChannels: number;
  /** Width of a code. */
  readonly embedDim: number;
  /** Number of codes in the codebook. */
  readonly nEmbed: number;
  /** Groups of each group normalization. Default 32. */
  readonly normGroups?: number;
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

/** The published sizes, and those of the bundled model. */
export const vqganPresets = {
  /** Taming's `vqgan_imagenet_f16_16384`, DALL·E Mini's image tokenizer. */
  'f16-16384': { ...taming, nEmbed: 16384 },
  /** Taming's `vqgan_imagenet_f16_1024`. */
  'f16-1024': { ...taming, nEmbed: 1024 },
} as const satisfies Record<string, VqganConfig>;

/** Width and height of the grid of tokens. */
export function gridSizeOf(config: VqganConfig): number {
  return config.resolution / 2 ** (config.chMult.length - 1);
}

/**
 * Checks a configuration read from a file.
 *
 * @throws RangeError that names the field.
 */
export function checkVqganConfig(config: VqganConfig): void {
  const fields = ['resolution', 'inChannels', 'ch', 'numResBlocks', 'zChannels', 'embedDim', 'nEmbed'] as const;
  for (const field of fields) {
    if (!Number.isSafeInteger(config[field]) || config[field] < 1) {
      throw new RangeError(
        `VQ-GAN config: ${field} must be a positive whole number, not ${JSON.stringify(config[field])}`,
      );
    }
  }
  const lists = ['chMult', 'attnResolutions'] as const;
  for (const field of lists) {
    if (!Array.isArray(config[field]) || !config[field].every((value) => Number.isSafeInteger(value) && value >= 1)) {
      throw new RangeError(
        `VQ-GAN config: ${field} must be a list of positive whole numbers, not ${JSON.stringify(config[field])}`,
      );
    }
  }
  if (config.chMult.length < 1) throw new RangeError('VQ-GAN config: chMult must have a level at least');
  if (!Number.isInteger(gridSizeOf(config))) {
    throw new RangeError(
      `VQ-GAN config: resolution ${config.resolution} is not divisible by 2 for each of ${config.chMult.length - 1} halvings`,
    );
  }
  const groups = config.normGroups ?? 32;
  for (const multiple of config.chMult) {
    if (!Number.isInteger((config.ch * multiple) / groups)) {
      throw new RangeError(
        `VQ-GAN config: ${config.ch * multiple} channels do not divide into ${groups} groups; set normGroups`,
      );
    }
  }
}

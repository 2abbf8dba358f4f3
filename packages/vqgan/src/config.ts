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
  /**
   * How a vector becomes a token. `nearest`, the default, is the nearest code of the codebook, as Taming's `VQModel`; `gumbel` the
   * largest of `nEmbed` logits, as its `GumbelVQ` without the noise of training. A model with the latter can be used and not trained.
   */
  readonly quantizer?: 'nearest' | 'gumbel';
  /** Values of a channel's bytes 0 and 255. Default [−1, 1], as Taming; the VQ-GAN of DALL·E Mini has [0, 1]. */
  readonly pixelRange?: readonly [black: number, white: number];
  /** Whether there is only the half that turns tokens into images. Default false. */
  readonly decoderOnly?: boolean;
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
  /** The half of it in min-dalle's `detoker.pt`. */
  'min-dalle': { ...dalleMini, decoderOnly: true },
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
  const fail = (field: keyof VqganConfig, wanted: string) => {
    const value = config[field] as unknown;
    // Not JSON for numbers, where NaN would be null.
    const given = typeof value === 'number' ? value : JSON.stringify(value);
    throw new RangeError(`VQ-GAN config: ${field} must be ${wanted}, not ${given}`);
  };
  const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 1;
  for (const field of ['resolution', 'inChannels', 'ch', 'numResBlocks', 'zChannels', 'embedDim', 'nEmbed'] as const) {
    if (!isCount(config[field])) fail(field, 'a positive whole number');
  }
  for (const field of ['chMult', 'attnResolutions'] as const) {
    if (!Array.isArray(config[field]) || !config[field].every(isCount)) fail(field, 'a list of positive whole numbers');
  }
  if (config.chMult.length < 1) fail('chMult', 'a list of one number at least');
  const halvings = config.chMult.length - 1;
  if (!Number.isInteger(gridSizeOf(config))) fail('resolution', `divisible by 2 for each of ${halvings} halvings`);
  const { quantizer = 'nearest', pixelRange = [-1, 1], decoderOnly = false } = config;
  if (quantizer !== 'nearest' && quantizer !== 'gumbel') fail('quantizer', '"nearest" or "gumbel"');
  if (quantizer === 'gumbel' && config.embedDim !== config.zChannels)
    fail('embedDim', `zChannels, ${config.zChannels}, where quantizer is "gumbel"`);
  const [black, white] = Array.isArray(pixelRange) && pixelRange.length === 2 ? pixelRange : [];
  if (!(Number.isFinite(black) && Number.isFinite(white) && black! < white!))
    fail('pixelRange', 'two numbers, the smaller first');
  if (typeof decoderOnly !== 'boolean') fail('decoderOnly', 'true or false');
  if (config.normGroups !== undefined && !isCount(config.normGroups)) fail('normGroups', 'a positive whole number');
  const groups = config.normGroups ?? 32;
  for (const multiple of config.chMult) {
    const channels = config.ch * multiple;
    if (channels % groups !== 0) {
      throw new RangeError(
        `VQ-GAN config: ch and chMult give ${channels} channels, which do not divide into ${groups} groups; set normGroups`,
      );
    }
  }
}

import {
  boolean,
  ConfigError,
  type Field,
  integer,
  number,
  object,
  oneOf,
  optional,
  readConfig,
  refuse,
  sizeFields,
} from '@dalle-mini/core';

/** The sizes of aMUSEd's decoder, a U-ViT (Patil et al. 2024): those of `UVit2DModel` in diffusers. */
export interface AmusedConfig {
  readonly kind: 'amused';
  /** Width and height of the token grid (`sample_size`). */
  readonly gridSize: number;
  /** Width and height of the images in pixels, which is an input of the model. */
  readonly imageSize: number;
  /** Number of image tokens (`codebook_size`). */
  readonly vocabularySize: number;
  /** Rows of the token embeddings (`vocab_size`): image tokens, padding, and the mask token. */
  readonly paddedVocabularySize: number;
  /** The mask token (`mask_token_id` of the scheduler). */
  readonly maskToken: number;
  /** Width of the token embeddings (`in_channels`). */
  readonly embeddingWidth: number;
  /** Channels of the convolutional blocks before and after the transformer (`block_out_channels`). */
  readonly blockWidth: number;
  /** Residual blocks, each followed by attention to the caption, in either of them (`num_res_blocks`). */
  readonly resBlocks: number;
  readonly blockHeads: number;
  /** Whether the first block halves the grid, and the last doubles it (`downsample` and `upsample`): in the 512-pixel model. */
  readonly downsample: boolean;
  /** Width of the transformer (`hidden_size`). */
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  /** Width inside the feed-forward layers (`intermediate_size`). */
  readonly feedForwardWidth: number;
  /** Width of the text encoder's hidden states (`encoder_hidden_size`). */
  readonly textWidth: number;
  /** Tokens of a caption, to which it is padded. */
  readonly textLength: number;
  /** Width of the pooled embedding of a caption (`cond_embed_dim`). */
  readonly pooledWidth: number;
  /** Width of the embedding of each of the five micro conditions (`micro_cond_encode_dim`). */
  readonly microWidth: number;
  /** Added to mean squares and variances (`layer_norm_eps`). */
  readonly normEpsilon: number;
}

/** The field of aMUSEd's configuration, for `readConfig`. */
export const amusedConfigField: Field<AmusedConfig> = object<AmusedConfig>(
  {
    kind: oneOf(['amused']),
    gridSize: sizeFields.gridSize,
    imageSize: sizeFields.imageSize,
    vocabularySize: sizeFields.vocabularySize,
    paddedVocabularySize: sizeFields.vocabularySize,
    maskToken: sizeFields.tokenId,
    embeddingWidth: sizeFields.width,
    blockWidth: sizeFields.width,
    resBlocks: integer({ min: 1, max: 64 }),
    blockHeads: sizeFields.heads,
    downsample: boolean(),
    width: sizeFields.width,
    layers: sizeFields.layers,
    heads: sizeFields.heads,
    feedForwardWidth: sizeFields.width,
    textWidth: sizeFields.width,
    textLength: sizeFields.length,
    pooledWidth: sizeFields.width,
    microWidth: sizeFields.width,
    normEpsilon: number({ above: 0 }),
  },
  {
    check({ width, heads, blockWidth, blockHeads, vocabularySize, paddedVocabularySize, maskToken, ...sizes }, at) {
      if (width % heads !== 0) refuse(at('heads'), `a divisor of the width, ${width}`, heads);
      if (blockWidth % blockHeads !== 0) refuse(at('blockHeads'), `a divisor of blockWidth, ${blockWidth}`, blockHeads);
      if (maskToken < vocabularySize || maskToken >= paddedVocabularySize)
        refuse(
          at('maskToken'),
          `from ${vocabularySize} to ${paddedVocabularySize - 1}, after the image tokens`,
          maskToken,
        );
      if (sizes.microWidth % 2 !== 0) refuse(at('microWidth'), 'an even number', sizes.microWidth);
      if (sizes.downsample && sizes.gridSize % 2 !== 0)
        refuse(at('gridSize'), 'an even number with downsample', sizes.gridSize);
    },
  },
);

/** Checks a configuration. @throws ConfigError that names the field, the expected value and the given value. */
export function checkAmusedConfig(config: unknown, source = 'aMUSEd config'): AmusedConfig {
  return readConfig(amusedConfigField, config, source);
}

/** `transformer/config.json` of diffusers. Other fields are those of dropout and of versions. */
const transformerFields = object(
  {
    hidden_size: optional(sizeFields.width, 1024),
    use_bias: optional(oneOf([false]), false),
    cond_embed_dim: optional(sizeFields.width, 768),
    micro_cond_encode_dim: optional(sizeFields.width, 256),
    micro_cond_embed_dim: optional(sizeFields.width, 1280),
    encoder_hidden_size: optional(sizeFields.width, 768),
    vocab_size: optional(sizeFields.vocabularySize, 8256),
    codebook_size: optional(sizeFields.vocabularySize, 8192),
    in_channels: optional(sizeFields.width, 768),
    block_out_channels: optional(sizeFields.width, 768),
    num_res_blocks: optional(integer({ min: 1, max: 64 }), 3),
    downsample: optional(boolean(), false),
    upsample: optional(boolean(), false),
    block_num_heads: optional(sizeFields.heads, 12),
    num_hidden_layers: optional(sizeFields.layers, 22),
    num_attention_heads: optional(sizeFields.heads, 16),
    intermediate_size: optional(sizeFields.width, 2816),
    layer_norm_eps: optional(number({ above: 0 }), 1e-6),
    ln_elementwise_affine: optional(oneOf([true]), true),
    sample_size: optional(sizeFields.gridSize, 64),
  },
  { unknown: 'ignore', nullIsAbsent: true },
);

const schedulerFields = object(
  { mask_token_id: sizeFields.tokenId, masking_schedule: optional(oneOf(['cosine']), 'cosine') },
  { unknown: 'ignore', nullIsAbsent: true },
);

/** The parsed files of a diffusers folder that describe aMUSEd's decoder, and what follows from its other parts. */
export interface AmusedFiles {
  /** `transformer/config.json`. */
  readonly transformer: object;
  /** `scheduler/scheduler_config.json`. */
  readonly scheduler: object;
  /** Pixels of an image for each token of a row: 16. */
  readonly pixelsPerToken: number;
  /** Tokens of a caption: 77. */
  readonly textLength: number;
}

/**
 * Reads the configuration of aMUSEd's decoder from the files of a diffusers folder.
 *
 * @param folder The folder, for error messages.
 * @throws ConfigError that names a field of a file whose value is wrong, or which this model does not have.
 */
export function importAmusedConfig(files: AmusedFiles, folder = ''): AmusedConfig {
  const at = (name: string) => (folder === '' ? name : `${folder}/${name}`);
  const path = at('transformer/config.json');
  const published = readConfig(transformerFields, files.transformer, path);
  const { mask_token_id } = readConfig(schedulerFields, files.scheduler, at('scheduler/scheduler_config.json'));
  const micro = 5 * published.micro_cond_encode_dim!;
  if (published.micro_cond_embed_dim !== micro)
    throw new ConfigError(path, 'micro_cond_embed_dim', `must be ${micro}, five times micro_cond_encode_dim.`);
  if (published.upsample !== published.downsample)
    throw new ConfigError(path, 'upsample', `must be ${published.downsample}, as downsample is.`);
  const config = {
    kind: 'amused',
    gridSize: published.sample_size,
    imageSize: published.sample_size! * files.pixelsPerToken,
    vocabularySize: published.codebook_size,
    paddedVocabularySize: published.vocab_size,
    maskToken: mask_token_id,
    embeddingWidth: published.in_channels,
    blockWidth: published.block_out_channels,
    resBlocks: published.num_res_blocks,
    blockHeads: published.block_num_heads,
    downsample: published.downsample,
    width: published.hidden_size,
    layers: published.num_hidden_layers,
    heads: published.num_attention_heads,
    feedForwardWidth: published.intermediate_size,
    textWidth: published.encoder_hidden_size,
    textLength: files.textLength,
    pooledWidth: published.cond_embed_dim,
    microWidth: published.micro_cond_encode_dim,
    normEpsilon: published.layer_norm_eps,
  };
  return checkAmusedConfig(config, path);
}

import {
  boolean,
  type Field,
  type Fields,
  integer,
  object,
  oneOf,
  optional,
  readConfig,
  refuse,
  sizeFields,
} from '@dalle-mini/core';
import { checkTransformer, type TransformerConfig, transformerFields } from '@dalle-mini/transformer';

/** The sizes and options of a decoder that do not follow from its image tokenizer and its text encoder. */
export interface DecoderSizes extends TransformerConfig {
  /** Tells DALL·E Mini's decoder from others. Default `dalle-mini`. */
  readonly kind?: 'dalle-mini' | undefined;
  /** Uses the token embeddings as the weights of the head. Default false. */
  readonly tieEmbeddings?: boolean | undefined;
}

/** The sizes and options of a decoder. The defaults of options are DALL·E Mini's published values. */
export interface DecoderConfig extends DecoderSizes {
  /** Number of image tokens. */
  readonly vocabularySize: number;
  /**
   * The token before the first image token. Default `vocabularySize`, the row after the image tokens, as in the published
   * code. kuprel/min-dalle begins with 16383, the last image token, and its files are to be opened with it.
   */
  readonly beginToken?: number | undefined;
  /**
   * Rows of the token embeddings and columns of the logits: image tokens, the begin token, and unused padding.
   * Default `vocabularySize + 1`.
   */
  readonly paddedVocabularySize?: number | undefined;
  /** Width and height of the token grid: `gridSize²` tokens are generated. */
  readonly gridSize: number;
  /** Width of the text encoder's hidden states. */
  readonly textWidth: number;
  /**
   * The longest caption in tokens. Required with `relativePositions`, because each pair of an image token and a caption
   * token then has a bias.
   */
  readonly textLength?: number | undefined;
}

/** The decoders of the published models: `tools/train/config` of the published code, and kuprel/min-dalle. */
export const decoderPresets = {
  'dalle-mini': {
    vocabularySize: 16384,
    gridSize: 16,
    width: 1024,
    layers: 12,
    heads: 16,
    feedForwardWidth: 2730,
    textWidth: 1024,
  },
  'dalle-mega': {
    vocabularySize: 16384,
    // A multiple of 32, so that devices can share it.
    paddedVocabularySize: 16416,
    gridSize: 16,
    width: 2048,
    layers: 24,
    heads: 32,
    feedForwardWidth: 4096,
    textWidth: 2048,
    initStd: 0.01,
  },
} as const satisfies Record<string, DecoderConfig>;

const sizesOfDecoder: Fields<DecoderSizes> = {
  kind: optional(oneOf(['dalle-mini'])),
  ...transformerFields,
  tieEmbeddings: optional(boolean()),
};

/** The field of a decoder's sizes, for `readConfig`. */
export const decoderSizesField: Field<DecoderSizes> = object(sizesOfDecoder, { check: checkTransformer });

/** The field of a decoder's configuration, for `readConfig`. */
export const decoderConfigField: Field<DecoderConfig> = object<DecoderConfig>(
  {
    ...sizesOfDecoder,
    vocabularySize: sizeFields.vocabularySize,
    beginToken: optional(sizeFields.tokenId),
    paddedVocabularySize: optional(integer({ min: 2, max: 2 ** 25 })),
    gridSize: sizeFields.gridSize,
    textWidth: sizeFields.width,
    textLength: optional(sizeFields.length),
  },
  {
    check(config, at) {
      checkTransformer(config, at);
      const { vocabularySize, beginToken, paddedVocabularySize, relativePositions, textLength } = config;
      const rows = paddedVocabularySize ?? vocabularySize + 1;
      if (beginToken !== undefined && beginToken >= rows)
        refuse(at('beginToken'), `less than the ${rows} rows of the token embeddings`, beginToken);
      if (paddedVocabularySize !== undefined && paddedVocabularySize <= vocabularySize)
        refuse(at('paddedVocabularySize'), `more than the ${vocabularySize} image tokens`, paddedVocabularySize);
      if (relativePositions && textLength === undefined)
        refuse(at('textLength'), 'given if relativePositions is true', textLength);
    },
  },
);

/**
 * Checks a configuration, for example from a file, and returns it.
 *
 * @param source Path of the file, for error messages.
 * @throws ConfigError that names the field, the expected value and the given value.
 */
export function checkDecoderConfig(config: unknown, source = 'decoder config'): DecoderConfig {
  return readConfig(decoderConfigField, config, source);
}

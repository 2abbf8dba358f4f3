import { boolean, type Field, integer, object, optional, readConfig, refuse } from '@dalle-mini/core';
import { checkTransformer, sizeFields, type TransformerConfig, transformerFields } from '@dalle-mini/transformer';

/** The sizes and options of a decoder. Options that are left out have DALL·E Mini's published values. */
export interface DecoderConfig extends TransformerConfig {
  /** Number of different image tokens. The begin token comes after them. */
  readonly vocabularySize: number;
  /**
   * Rows of the token embeddings and columns of the logits: image tokens, the begin token, and padding that nothing uses.
   * Default `vocabularySize + 1`.
   */
  readonly paddedVocabularySize?: number | undefined;
  /** Width and height of the token grid: `gridSize²` tokens are written. */
  readonly gridSize: number;
  /** Width of the text encoder's hidden states. */
  readonly textWidth: number;
  /** The longest caption, in tokens. Needed with `relativePositions`, where each pair of an image token and a caption token has a bias. */
  readonly textLength?: number | undefined;
  /** Whether the head's weights are those of the token embeddings. Default false. */
  readonly tieEmbeddings?: boolean | undefined;
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
    // A multiple of 32, to be divided over devices.
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

/** A field that reads a configuration. */
export const decoderConfigField: Field<DecoderConfig> = object<DecoderConfig>(
  {
    ...transformerFields,
    vocabularySize: sizeFields.vocabularySize,
    paddedVocabularySize: optional(integer({ min: 2, max: 2 ** 25 })),
    gridSize: sizeFields.gridSize,
    textWidth: sizeFields.width,
    textLength: optional(sizeFields.length),
    tieEmbeddings: optional(boolean()),
  },
  {
    check(config, at) {
      checkTransformer(config, at);
      const { vocabularySize, paddedVocabularySize, relativePositions, textLength } = config;
      if (paddedVocabularySize !== undefined && paddedVocabularySize <= vocabularySize)
        refuse(at('paddedVocabularySize'), `more than the ${vocabularySize} image tokens`, paddedVocabularySize);
      if (relativePositions && textLength === undefined)
        refuse(at('textLength'), 'given where relativePositions is true', textLength);
    },
  },
);

/**
 * Checks a configuration, such as one that was read from a file, and returns it.
 *
 * @param source What is read, to begin an error with: the path of a file.
 * @throws ConfigError that names the field, what it must be, and what it is.
 */
export function checkDecoderConfig(config: unknown, source = 'decoder config'): DecoderConfig {
  return readConfig(decoderConfigField, config, source);
}

import { boolean, integer, number, object, oneOf, optional, readConfig, refuse, sizeFields } from '@dalle-mini/core';

/** The sizes and options of a decoder-only model that do not follow from its image tokenizer and its text tokenizer. */
export interface DecoderOnlySizes {
  readonly kind: 'decoder-only';
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  /** Width inside the feed-forward layers. Default 4 · `width`. */
  readonly feedForwardWidth?: number | undefined;
  /**
   * How captions that are shorter than `textLength` are read. `fixed`, the default: padding is read like any token, as in
   * DALL·E and minDALL-E. `separator`: padding is left out, and a separator token begins the image.
   */
  readonly text?: 'fixed' | 'separator' | undefined;
  /**
   * Whether text and image tokens have one table of embeddings and one head, over all of both. Default false: each has its
   * own, so that a text token is never predicted in an image.
   */
  readonly sharedEmbeddings?: boolean | undefined;
  /** Whether the projections of attention have biases. Default true. */
  readonly attentionBias?: boolean | undefined;
  /** Whether feed-forward layers have biases. Default true. */
  readonly feedForwardBias?: boolean | undefined;
  /** Default `gelu`, which is exact. */
  readonly activation?: 'gelu' | 'quick_gelu' | undefined;
  /** Standard deviation of the first weights. Default 0.02. */
  readonly initStd?: number | undefined;
}

/** A decoder-only model. The defaults of options are minDALL-E's published values. */
export interface DecoderOnlyConfig extends DecoderOnlySizes {
  /** Number of image tokens. */
  readonly vocabularySize: number;
  /** Width and height of the token grid: `gridSize²` tokens are generated. */
  readonly gridSize: number;
  /** Number of text tokens. */
  readonly textVocabularySize: number;
  /** Number of text tokens of each caption, without a separator. */
  readonly textLength: number;
}

/** Published decoder-only models: `configs/dalle-1.3B.yaml` of kakaobrain/minDALL-E. */
export const decoderOnlyPresets = {
  'min-dalle-e': {
    kind: 'decoder-only',
    vocabularySize: 16384,
    gridSize: 16,
    textVocabularySize: 16384,
    textLength: 64,
    width: 1536,
    layers: 42,
    heads: 24,
  },
} as const satisfies Record<string, DecoderOnlyConfig>;

const sizes = {
  kind: oneOf(['decoder-only'] as const),
  width: sizeFields.width,
  layers: sizeFields.layers,
  heads: sizeFields.heads,
  feedForwardWidth: optional(sizeFields.width),
  text: optional(oneOf(['fixed', 'separator'] as const)),
  sharedEmbeddings: optional(boolean()),
  attentionBias: optional(boolean()),
  feedForwardBias: optional(boolean()),
  activation: optional(oneOf(['gelu', 'quick_gelu'] as const)),
  initStd: optional(number({ above: 0 })),
};

function check({ width, heads }: DecoderOnlySizes, at: (name: 'width') => string): void {
  if (width % heads !== 0) refuse(at('width'), `a multiple of the ${heads} heads`, width);
}

/** The field of a decoder-only model's sizes, for `readConfig`. */
export const decoderOnlySizesField = object<DecoderOnlySizes>(sizes, { check });

/** The field of a decoder-only model's configuration, for `readConfig`. */
export const decoderOnlyConfigField = object<DecoderOnlyConfig>(
  {
    ...sizes,
    vocabularySize: sizeFields.vocabularySize,
    gridSize: sizeFields.gridSize,
    textVocabularySize: integer({ min: 2, max: 2 ** 25 }),
    textLength: sizeFields.length,
  },
  { check },
);

/**
 * Checks a configuration, for example from a file, and returns it.
 *
 * @param source Path of the file, for error messages.
 * @throws ConfigError that names the field, the expected value and the given value.
 */
export function checkDecoderOnlyConfig(config: unknown, source = 'decoder config'): DecoderOnlyConfig {
  return readConfig(decoderOnlyConfigField, config, source);
}

import { type BartBlockConfig, checkBartBlock, checkSizes, refuseField } from '@dalle-mini/text-encoder';

export type { BartActivation, NormPositions } from '@dalle-mini/text-encoder';

/** The sizes and options of a decoder. Options that are left out have DALL·E Mini's published values. */
export interface DecoderConfig extends BartBlockConfig {
  /** Number of different image tokens. The begin token comes after them. */
  readonly vocabularySize: number;
  /**
   * Rows of the token embeddings and columns of the logits: image tokens, the begin token, and padding that nothing uses.
   * Default `vocabularySize + 1`.
   */
  readonly paddedVocabularySize?: number;
  /** Width and height of the token grid: `gridSize²` tokens are written. */
  readonly gridSize: number;
  /** Width of the text encoder's hidden states. */
  readonly textWidth: number;
  /** The longest caption, in tokens. Needed with `relativePositions`, where each pair of an image token and a caption token has a bias. */
  readonly textLength?: number;
  /** Whether the head's weights are those of the token embeddings. Default false. */
  readonly tieEmbeddings?: boolean;
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

/**
 * Checks a configuration read from a file.
 *
 * @throws RangeError that names the field, what it may be, and what it is.
 */
export function checkDecoderConfig(config: DecoderConfig): void {
  const what = 'decoder config';
  const { vocabularySize, paddedVocabularySize, textLength, tieEmbeddings, relativePositions = false } = config;
  checkSizes(what, config, ['vocabularySize', 'gridSize', 'textWidth']);
  checkBartBlock(what, config);
  if (
    paddedVocabularySize !== undefined &&
    !(Number.isSafeInteger(paddedVocabularySize) && paddedVocabularySize > vocabularySize)
  )
    refuseField(what, config, 'paddedVocabularySize', `a whole number above the ${vocabularySize} image tokens`);
  if (relativePositions || textLength !== undefined) checkSizes(what, config, ['textLength']);
  if (tieEmbeddings !== undefined && typeof tieEmbeddings !== 'boolean')
    refuseField(what, config, 'tieEmbeddings', 'true or false');
}

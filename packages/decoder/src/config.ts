/** Where a transformer block normalizes: the `ln_positions` of DALL·E Mini's published code. */
export type NormPositions = 'normformer' | 'preln' | 'postln' | 'cogview' | 'swinv2' | 'subln';

/** The sizes and options of a decoder. Options that are left out have DALL·E Mini's published values. */
export interface DecoderConfig {
  /** Number of different image tokens. The begin token comes after them. */
  readonly vocabularySize: number;
  /**
   * Rows of the token embeddings and columns of the logits: image tokens, the begin token, and padding that nothing uses.
   * Default `vocabularySize + 1`.
   */
  readonly paddedVocabularySize?: number;
  /** Width and height of the token grid: `gridSize²` tokens are written. */
  readonly gridSize: number;
  /** Width of the decoder's hidden states (`d_model`). */
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  /** Width inside the feed-forward layers. */
  readonly feedForwardWidth: number;
  /** Width of the text encoder's hidden states. */
  readonly textWidth: number;
  /** Default `normformer` (Shleifer et al. 2021): before and after attention, before and inside the feed-forward layer. */
  readonly normPositions?: NormPositions;
  /** Default `layernorm`. */
  readonly norm?: 'layernorm' | 'rmsnorm';
  /** Whether norms that a linear layer follows have a scale too. Default false: the linear layer can do its work. */
  readonly forceNormScale?: boolean;
  /** Whether the hidden states are normalized before the head. Default true, which `postln` always does. */
  readonly finalNorm?: boolean;
  /** Whether the feed-forward layer is a gated linear unit (Shazeer 2020). Default true. */
  readonly gated?: boolean;
  /** Default `gelu`. */
  readonly activation?: 'gelu' | 'relu' | 'swish';
  /** Whether linear layers have a bias. Default false. */
  readonly bias?: boolean;
  /** Whether each head's result has a learned scale (NormFormer's HeadScale). Default false. */
  readonly headScale?: boolean;
  /** Whether token embeddings are multiplied by √width. Default false. */
  readonly scaleEmbedding?: boolean;
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
  },
} as const satisfies Record<string, DecoderConfig>;

const choices = {
  normPositions: ['normformer', 'preln', 'postln', 'cogview', 'swinv2', 'subln'],
  norm: ['layernorm', 'rmsnorm'],
  activation: ['gelu', 'relu', 'swish'],
} as const;

/**
 * Checks a configuration read from a file.
 *
 * @throws RangeError that names the field, what it may be, and what it is.
 */
export function checkDecoderConfig(config: DecoderConfig): void {
  const fail = (field: keyof DecoderConfig, wanted: string) => {
    const value = config[field] as unknown;
    // Not JSON for numbers, where NaN would be null.
    const given = typeof value === 'number' ? value : JSON.stringify(value);
    throw new RangeError(`decoder config: ${field} must be ${wanted}, not ${given}`);
  };
  for (const field of [
    'vocabularySize',
    'gridSize',
    'width',
    'layers',
    'heads',
    'feedForwardWidth',
    'textWidth',
  ] as const) {
    if (!Number.isSafeInteger(config[field]) || config[field] < 1) fail(field, 'a positive whole number');
  }
  const { vocabularySize, paddedVocabularySize } = config;
  if (
    paddedVocabularySize !== undefined &&
    !(Number.isSafeInteger(paddedVocabularySize) && paddedVocabularySize > vocabularySize)
  )
    fail('paddedVocabularySize', `a whole number above the ${vocabularySize} image tokens`);
  if (config.width % config.heads !== 0) fail('width', `a multiple of the ${config.heads} heads`);
  for (const field of ['normPositions', 'norm', 'activation'] as const) {
    const allowed: readonly unknown[] = choices[field];
    if (config[field] !== undefined && !allowed.includes(config[field])) fail(field, `one of ${allowed.join(', ')}`);
  }
  for (const field of [
    'forceNormScale',
    'finalNorm',
    'gated',
    'bias',
    'headScale',
    'scaleEmbedding',
    'tieEmbeddings',
  ] as const) {
    if (config[field] !== undefined && typeof config[field] !== 'boolean') fail(field, 'true or false');
  }
  // As the published code demands: the last block's norm is the final one.
  if (config.normPositions === 'postln' && config.finalNorm === false)
    fail('finalNorm', 'true where normPositions is postln');
}

import { boolean, type Fields, number, oneOf, optional, refuse, sizeFields } from '@dalle-mini/core';
import { activationNames } from './options/activations.js';

/** Where a layer normalizes: the `ln_positions` of the published code. `options/norms.ts` says what they mean. */
export const normPositions = ['normformer', 'preln', 'postln', 'cogview', 'swinv2', 'subln'] as const;

/** The sizes and options of a stack of layers. Options that are left out have the values of the published DALL·E Mini. */
export interface TransformerConfig {
  /** Width of the hidden states (`d_model`). */
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  /** Width inside the feed-forward layers. */
  readonly feedForwardWidth: number;
  /** Default `normformer` (Shleifer et al. 2021): before and after attention, before and inside the feed-forward layer. */
  readonly normPositions?: (typeof normPositions)[number] | undefined;
  /** Default `layernorm`. */
  readonly norm?: 'layernorm' | 'rmsnorm' | undefined;
  /** Whether norms that a linear layer follows have a scale too. Default false: the linear layer can do its work. */
  readonly forceNormScale?: boolean | undefined;
  /** Whether the last hidden states are normalized. Default true, which `postln` always does. */
  readonly finalNorm?: boolean | undefined;
  /** Whether the feed-forward layer is a gated linear unit (Shazeer 2020). Default true. */
  readonly gated?: boolean | undefined;
  /** Default `gelu`, which is exact. */
  readonly activation?: (typeof activationNames)[number] | undefined;
  /** Whether linear layers have a bias. Default false. */
  readonly bias?: boolean | undefined;
  /** Whether the result of each head has a learned scale (NormFormer's HeadScale). Default false. */
  readonly headScale?: boolean | undefined;
  /** Whether token embeddings are multiplied by √width. Default false. */
  readonly scaleEmbedding?: boolean | undefined;
  /** Whether each position has a learned embedding. Default true. */
  readonly absolutePositions?: boolean | undefined;
  /** Whether attention has a learned bias for each pair of positions and each head, as in Swin (Liu et al. 2021). Default false. */
  readonly relativePositions?: boolean | undefined;
  /** Whether attention goes by the cosine of queries and keys, as in Swin v2 (Liu et al. 2022). Default false. */
  readonly cosineAttention?: boolean | undefined;
  /** What cosines are divided by; not learned. Default 0.05. */
  readonly tau?: number | undefined;
  /** Whether residual branches and first weights are scaled as in DeepNet (Wang et al. 2022), by the depths. Default false. */
  readonly deepnetScaling?: boolean | undefined;
  /** Whether first weights are scaled as in sub-LN (Magneto, Wang et al. 2022), where DeepNet's scaling is not. Default false. */
  readonly sublnInit?: boolean | undefined;
  /** Standard deviation of the first weights. Default 0.02. */
  readonly initStd?: number | undefined;
}

export const transformerFields: Fields<TransformerConfig> = {
  width: sizeFields.width,
  layers: sizeFields.layers,
  heads: sizeFields.heads,
  feedForwardWidth: sizeFields.width,
  normPositions: optional(oneOf(normPositions)),
  norm: optional(oneOf(['layernorm', 'rmsnorm'])),
  forceNormScale: optional(boolean()),
  finalNorm: optional(boolean()),
  gated: optional(boolean()),
  activation: optional(oneOf(activationNames)),
  bias: optional(boolean()),
  headScale: optional(boolean()),
  scaleEmbedding: optional(boolean()),
  absolutePositions: optional(boolean()),
  relativePositions: optional(boolean()),
  cosineAttention: optional(boolean()),
  tau: optional(number({ above: 0 })),
  deepnetScaling: optional(boolean()),
  sublnInit: optional(boolean()),
  initStd: optional(number({ above: 0 })),
};

/** What a configuration has where it leaves an option out, here and in the published code. */
export const transformerDefaults = {
  normPositions: 'normformer',
  norm: 'layernorm',
  forceNormScale: false,
  finalNorm: true,
  gated: true,
  activation: 'gelu',
  bias: false,
  headScale: false,
  scaleEmbedding: false,
  absolutePositions: true,
  relativePositions: false,
  cosineAttention: false,
  tau: 0.05,
  deepnetScaling: false,
  sublnInit: false,
  initStd: 0.02,
} as const satisfies Partial<TransformerConfig>;

/** Checks the fields of a configuration against each other: a `check` of core's `object`. */
export function checkTransformer(config: TransformerConfig, at: (name: keyof TransformerConfig) => string): void {
  const { width, heads, normPositions, finalNorm } = config;
  if (width % heads !== 0) refuse(at('width'), `a multiple of the ${heads} heads`, width);
  // As in the published code: the norm of the last layer is the final one.
  if (normPositions === 'postln' && finalNorm === false)
    refuse(at('finalNorm'), 'true where normPositions is "postln"', finalNorm);
}

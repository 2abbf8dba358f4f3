import type { Complete } from '@dalle-mini/core';
import type { Initializer } from '@dalle-mini/graph';
import { normal } from '@dalle-mini/graph/initializers';
import type { LinearOptions } from '@dalle-mini/graph/layers';
import { type TransformerConfig, transformerDefaults } from './config.js';
import { type Depths, gains } from './options/scaling.js';

/** What a stack of layers reads. */
export interface StackInput {
  /** Rows of the token embeddings. */
  readonly tokens: number;
  /** Number of positions. */
  readonly positions: number;
  /** Number of positions of the captions that a decoder attends to. Only relative positions need it. */
  readonly textPositions?: number | undefined;
  /** Layers of both stacks. Only DeepNet's scaling and sub-LN's first weights depend on those of the other. */
  readonly depths: Depths;
  /** Whether each token of a decoder attends to those after it too. Default false. */
  readonly bidirectional?: boolean | undefined;
  /** How often the weights of attention are normalized, along rows and columns in turn. Default 1, softmax. */
  readonly sinkhornIterations?: number | undefined;
}

/** A configuration, all of it, and what follows from the stack that it is of. */
export interface Stack extends Complete<TransformerConfig>, StackInput {
  readonly kind: 'encoder' | 'decoder';
  readonly sinkhornIterations: number;
  /** What `x` is multiplied by in `x + h`: 1 without DeepNet's scaling. */
  readonly residualGain: number;
  /** How embeddings start. */
  readonly initializer: Initializer;
  /** Queries and keys: whether they have a bias, and how they start. */
  readonly linear: LinearOptions;
  /** Values, outputs and feed-forward layers, whose first weights DeepNet and sub-LN scale. */
  readonly scaledLinear: LinearOptions;
  /** Values and outputs of cross-attention, whose first weights only DeepNet scales. */
  readonly crossLinear: LinearOptions;
}

export function createStack(kind: Stack['kind'], config: TransformerConfig, input: StackInput): Stack {
  const given = Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
  const complete = { ...transformerDefaults, ...given } as Complete<TransformerConfig>;
  const { bias, initStd, deepnetScaling } = complete;
  const { residual, initial } = gains(kind, complete, input.depths);
  const linear = (gain: number): LinearOptions => ({ bias, initializer: normal(gain * initStd) });
  return {
    ...complete,
    ...input,
    kind,
    sinkhornIterations: input.sinkhornIterations ?? 1,
    residualGain: residual,
    initializer: normal(initStd),
    linear: linear(1),
    scaledLinear: linear(initial),
    crossLinear: linear(deepnetScaling ? initial : 1),
  };
}

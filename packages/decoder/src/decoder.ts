/**
 * DALL·E Mini's decoder, as `modeling.py` of the published code: a BART-like transformer that writes image tokens and attends
 * to a caption. Parameters are named as in kuprel/min-dalle. One definition serves training, where all positions are given,
 * and decoding, where they come one by one: they differ only in what self-attention attends to.
 */
import {
  add,
  cast,
  concat,
  constant,
  dotProductAttention,
  embedding,
  fill,
  gelu,
  type Initializer,
  input,
  layerNorm,
  linear,
  matmul,
  mergeHeads,
  mul,
  normal,
  ones,
  ParameterScope,
  range,
  relu,
  reshape,
  rmsNorm,
  sliceAxis,
  splitHeads,
  swish,
  type Tensor,
} from '@dalle-mini/graph';
import type { DecoderConfig, NormPositions } from './config.js';

const initializer: Initializer = normal(0.02);

/** Keys and values of one layer's attention, each `[batch, heads, length, size]`. */
export interface KeysAndValues {
  readonly keys: Tensor;
  readonly values: Tensor;
}

/** The caption as each layer attends to it. */
export interface TextMemory {
  readonly layers: readonly KeysAndValues[];
  /** bool `[batch, 1, 1, length]`: false where there is padding. */
  readonly mask: Tensor;
}

/**
 * How the given positions attend to those before them and to themselves: from a layer's number, and the given positions'
 * queries, keys and values, to what they attend to, `[batch, heads, length, size]`.
 */
export type SelfAttention = (layer: number, queries: Tensor, given: KeysAndValues) => Tensor;

/** The token that stands before the first image token. */
export const beginToken = (config: DecoderConfig): number => config.vocabularySize;

/** Columns of the logits: image tokens, the begin token, and padding. */
export const logitsWidth = (config: DecoderConfig): number => config.paddedVocabularySize ?? config.vocabularySize + 1;

/** Each layer's cross-attention keys and values, from hidden states `[batch, length, textWidth]`: computed once a caption. */
export function readText(scope: ParameterScope, config: DecoderConfig, hiddenStates: Tensor): KeysAndValues[] {
  return Array.from({ length: config.layers }, (_, layer) => {
    const attention = scope.in('layers').in(layer).in('encoder_attn');
    return {
      keys: splitHeads(dense(attention.in('k_proj'), config, hiddenStates, config.width), config.heads),
      values: splitHeads(dense(attention.in('v_proj'), config, hiddenStates, config.width), config.heads),
    };
  });
}

/**
 * Logits of what follows each of some tokens, int32 `[batch, length]`, at their positions, int32 `[length]`:
 * `[batch, length, vocabularySize + 1]`, or `[batch, length, paddedVocabularySize]`. The columns after those of the image
 * tokens are the begin token's and padding, which are never to be drawn.
 */
export function decoder(
  scope: ParameterScope,
  config: DecoderConfig,
  tokens: Tensor,
  positions: Tensor,
  text: TextMemory,
  attention: SelfAttention,
): Tensor {
  const { width, gridSize, tieEmbeddings = false, scaleEmbedding = false, finalNorm = true } = config;
  const tokenScope = scope.in('embed_tokens');
  const embedded = embedding(tokenScope, tokens, logitsWidth(config), width, initializer);
  const places = embedding(scope.in('embed_positions'), positions, gridSize ** 2, width, initializer);
  let x = add(scaleEmbedding ? mul(embedded, Math.sqrt(width)) : embedded, places);
  x = norm(scope.in('layernorm_embedding'), config, x, true);
  for (let layer = 0; layer < config.layers; layer++) {
    x = block(scope.in('layers').in(layer), config, x, text, attention, layer);
  }
  if (finalNorm && config.normPositions !== 'postln')
    x = norm(scope.in('final_ln'), config, x, config.forceNormScale ?? false);
  if (!tieEmbeddings) return dense(scope.in('lm_head'), config, x, logitsWidth(config), false);
  return matmul(x, tokenScope.parameter('weight', [logitsWidth(config), width], initializer), { transposeB: true });
}

/** Where a block of each kind has its norms. */
type NormPlace = 'before' | 'inside' | 'after' | 'after sum';

/** Where a block of each kind has its norms, as published. In `subln` cross-attention has none, and self-attention none before it. */
const placement: Record<NormPositions, { attention: readonly NormPlace[]; feedForward: readonly NormPlace[] }> = {
  normformer: { attention: ['before', 'after'], feedForward: ['before', 'inside'] },
  cogview: { attention: ['before', 'after'], feedForward: ['before', 'after'] },
  preln: { attention: ['before'], feedForward: ['before'] },
  subln: { attention: ['inside'], feedForward: ['before', 'inside'] },
  swinv2: { attention: ['after'], feedForward: ['after'] },
  postln: { attention: ['after sum'], feedForward: ['after sum'] },
};

const placementOf = (config: DecoderConfig) => placement[config.normPositions ?? 'normformer'];

function block(
  scope: ParameterScope,
  config: DecoderConfig,
  hiddenStates: Tensor,
  text: TextMemory,
  attention: SelfAttention,
  layer: number,
): Tensor {
  const { heads, width } = config;
  const normInside = placementOf(config).attention.includes('inside');
  let x = residual(scope, 'self_attn_layer_norm', config, hiddenStates, (h) => {
    const self = scope.in('self_attn');
    const project = (name: string) => splitHeads(dense(self.in(name), config, h, width), heads);
    const given = { keys: project('k_proj'), values: project('v_proj') };
    return attentionOutput(self, config, attention(layer, project('q_proj'), given), normInside);
  });
  x = residual(scope, 'encoder_attn_layer_norm', config, x, (h) => {
    const cross = scope.in('encoder_attn');
    const { keys, values } = text.layers[layer]!;
    const queries = splitHeads(dense(cross.in('q_proj'), config, h, width), heads);
    return attentionOutput(cross, config, dotProductAttention(queries, keys, values, text.mask), false);
  });
  return feedForwardHalf(scope, config, x, layer);
}

/** x + norm(f(norm(x))), with the norms that the configuration has. */
function residual(
  scope: ParameterScope,
  name: string,
  config: DecoderConfig,
  x: Tensor,
  f: (h: Tensor) => Tensor,
): Tensor {
  const places = placementOf(config).attention;
  let h = places.includes('before') ? norm(scope.in(`pre_${name}`), config, x, config.forceNormScale ?? false) : x;
  h = f(h);
  if (places.includes('after')) h = norm(scope.in(name), config, h, true);
  const sum = add(x, h);
  return places.includes('after sum') ? norm(scope.in(name), config, sum, true) : sum;
}

function attentionOutput(scope: ParameterScope, config: DecoderConfig, attended: Tensor, normalized: boolean): Tensor {
  const { headScale = false, heads, width } = config;
  const scaled = headScale
    ? mul(attended, reshape(scope.parameter('head_scale', [heads], ones), [heads, 1, 1]))
    : attended;
  const merged = mergeHeads(scaled);
  const h = normalized ? norm(scope.in('mid_layernorm'), config, merged, true) : merged;
  return dense(scope.in('out_proj'), config, h, width);
}

function feedForwardHalf(scope: ParameterScope, config: DecoderConfig, x: Tensor, layer: number): Tensor {
  const { feedForwardWidth, width, gated = true, forceNormScale = false, layers, normPositions } = config;
  const places = placementOf(config).feedForward;
  const half = scope.in('glu');
  let h = places.includes('before') ? norm(half.in('ln0'), config, x, forceNormScale) : x;
  h = gated
    ? mul(
        activation(config, dense(half.in('fc0'), config, h, feedForwardWidth)),
        dense(half.in('fc1'), config, h, feedForwardWidth),
      )
    : activation(config, dense(half.in('fc1'), config, h, feedForwardWidth));
  if (places.includes('inside')) h = norm(half.in('ln1'), config, h, forceNormScale);
  h = dense(half.in('fc2'), config, h, width);
  if (places.includes('after')) h = norm(half.in('ln2'), config, h, true);
  const sum = add(x, h);
  // Swin v2 normalizes the main branch after every sixth layer (Liu et al. 2022); the last has the final norm.
  const isSwinNorm = normPositions === 'swinv2' && (layer + 1) % 6 === 0 && layer !== layers - 1;
  return places.includes('after sum') || isSwinNorm ? norm(scope.in('final_layer_norm'), config, sum, true) : sum;
}

function activation(config: DecoderConfig, x: Tensor): Tensor {
  return { gelu, relu, swish }[config.activation ?? 'gelu'](x);
}

function norm(scope: ParameterScope, config: DecoderConfig, x: Tensor, scale: boolean): Tensor {
  return config.norm === 'rmsnorm'
    ? rmsNorm(scope, x, { scale, epsilon: 1e-5 })
    : layerNorm(scope, x, { scale, epsilon: 1e-5 });
}

function dense(
  scope: ParameterScope,
  config: DecoderConfig,
  x: Tensor,
  width: number,
  bias = config.bias ?? false,
): Tensor {
  return linear(scope, x, width, { bias, initializer });
}

/** A caption as training has it. */
export interface TextInput {
  /** `[batch, length, textWidth]`. */
  readonly hiddenStates: Tensor;
  /** int32 `[batch, length]`: 1 where a token stands, 0 where there is padding. */
  readonly attentionMask: Tensor;
}

/** The mask of cross-attention from an attention mask, int32 `[batch, length]`. */
export function textMask(attentionMask: Tensor): Tensor {
  const [batch, length] = attentionMask.shape as [number, number];
  return reshape(cast(attentionMask, 'bool'), [batch, 1, 1, length]);
}

/** Logits at every position when the right tokens, int32 `[batch, gridSize²]`, are given: for training, and for measuring. */
export function teacherForced(
  scope: ParameterScope,
  config: DecoderConfig,
  tokens: Tensor,
  caption: TextInput,
): Tensor {
  const text = { layers: readText(scope, config, caption.hiddenStates), mask: textMask(caption.attentionMask) };
  const [batch, length] = tokens.shape as [number, number];
  const before = concat([fill([batch, 1], beginToken(config), 'int32'), sliceAxis(tokens, 1, 0, length - 1)], 1);
  const causal = Uint8Array.from({ length: length * length }, (_, i) => (i % length <= Math.floor(i / length) ? 1 : 0));
  const mask = constant({ dtype: 'bool', shape: [length, length], data: causal });
  const attention: SelfAttention = (_, queries, { keys, values }) => dotProductAttention(queries, keys, values, mask);
  return decoder(scope, config, before, range(length), text, attention);
}

/** The parameters of a decoder of these sizes, by name: what its checkpoint must hold. */
export function decoderParameters(config: DecoderConfig): ReadonlyMap<string, Tensor> {
  const scope = new ParameterScope();
  const hiddenStates = input('hiddenStates', [1, 1, config.textWidth]);
  const attentionMask = input('attentionMask', [1, 1], 'int32');
  teacherForced(scope, config, input('tokens', [1, config.gridSize ** 2], 'int32'), { hiddenStates, attentionMask });
  return scope.parameters;
}

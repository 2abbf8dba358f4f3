/**
 * The transformer of DALL·E Mini: BART (Lewis et al. 2019) with the norms of NormFormer (Shleifer et al. 2021), gated linear units
 * (Shazeer 2020), learned positions and no biases. It computes what `modeling.py` of the published code does, and its parameters are named
 * as in kuprel/min-dalle.
 *
 * This page is what the published models do. The functions of `options/` give back what they are given there, or do what the comment
 * beside them says; they do other things in other configurations.
 */
import { add, cast, inLayer, mul, type ParameterScope, range, reshape, type Tensor } from '@dalle-mini/graph';
import {
  causalMask,
  dotProductAttention,
  embedding,
  type LinearOptions,
  linear,
  mergeHeads,
  splitHeads,
} from '@dalle-mini/graph/layers';
import { attendToRow, type KeysAndValues, type RowCache, writeColumn } from './key-value-cache.js';
import { activations } from './options/activations.js';
import { attendWithOptions, cosineKeys, cosineQueries, positionBias, scaleHeads } from './options/attention.js';
import { addAttention, addFeedForward, finalNorm, norm, normBefore, normInside } from './options/norms.js';
import type { Stack } from './stack.js';
import { tokenPositions } from './token-positions.js';

/** Reads captions: token ids and attention mask, int32 `[batch, length]`, to hidden states `[batch, length, width]`. */
export function encoder(scope: ParameterScope, stack: Stack, ids: Tensor, attentionMask: Tensor): Tensor {
  const mask = paddingMask(attentionMask); //                                         [batch, 1, 1, length]
  let x = embeddings(scope, stack, ids, tokenPositions(ids)); //                      [batch, length, width]
  for (let layer = 0; layer < stack.layers; layer++) {
    const at = scope.in('layers').in(layer);
    x = inLayer(at.path, () => encoderLayer(at, stack, layer, x, mask));
  }
  return finalNorm(scope.in('final_ln'), stack, x);
}

function encoderLayer(scope: ParameterScope, stack: Stack, layer: number, x: Tensor, mask: Tensor): Tensor {
  let h = normBefore(scope.in('pre_self_attn_layer_norm'), stack, 'attention', x); // norm(x)
  h = selfAttention(scope.in('self_attn'), stack, h, mask);
  x = addAttention(scope.in('self_attn_layer_norm'), stack, x, h); //                 x + norm(h)
  h = feedForward(scope.in('glu'), stack, x);
  return addFeedForward(scope, stack, layer, x, h); //                                x + h
}

/** The caption as each layer of the decoder attends to it. */
export interface TextMemory {
  readonly layers: readonly KeysAndValues[];
  /** bool `[batch, 1, 1, length]`: false at padding. */
  readonly mask: Tensor;
}

/** Keys and values for the cross-attention of each layer, from hidden states `[batch, length, any width]`: computed once a caption. */
export function readText(scope: ParameterScope, stack: Stack, hiddenStates: Tensor): KeysAndValues[] {
  const layers = Array.from({ length: stack.layers }, (_, layer) => scope.in('layers').in(layer));
  return layers.map((layer) => keysAndValues(layer.in('encoder_attn'), stack, hiddenStates, stack.crossLinear));
}

/**
 * Writes image tokens: tokens int32 `[batch, length]`, at positions int32 `[length]`, to hidden states `[batch, length, width]` from which
 * the token after each follows.
 *
 * In training all tokens of an image are given, and each attends to itself and those before it. In decoding one token is given, and it
 * attends to those in the cache of each layer. Keys and values of the given tokens, or of their row in the cache, come back too. In a
 * bidirectional stack each of the given tokens attends to all of them.
 */
export function decoder(
  scope: ParameterScope,
  stack: Stack,
  tokens: Tensor,
  positions: Tensor,
  text: TextMemory,
  caches?: readonly RowCache[],
): { readonly hiddenStates: Tensor; readonly written: readonly KeysAndValues[] } {
  const mask = stack.bidirectional ? undefined : causalMask(tokens.shape[1]!); //     [length, length]
  const written: KeysAndValues[] = [];
  let x = embeddings(scope, stack, tokens, positions); //                             [batch, length, width]
  for (let layer = 0; layer < stack.layers; layer++) {
    const at = scope.in('layers').in(layer);
    const past = { positions, mask, cache: caches?.[layer] };
    const result = inLayer(at.path, () => decoderLayer(at, stack, layer, x, past, text.layers[layer]!, text.mask));
    x = result.x;
    written.push(result.written);
  }
  return { hiddenStates: finalNorm(scope.in('final_ln'), stack, x), written };
}

function decoderLayer(
  scope: ParameterScope,
  stack: Stack,
  layer: number,
  x: Tensor,
  past: Past,
  text: KeysAndValues,
  textMask: Tensor,
): { readonly x: Tensor; readonly written: KeysAndValues } {
  let h = normBefore(scope.in('pre_self_attn_layer_norm'), stack, 'attention', x); //    norm(x)
  const { attended, written } = imageAttention(scope.in('self_attn'), stack, h, past);
  x = addAttention(scope.in('self_attn_layer_norm'), stack, x, attended); //             x + norm(h)

  h = normBefore(scope.in('pre_encoder_attn_layer_norm'), stack, 'attention', x); //     norm(x)
  h = crossAttention(scope.in('encoder_attn'), stack, h, past.positions, text, textMask);
  x = addAttention(scope.in('encoder_attn_layer_norm'), stack, x, h); //                 x + norm(h)

  h = feedForward(scope.in('glu'), stack, x);
  return { x: addFeedForward(scope, stack, layer, x, h), written }; //                   x + h
}

/** Embeddings of tokens and of positions, int32 `[batch, length]`, normalized: `[batch, length, width]`. */
function embeddings(scope: ParameterScope, stack: Stack, tokens: Tensor, positions: Tensor): Tensor {
  const { width, scaleEmbedding, absolutePositions, initializer, tokens: rows } = stack;
  let x = embedding(scope.in('embed_tokens'), tokens, rows, width, initializer);
  if (scaleEmbedding) x = mul(x, Math.sqrt(width));
  if (absolutePositions)
    x = add(x, embedding(scope.in('embed_positions'), positions, stack.positions, width, initializer));
  return norm(scope.in('layernorm_embedding'), stack, x, true);
}

/** Each token of a caption attends to all of its tokens that are not padding. */
function selfAttention(scope: ParameterScope, stack: Stack, x: Tensor, mask: Tensor): Tensor {
  const [length, counts] = [x.shape[1]!, { queries: stack.positions, keys: stack.positions }];
  const bias = positionBias(scope, stack, range(length), counts, length); //          none
  const own = keysAndValues(scope, stack, x, stack.scaledLinear); //                  [batch, heads, length, size]
  const h = attend(stack, queries(scope, stack, x), own, mask, bias); //              [batch, heads, length, size]
  const merged = normInside(scope.in('mid_layernorm'), stack, 'attention', merge(scope, stack, h));
  return linear(scope.in('out_proj'), merged, stack.width, stack.scaledLinear); //    [batch, length, width]
}

/** What an image token can attend to: those before it, by the mask or in the cache. */
interface Past {
  /** int32 `[length]`: of the given tokens. */
  readonly positions: Tensor;
  /** bool `[length, length]`, for when all tokens are given. Missing if each attends to all. */
  readonly mask: Tensor | undefined;
  readonly cache: RowCache | undefined;
}

/** Each image token attends to itself and to those before it, or to all. */
function imageAttention(
  scope: ParameterScope,
  stack: Stack,
  x: Tensor,
  { positions, mask, cache }: Past,
): { readonly attended: Tensor; readonly written: KeysAndValues } {
  const own = keysAndValues(scope, stack, x, stack.scaledLinear); //                  [batch, heads, length, size]
  const bias = positionBias(scope, stack, positions, { queries: stack.positions, keys: stack.positions }); // none
  const q = queries(scope, stack, x); //                                              [batch, heads, length, size]
  const written = cache ? writeColumn(cache, own) : own;
  const h = cache ? attendToRow(q, written, cache, bias) : attend(stack, q, own, mask, bias);
  const merged = normInside(scope.in('mid_layernorm'), stack, 'attention', merge(scope, stack, h));
  return { attended: linear(scope.in('out_proj'), merged, stack.width, stack.scaledLinear), written };
}

/** Each image token attends to all tokens of its caption that are not padding. */
function crossAttention(
  scope: ParameterScope,
  stack: Stack,
  x: Tensor,
  positions: Tensor,
  text: KeysAndValues,
  mask: Tensor,
): Tensor {
  const length = text.keys.shape[2]!;
  const counts = { queries: stack.positions, keys: stack.textPositions ?? length };
  const bias = positionBias(scope, stack, positions, counts, length); //              none
  const h = attend(stack, queries(scope, stack, x), text, mask, bias); //             [batch, heads, length, size]
  return linear(scope.in('out_proj'), merge(scope, stack, h), stack.width, stack.crossLinear);
}

/** `[batch, length, width]` to `[batch, heads, length, size]`. */
function queries(scope: ParameterScope, stack: Stack, x: Tensor): Tensor {
  const q = linear(scope.in('q_proj'), x, stack.width, stack.linear); //              [batch, length, width]
  return cosineQueries(stack, splitHeads(q, stack.heads));
}

/** `[batch, length, any width]` to keys and values `[batch, heads, length, size]`. */
function keysAndValues(scope: ParameterScope, stack: Stack, x: Tensor, ofValues: LinearOptions): KeysAndValues {
  const k = linear(scope.in('k_proj'), x, stack.width, stack.linear); //              [batch, length, width]
  const v = linear(scope.in('v_proj'), x, stack.width, ofValues); //                  [batch, length, width]
  return { keys: cosineKeys(stack, splitHeads(k, stack.heads)), values: splitHeads(v, stack.heads) };
}

/** softmax(q · kᵀ / √size) · v for each head. The mask broadcasts to `[batch, heads, m, n]`, and is true where attention may go. */
function attend(
  stack: Stack,
  q: Tensor,
  memory: KeysAndValues,
  mask: Tensor | undefined,
  bias: Tensor | undefined,
): Tensor {
  if (bias || stack.sinkhornIterations > 1) return attendWithOptions(stack, q, memory, mask, bias);
  return dotProductAttention(q, memory.keys, memory.values, mask);
}

/** The heads side by side: `[batch, heads, length, size]` to `[batch, length, width]`. */
function merge(scope: ParameterScope, stack: Stack, h: Tensor): Tensor {
  return mergeHeads(scaleHeads(scope, stack, h));
}

/** A gated linear unit: fc2(norm(gelu(fc0 x) · fc1 x)), of the normalized x `[batch, length, width]`. */
function feedForward(scope: ParameterScope, stack: Stack, x: Tensor): Tensor {
  const { width, feedForwardWidth, gated } = stack;
  const activation = activations[stack.activation]; //                                gelu
  const widen = (name: string) => linear(scope.in(name), h, feedForwardWidth, stack.scaledLinear);
  let h = normBefore(scope.in('ln0'), stack, 'feedForward', x); //                    [batch, length, width]
  h = gated ? mul(activation(widen('fc0')), widen('fc1')) : activation(widen('fc1')); // [batch, length, feedForwardWidth]
  h = normInside(scope.in('ln1'), stack, 'feedForward', h);
  return linear(scope.in('fc2'), h, width, stack.scaledLinear); //                    [batch, length, width]
}

/** bool `[batch, 1, 1, length]` of an attention mask, int32 `[batch, length]`: false at padding. */
export function paddingMask(attentionMask: Tensor): Tensor {
  const [batch, length] = attentionMask.shape as [number, number];
  return reshape(cast(attentionMask, 'bool'), [batch, 1, 1, length]);
}

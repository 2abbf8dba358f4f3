import { add, type ParameterScope, type Tensor } from '@dalle-mini/graph';
import { dotProductAttention, layerNorm, linear, mergeHeads, splitHeads } from '@dalle-mini/graph/layers';
import { activations } from '@dalle-mini/transformer';
import type { ClipTransformerConfig } from './config.js';

/**
 * Computes the hidden states of one of CLIP's two transformers: `[batch, length, width]` before the first layer, then after each layer.
 *
 * @param mask Broadcasts to `[batch, heads, length, length]`; a query attends only to keys whose mask is true.
 */
export function clipTransformer(
  scope: ParameterScope,
  config: ClipTransformerConfig,
  x: Tensor,
  mask?: Tensor,
): readonly Tensor[] {
  const states = [x];
  for (let layer = 0; layer < config.layers; layer++)
    states.push(transformerLayer(scope.in('layers').in(layer), config, states.at(-1)!, mask));
  return states;
}

/** Pre-norm: each half normalizes its input and adds its result to it. */
function transformerLayer(scope: ParameterScope, config: ClipTransformerConfig, x: Tensor, mask?: Tensor): Tensor {
  const { heads, width, feedForwardWidth, layerNormEpsilon: epsilon, activation } = config;
  const attention = scope.in('self_attn');
  const normalized = layerNorm(scope.in('layer_norm1'), x, { epsilon });
  const [queries, keys, values] = ['q_proj', 'k_proj', 'v_proj'].map((name) =>
    splitHeads(linear(attention.in(name), normalized, width), heads),
  ) as [Tensor, Tensor, Tensor];
  const context = mergeHeads(dotProductAttention(queries, keys, values, mask));
  const middle = add(x, linear(attention.in('out_proj'), context, width));

  const mlp = scope.in('mlp');
  const widened = linear(mlp.in('fc1'), layerNorm(scope.in('layer_norm2'), middle, { epsilon }), feedForwardWidth);
  return add(middle, linear(mlp.in('fc2'), activations[activation](widened), width));
}

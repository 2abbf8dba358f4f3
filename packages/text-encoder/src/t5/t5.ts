/** The encoder of T5 (Raffel et al. 2020) as a function from graph to graph; parameters are named as in Hugging Face's `T5EncoderModel`. */
import {
  add,
  cast,
  type Graph,
  GraphError,
  inLayer,
  input,
  logicalNot,
  matmul,
  mul,
  ParameterScope,
  reshape,
  softmax,
  type Tensor,
} from '@dalle-mini/graph';
import { embedding, linear, mergeHeads, rmsNorm, splitHeads } from '@dalle-mini/graph/layers';
import { activations } from '@dalle-mini/transformer';
import { relativePositionBias } from '../relative-position-bias.js';
import type { T5Config } from './config.js';

/**
 * Builds the encoder of a T5: token ids and attention mask, int32 `[batch, length]`, to the last hidden states `[batch, length, width]`.
 * Norms divide by the root of the mean square, attention does not scale its scores, and positions are biases of these, which all layers
 * share.
 *
 * @throws GraphError if `length` is greater than `positions`.
 */
export function t5(scope: ParameterScope, config: T5Config, ids: Tensor, attentionMask: Tensor): Tensor {
  const [batch, length] = ids.shape as [number, number];
  const { positions, vocabularySize, width, layers, heads, relativeBuckets, maxDistance, normEpsilon } = config;
  if (length > positions)
    throw new GraphError(`The length of captions must be at most ${positions} tokens, not ${length}.`);
  const encoder = scope.in('encoder');
  const blocks = encoder.in('block');
  const biasScope = blocks.in(0).in('layer').in(0).in('SelfAttention').in('relative_attention_bias');
  const bias = relativePositionBias(biasScope, ids, { heads, buckets: relativeBuckets, maxDistance });
  const isPadding = cast(logicalNot(cast(attentionMask, 'bool')), 'float32');
  // Not −∞: for a caption that is all padding, softmax would compute −∞ − −∞, which is NaN.
  const scoreBias = add(bias, reshape(mul(isPadding, -1e9), [batch, 1, 1, length])); // [batch, heads, length, length]
  let x = embedding(scope.in('shared'), ids, vocabularySize, width);
  for (let layer = 0; layer < layers; layer++) {
    const at = blocks.in(layer);
    x = inLayer(at.path, () => t5Block(at.in('layer'), config, x, scoreBias));
  }
  return rmsNorm(encoder.in('final_layer_norm'), x, { epsilon: normEpsilon });
}

/** Pre-norm: each half normalizes its input and adds its result to it. */
function t5Block(scope: ParameterScope, config: T5Config, x: Tensor, scoreBias: Tensor): Tensor {
  const { heads, headWidth, width, normEpsilon: epsilon } = config;
  const attention = scope.in(0).in('SelfAttention');
  const normalized = rmsNorm(scope.in(0).in('layer_norm'), x, { epsilon });
  const project = (name: string) => splitHeads(withoutBias(attention.in(name), normalized, heads * headWidth), heads);
  const scores = add(matmul(project('q'), project('k'), { transposeB: true }), scoreBias);
  const context = mergeHeads(matmul(softmax(scores), project('v')));
  const middle = add(x, withoutBias(attention.in('o'), context, width));
  const widened = rmsNorm(scope.in(1).in('layer_norm'), middle, { epsilon });
  return add(middle, t5FeedForward(scope.in(1).in('DenseReluDense'), config, widened));
}

function t5FeedForward(scope: ParameterScope, { feedForward, feedForwardWidth, width }: T5Config, x: Tensor): Tensor {
  const widened =
    feedForward === 'relu'
      ? activations.relu(withoutBias(scope.in('wi'), x, feedForwardWidth))
      : mul(
          activations.gelu_new(withoutBias(scope.in('wi_0'), x, feedForwardWidth)),
          withoutBias(scope.in('wi_1'), x, feedForwardWidth),
        );
  return withoutBias(scope.in('wo'), widened, width);
}

const withoutBias = (scope: ParameterScope, x: Tensor, width: number) => linear(scope, x, width, { bias: false });

/**
 * Builds the graph of {@link t5}: from `ids` and `attentionMask`, int32 `[batch, length]`, to `hiddenStates` `[batch, length, width]`. The
 * length is dynamic, up to the given one.
 *
 * @throws GraphError if `length` is greater than `positions`.
 */
export function t5Graph(config: T5Config, batch: number, length: number): Graph {
  const ids = input('ids', [batch, length], 'int32', { dynamic: 1 });
  const attentionMask = input('attentionMask', [batch, length], 'int32', { dynamic: 1 });
  const hiddenStates = t5(new ParameterScope(), config, ids, attentionMask);
  return { inputs: { ids, attentionMask }, outputs: { hiddenStates } };
}

/**
 * The text encoder of CLIP (Radford et al. 2021) as functions from graph to graph; parameters are named as in Hugging Face's
 * `CLIPTextModelWithProjection`.
 */
import {
  add,
  argmax,
  constant,
  type Graph,
  gather,
  input,
  ParameterScope,
  reshape,
  sliceAxis,
  type Tensor,
} from '@dalle-mini/graph';
import { normal } from '@dalle-mini/graph/initializers';
import { causalMask, embedding, layerNorm, linear } from '@dalle-mini/graph/layers';
import type { ClipTextConfig } from './config.js';
import { clipTransformer } from './transformer.js';

/** What CLIP's text encoder computes of captions of `length` tokens. */
export interface ClipTextOutputs {
  /** The last hidden states, normalized: `[batch, length, width]`. */
  readonly last: Tensor;
  /** The hidden states before the last layer, not normalized: `[batch, length, width]`. Generators of images attend to them. */
  readonly penultimate: Tensor;
  /**
   * The last hidden state at each caption's first end token, the largest id of the vocabulary, projected into the space that captions
   * share with images: `[batch, projectionSize]`. Without a projection it is the state itself, `[batch, width]`.
   */
  readonly pooled: Tensor;
}

/**
 * Builds CLIP's text encoder: token ids, int32 `[batch, length]`, to its outputs. Each token sees those before it and itself, so what
 * follows the end token changes nothing before it.
 *
 * @throws GraphError if `length` is past `maxLength`.
 */
export function clipText(scope: ParameterScope, config: ClipTextConfig, ids: Tensor): ClipTextOutputs {
  const { text: sizes, vocabularySize, maxLength, projectionSize } = config;
  const length = ids.shape[1]!;
  const model = scope.in('text_model');
  const tokens = embedding(model.in('embeddings').in('token_embedding'), ids, vocabularySize, sizes.width);
  const table = model
    .in('embeddings')
    .in('position_embedding')
    .parameter('weight', [maxLength, sizes.width], normal(0.02));
  const embedded = add(tokens, sliceAxis(table, 0, 0, length));
  const states = clipTransformer(model.in('encoder'), sizes, embedded, causalMask(length));
  const last = layerNorm(model.in('final_layer_norm'), states.at(-1)!, { epsilon: sizes.layerNormEpsilon });
  const ends = statesAtEnd(last, ids);
  const pooled =
    projectionSize === undefined ? ends : linear(scope.in('text_projection'), ends, projectionSize, { bias: false });
  return { last, penultimate: states.at(-2)!, pooled };
}

/** `[batch, length, width]` and ids `[batch, length]` to `[batch, width]`. */
function statesAtEnd(states: Tensor, ids: Tensor): Tensor {
  const [batch, length] = ids.shape as [number, number];
  const firstRows = Int32Array.from({ length: batch }, (_, row) => row * length);
  const ends = add(argmax(ids), constant({ dtype: 'int32', shape: [batch], data: firstRows }));
  return gather(reshape(states, [batch * length, -1]), ends);
}

/** Which hidden states of CLIP a decoder attends to. */
export type ClipTextLayer = 'last' | 'penultimate';

/**
 * Builds the graph of {@link clipText}: from `ids` and `attentionMask`, int32 `[batch, length]`, to `hiddenStates` `[batch, length, width]`
 * and `pooled`. The mask changes nothing, because no token attends to the padding after it.
 *
 * @throws GraphError if `length` is past `maxLength`.
 */
export function clipTextGraph(config: ClipTextConfig, layer: ClipTextLayer, batch: number, length: number): Graph {
  const ids = input('ids', [batch, length], 'int32');
  const attentionMask = input('attentionMask', [batch, length], 'int32');
  const { pooled, ...states } = clipText(new ParameterScope(), config, ids);
  return { inputs: { ids, attentionMask }, outputs: { hiddenStates: states[layer], pooled } };
}

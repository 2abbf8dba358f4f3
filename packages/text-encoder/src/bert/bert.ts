import {
  add,
  cast,
  constant,
  cumsum,
  equal,
  type Graph,
  GraphError,
  gather,
  inLayer,
  input,
  logicalNot,
  mul,
  ParameterScope,
  reshape,
  sliceAxis,
  type Tensor,
} from '@dalle-mini/graph';
import { normal } from '@dalle-mini/graph/initializers';
import { dotProductAttention, embedding, layerNorm, linear, mergeHeads, splitHeads } from '@dalle-mini/graph/layers';
import { activations, tokenPositions } from '@dalle-mini/transformer';
import { relativePositionBias } from '../relative-position-bias.js';
import { type BertFamily, bertNames } from './names.js';

/** The activations of {@link BertConfig}. `gelu` is exact; `gelu_fast`, `gelu_new` and `gelu_pytorch_tanh` use tanh. */
export const bertActivations = [
  'gelu',
  'gelu_fast',
  'gelu_new',
  'gelu_pytorch_tanh',
  'quick_gelu',
  'relu',
  'silu',
  'swish',
  'tanh',
] as const;

/** Sizes and options of a BERT or a related model. */
export interface BertConfig {
  /** The family of the model, which decides the names of its parameters. Default `bert`. */
  readonly family?: BertFamily | undefined;
  readonly vocabularySize: number;
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  /** Width of the feed-forward layers, usually four times the hidden size. */
  readonly feedForwardWidth: number;
  /** Number of positions: the longest caption in tokens. */
  readonly positions: number;
  /**
   * For RoBERTa and MPNet: the id of the padding token, which has no position. The positions of the other tokens start after this
   * number. By default every token has a position.
   */
  readonly paddingId?: number | undefined;
  /** For DistilBERT: uses sines and cosines (Vaswani et al. 2017) instead of learned positions. Default false. */
  readonly sinusoidalPositions?: boolean | undefined;
  /** For MPNet: the number of relative positions that have a bias of their own. By default there are no biases. */
  readonly relativeBuckets?: number | undefined;
  /** Number of sentence types, if the model has them. Captions have type 0. */
  readonly tokenTypes: number;
  readonly layerNormEpsilon: number;
  /** Activation of the feed-forward layers. Default `gelu`. */
  readonly activation?: (typeof bertActivations)[number] | undefined;
  /** For BART: multiplies token embeddings by √width. Default false. */
  readonly scaleEmbedding?: boolean | undefined;
}

/**
 * Builds BERT (Devlin et al. 2018), RoBERTa (Liu et al. 2019), DistilBERT (Sanh et al. 2019), MPNet (Song et al. 2020) or
 * the encoder of BART (Lewis et al. 2019), which differ in their embeddings, and MPNet also in biases of relative
 * positions: from token ids and attention mask, int32 `[batch, length]`, to the last hidden states `[batch, length, width]`.
 * Parameters are named as in Hugging Face's `BertModel`, `RobertaModel`, `DistilBertModel`, `MPNetModel` and `BartEncoder`.
 *
 * @throws GraphError if `length` is greater than `positions`.
 */
export function bert(scope: ParameterScope, config: BertConfig, ids: Tensor, attentionMask: Tensor): Tensor {
  const [batch, length] = ids.shape as [number, number];
  if (length > config.positions)
    throw new GraphError(`The length of captions must be at most ${config.positions} tokens, not ${length}.`);
  // Each query attends to every token that is not padding.
  const mask = reshape(cast(attentionMask, 'bool'), [batch, 1, 1, length]);
  const bias = relativeBias(scope, config, ids);
  let hidden = bertEmbeddings(scope, config, ids);
  const layers = scope.in(namesOf(config).layers);
  for (let layer = 0; layer < config.layers; layer++) {
    const at = layers.in(layer);
    hidden = inLayer(at.path, () => bertLayer(at, config, hidden, mask, bias));
  }
  return hidden;
}

/**
 * Builds the graph of {@link bert}: from `ids` and `attentionMask`, int32 `[batch, length]`, to `hiddenStates`
 * `[batch, length, width]`. The length is dynamic, up to the given one.
 *
 * @throws GraphError if `length` is greater than `positions`.
 */
export function bertGraph(config: BertConfig, batch: number, length: number): Graph {
  const ids = input('ids', [batch, length], 'int32', { dynamic: 1 });
  const attentionMask = input('attentionMask', [batch, length], 'int32', { dynamic: 1 });
  const hiddenStates = bert(new ParameterScope(), config, ids, attentionMask);
  return { inputs: { ids, attentionMask }, outputs: { hiddenStates } };
}

const namesOf = ({ family = 'bert' }: BertConfig) => bertNames[family];

function bertEmbeddings(scope: ParameterScope, config: BertConfig, ids: Tensor): Tensor {
  const { vocabularySize, tokenTypes, width, layerNormEpsilon, scaleEmbedding = false } = config;
  const names = namesOf(config);
  const words = embedding(scope.in(names.tokens), ids, vocabularySize, width);
  let x = scaleEmbedding ? mul(words, Math.sqrt(width)) : words;
  if (names.types) x = add(x, sliceAxis(table(scope.in(names.types), tokenTypes, width), 0, 0, 1));
  x = add(x, positionEmbeddings(scope.in(names.positions), config, ids));
  return layerNorm(scope.in(names.embeddingNorm), x, { epsilon: layerNormEpsilon });
}

const table = (scope: ParameterScope, rows: number, width: number) =>
  scope.parameter('weight', [rows, width], normal(0.02));

/** MPNet's biases of the scores of attention, which all layers share: `[1, heads, length, length]`. */
function relativeBias(scope: ParameterScope, config: BertConfig, ids: Tensor): Tensor | undefined {
  const { heads, relativeBuckets: buckets } = config;
  const { relative } = namesOf(config);
  if (relative === undefined || buckets === undefined) return undefined;
  // The code of MPNet has no option for the distance.
  return relativePositionBias(scope.in(relative), ids, { heads, buckets, maxDistance: 128 });
}

/** `[batch, length, width]`. */
function positionEmbeddings(scope: ParameterScope, config: BertConfig, ids: Tensor): Tensor {
  const { family, positions, width, paddingId, sinusoidalPositions = false } = config;
  const length = ids.shape[1]!;
  if (sinusoidalPositions) return gather(sinusoids(length, width), tokenPositions(ids));
  if (paddingId !== undefined)
    return gather(table(scope, paddingId + 1 + positions, width), countedPositions(ids, paddingId));
  // The first two rows of BART's table are unused.
  const first = family === 'bart' ? 2 : 0;
  return gather(table(scope, first + positions, width), add(tokenPositions(ids), first));
}

/**
 * Returns positions, int32 `[batch, length]`: tokens count from `paddingId + 1`, and padding has the position
 * `paddingId`.
 */
function countedPositions(ids: Tensor, paddingId: number): Tensor {
  const counts = cast(logicalNot(equal(ids, paddingId)), 'int32');
  return add(mul(cumsum(counts), counts), paddingId);
}

/**
 * Returns `[length, width]`: sin(p / 10000^(i / width)) in even columns i, and the cosine of the same angle in the next
 * column.
 */
function sinusoids(length: number, width: number): Tensor {
  const data = Float32Array.from({ length: length * width }, (_, place) => {
    const column = place % width;
    const angle = Math.floor(place / width) / 10000 ** ((column - (column % 2)) / width);
    return column % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
  });
  return constant({ dtype: 'float32', shape: [length, width], data });
}

/** Builds one layer with post-norm: each half adds its result to its input and normalizes the sum. */
function bertLayer(scope: ParameterScope, config: BertConfig, x: Tensor, mask: Tensor, bias?: Tensor): Tensor {
  const { heads, width, feedForwardWidth, layerNormEpsilon: epsilon, activation = 'gelu' } = config;
  const names = namesOf(config);
  const dense = (name: string, input: Tensor, width: number) =>
    linear(scope.in(name), input, width, { initializer: normal(0.02) });

  const [queries, keys, values] = [names.query, names.key, names.value].map((name) =>
    splitHeads(dense(name, x, width), heads),
  ) as [Tensor, Tensor, Tensor];
  const context = mergeHeads(dotProductAttention(queries, keys, values, mask, bias));
  const attended = dense(names.attended, context, width);
  const middle = layerNorm(scope.in(names.attentionNorm), add(attended, x), { epsilon });

  const widened = activations[activation](dense(names.widened, middle, feedForwardWidth));
  const narrowed = dense(names.narrowed, widened, width);
  return layerNorm(scope.in(names.outputNorm), add(narrowed, middle), { epsilon });
}

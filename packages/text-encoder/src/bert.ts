import {
  add,
  cast,
  dotProductAttention,
  gather,
  gelu,
  layerNorm,
  linear,
  mergeHeads,
  normal,
  type ParameterScope,
  reshape,
  sliceAxis,
  splitHeads,
  type Tensor,
} from '@dalle-mini/graph';

/** Sizes of a BERT. */
export interface BertConfig {
  readonly vocabularySize: number;
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  /** Width of the feed-forward layers, usually four times the hidden size. */
  readonly intermediateSize: number;
  /** Number of learned positions: the longest caption, in tokens. */
  readonly maxPositions: number;
  /** Number of sentence types; a caption is of type 0. */
  readonly tokenTypes: number;
  readonly layerNormEpsilon: number;
}

/**
 * BERT (Devlin et al. 2018): token ids and attention mask, int32 `[batch, length]`, to the last hidden states `[batch, length, hiddenSize]`.
 * Parameters are named as in Hugging Face's `BertModel` (`modeling_bert.py`).
 * @throws GraphError if `length` is past `maxPositions`.
 */
export function bert(scope: ParameterScope, config: BertConfig, ids: Tensor, attentionMask: Tensor): Tensor {
  const [batch, length] = ids.shape as [number, number];
  // Each query attends to every token that is no padding.
  const mask = reshape(cast(attentionMask, 'bool'), [batch, 1, 1, length]);
  let hidden = bertEmbeddings(scope.in('embeddings'), config, ids);
  for (let layer = 0; layer < config.layers; layer++) {
    hidden = bertLayer(scope.in('encoder').in('layer').in(layer), config, hidden, mask);
  }
  return hidden;
}

function bertEmbeddings(scope: ParameterScope, config: BertConfig, ids: Tensor): Tensor {
  const { vocabularySize, maxPositions, tokenTypes, hiddenSize, layerNormEpsilon } = config;
  const table = (name: string, rows: number) => scope.in(name).parameter('weight', [rows, hiddenSize], normal(0.02));
  const words = gather(table('word_embeddings', vocabularySize), ids);
  const type = sliceAxis(table('token_type_embeddings', tokenTypes), 0, 0, 1);
  const positions = sliceAxis(table('position_embeddings', maxPositions), 0, 0, ids.shape[1]!);
  return layerNorm(scope.in('LayerNorm'), add(add(words, type), positions), { epsilon: layerNormEpsilon });
}

/** Post-norm: each half adds its result to its input and normalizes the sum. */
function bertLayer(scope: ParameterScope, config: BertConfig, x: Tensor, mask: Tensor): Tensor {
  const { heads, hiddenSize, intermediateSize, layerNormEpsilon: epsilon } = config;
  const dense = (path: ParameterScope, input: Tensor, width: number) =>
    linear(path, input, width, { initializer: normal(0.02) });

  const attention = scope.in('attention');
  const [queries, keys, values] = ['query', 'key', 'value'].map((name) =>
    splitHeads(dense(attention.in('self').in(name), x, hiddenSize), heads),
  ) as [Tensor, Tensor, Tensor];
  const context = mergeHeads(dotProductAttention(queries, keys, values, mask));
  const attended = dense(attention.in('output').in('dense'), context, hiddenSize);
  const middle = layerNorm(attention.in('output').in('LayerNorm'), add(attended, x), { epsilon });

  const widened = gelu(dense(scope.in('intermediate').in('dense'), middle, intermediateSize));
  const narrowed = dense(scope.in('output').in('dense'), widened, hiddenSize);
  return layerNorm(scope.in('output').in('LayerNorm'), add(narrowed, middle), { epsilon });
}

/**
 * Reads the `config.json` of a Hugging Face BERT.
 * @throws TypeError if a size is missing or the model is not the one that {@link bert} computes.
 */
export function parseBertConfig(json: object): BertConfig {
  const file = json as Record<string, unknown>;
  const require = (field: string, expected: unknown, assumed: unknown) => {
    const value = file[field] ?? assumed;
    if (value !== expected) {
      throw new TypeError(
        `config.json has ${field} ${JSON.stringify(value)}; a BERT text encoder needs ${JSON.stringify(expected)}.`,
      );
    }
  };
  require('model_type', 'bert', undefined);
  require('hidden_act', 'gelu', 'gelu');
  require('position_embedding_type', 'absolute', 'absolute');
  require('is_decoder', false, false);
  const positive = (field: string): number => {
    const value = file[field];
    if (typeof value !== 'number' || !(value > 0)) {
      throw new TypeError(`config.json has ${field} ${JSON.stringify(value)}; it must be a positive number.`);
    }
    return value;
  };
  const size = (field: string): number => {
    const value = positive(field);
    if (!Number.isInteger(value)) throw new TypeError(`config.json has ${field} ${value}; it must be a whole number.`);
    return value;
  };
  const config: BertConfig = {
    vocabularySize: size('vocab_size'),
    hiddenSize: size('hidden_size'),
    layers: size('num_hidden_layers'),
    heads: size('num_attention_heads'),
    intermediateSize: size('intermediate_size'),
    maxPositions: size('max_position_embeddings'),
    tokenTypes: size('type_vocab_size'),
    layerNormEpsilon: positive('layer_norm_eps'),
  };
  if (config.hiddenSize % config.heads !== 0) {
    throw new TypeError(
      `config.json has hidden_size ${config.hiddenSize}, which ${config.heads} attention heads do not divide.`,
    );
  }
  return config;
}

/**
 * DALL·E Mini's decoder, as `modeling.py` of the published code: a BART-like transformer that writes image tokens and attends
 * to a caption. Parameters are named as in kuprel/min-dalle. One definition serves training, where all positions are given,
 * and decoding, where they come one by one: they differ only in what self-attention attends to.
 */
import {
  cast,
  concat,
  constant,
  fill,
  input,
  matmul,
  ParameterScope,
  range,
  reshape,
  sliceAxis,
  type Tensor,
} from '@dalle-mini/graph';
import {
  type BartBlock,
  bartAttend,
  bartAttentionOutput,
  bartEmbeddings,
  bartFeedForward,
  bartFinalNorm,
  bartGains,
  bartInitializer,
  bartKeysAndValues,
  bartLinear,
  bartPositionBias,
  bartQueries,
  bartResidual,
  type KeysAndValues,
} from '@dalle-mini/text-encoder';
import type { DecoderConfig } from './config.js';

export type { KeysAndValues };

/** The caption as each layer attends to it. */
export interface TextMemory {
  readonly layers: readonly KeysAndValues[];
  /** bool `[batch, 1, 1, length]`: false where there is padding. */
  readonly mask: Tensor;
}

/**
 * How the given positions attend to those before them and to themselves: from a layer's number, and the given positions'
 * queries, keys and values, to what they attend to, `[batch, heads, length, size]`. With `relativePositions` there is a bias, to
 * be added to the scores: `[1, heads, length, gridSize²]`, for all positions of the grid.
 */
export type SelfAttention = (layer: number, queries: Tensor, given: KeysAndValues, bias?: Tensor) => Tensor;

/** The token that stands before the first image token. */
export const beginToken = (config: DecoderConfig): number => config.vocabularySize;

/** Columns of the logits: image tokens, the begin token, and padding. */
export const logitsWidth = (config: DecoderConfig): number => config.paddedVocabularySize ?? config.vocabularySize + 1;

const blockOf = (config: DecoderConfig): BartBlock => ({
  ...config,
  stack: 'decoder',
  // Those of a decoder do not depend on the encoder's depth.
  gains: bartGains('decoder', config, { encoder: 1, decoder: config.layers }),
});

/** Each layer's cross-attention keys and values, from hidden states `[batch, length, textWidth]`: computed once a caption. */
export function readText(scope: ParameterScope, config: DecoderConfig, hiddenStates: Tensor): KeysAndValues[] {
  const block = blockOf(config);
  return Array.from({ length: config.layers }, (_, layer) =>
    bartKeysAndValues(scope.in('layers').in(layer).in('encoder_attn'), block, hiddenStates, 'cross'),
  );
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
  const { width, gridSize, tieEmbeddings = false } = config;
  const block = blockOf(config);
  const rows = { tokens: logitsWidth(config), positions: gridSize ** 2 };
  let x = bartEmbeddings(scope, block, tokens, positions, rows);
  for (let layer = 0; layer < config.layers; layer++) {
    x = decoderLayer(scope.in('layers').in(layer), config, block, x, positions, text, attention, layer);
  }
  x = bartFinalNorm(scope, block, x);
  if (!tieEmbeddings) return bartLinear(scope.in('lm_head'), block, x, rows.tokens, { bias: false });
  const embeddings = scope.in('embed_tokens').parameter('weight', [rows.tokens, width], bartInitializer(block));
  return matmul(x, embeddings, { transposeB: true });
}

function decoderLayer(
  scope: ParameterScope,
  { gridSize, textLength }: DecoderConfig,
  block: BartBlock,
  hiddenStates: Tensor,
  positions: Tensor,
  text: TextMemory,
  attention: SelfAttention,
  layer: number,
): Tensor {
  const places = gridSize ** 2;
  let x = bartResidual(scope, 'self_attn_layer_norm', block, hiddenStates, (h) => {
    const self = scope.in('self_attn');
    const given = bartKeysAndValues(self, block, h, 'self');
    const bias = bartPositionBias(self, block, positions, { queries: places, keys: places });
    return bartAttentionOutput(self, block, attention(layer, bartQueries(self, block, h), given, bias), 'self');
  });
  x = bartResidual(scope, 'encoder_attn_layer_norm', block, x, (h) => {
    const cross = scope.in('encoder_attn');
    const keysAndValues = text.layers[layer]!;
    const length = keysAndValues.keys.shape[2]!;
    const bias = bartPositionBias(cross, block, positions, { queries: places, keys: textLength ?? length }, length);
    const attended = bartAttend(bartQueries(cross, block, h), keysAndValues, text.mask, { bias });
    return bartAttentionOutput(cross, block, attended, 'cross');
  });
  return bartFeedForward(scope, block, x, layer);
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
  const attention: SelfAttention = (_, queries, given, bias) => bartAttend(queries, given, mask, { bias });
  return decoder(scope, config, before, range(length), text, attention);
}

/** The parameters of a decoder of these sizes, by name: what its checkpoint must hold. */
export function decoderParameters(config: DecoderConfig): ReadonlyMap<string, Tensor> {
  const scope = new ParameterScope();
  const layers = readText(scope, config, input('hiddenStates', [1, 1, config.textWidth]));
  const text = { layers, mask: textMask(input('attentionMask', [1, 1], 'int32')) };
  const [tokens, positions] = [input('tokens', [1, 1], 'int32'), input('positions', [1], 'int32')];
  decoder(scope, config, tokens, positions, text, (_, queries) => queries);
  return scope.parameters;
}

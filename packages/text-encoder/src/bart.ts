/** DALL·E Mini's own text encoder, as `modeling.py` of the published code: BART's encoder with the options of {@link BartBlockConfig}. */
import { cast, type Graph, GraphError, input, ParameterScope, range, reshape, type Tensor } from '@dalle-mini/graph';
import {
  type BartBlock,
  type BartBlockConfig,
  bartAttend,
  bartAttentionOutput,
  bartEmbeddings,
  bartFeedForward,
  bartFinalNorm,
  bartGains,
  bartKeysAndValues,
  bartPositionBias,
  bartQueries,
  bartResidual,
  checkBartBlock,
  checkSizes,
  refuseField,
} from './bart-block.js';
import { tokenPositions } from './token-positions.js';

/** The sizes and options of DALL·E Mini's text encoder. Options that are left out have its published values. */
export interface BartConfig extends BartBlockConfig {
  readonly vocabularySize: number;
  /** Number of positions: the longest caption, in tokens (`max_text_length`). */
  readonly maxLength: number;
  /** Layers of the decoder that reads the hidden states: the encoder's gains depend on them with `deepnetScaling` or `sublnInit`. */
  readonly decoderLayers?: number;
  /** How often attention's weights are normalized, along rows and columns in turn: see {@link bartAttend}. Default 1, softmax. */
  readonly sinkhornIterations?: number;
}

/** The text encoders of the published models: their `config.json`, and kuprel/min-dalle. */
export const bartPresets = {
  'dalle-mini': {
    vocabularySize: 50264,
    maxLength: 64,
    width: 1024,
    layers: 12,
    heads: 16,
    feedForwardWidth: 2730,
  },
  'dalle-mega': {
    vocabularySize: 50272,
    maxLength: 64,
    width: 2048,
    layers: 24,
    heads: 32,
    feedForwardWidth: 4096,
    initStd: 0.01,
  },
} as const satisfies Record<string, BartConfig>;

/**
 * Checks a configuration read from a file.
 *
 * @throws RangeError that names the field, what it may be, and what it is.
 */
export function checkBartConfig(config: BartConfig): void {
  const what = 'text encoder config';
  checkSizes(what, config, ['vocabularySize', 'maxLength']);
  checkBartBlock(what, config);
  for (const field of ['decoderLayers', 'sinkhornIterations'] as const) {
    if (config[field] !== undefined) checkSizes(what, config, [field]);
  }
  if ((config.deepnetScaling || config.sublnInit) && config.decoderLayers === undefined)
    refuseField(what, config, 'decoderLayers', 'given with deepnetScaling or sublnInit, which depend on it');
}

/**
 * Token ids and attention mask, int32 `[batch, length]`, to hidden states `[batch, length, width]`. Parameters are named as in
 * kuprel/min-dalle.
 * @throws GraphError if `length` is past `maxLength`.
 */
export function bart(scope: ParameterScope, config: BartConfig, ids: Tensor, attentionMask: Tensor): Tensor {
  const { layers, vocabularySize, maxLength } = config;
  const [batch, length] = ids.shape as [number, number];
  if (length > maxLength)
    throw new GraphError(`captions of ${length} tokens are longer than the ${maxLength} positions`);
  const block = blockOf(config);
  // Each query attends to every token that is no padding.
  const mask = reshape(cast(attentionMask, 'bool'), [batch, 1, 1, length]);
  let x = bartEmbeddings(scope, block, ids, tokenPositions(ids), { tokens: vocabularySize, positions: maxLength });
  for (let layer = 0; layer < layers; layer++) {
    x = bartLayer(scope.in('layers').in(layer), config, block, x, mask, layer);
  }
  return bartFinalNorm(scope, block, x);
}

const blockOf = (config: BartConfig): BartBlock => ({
  ...config,
  stack: 'encoder',
  gains: bartGains('encoder', config, { encoder: config.layers, decoder: config.decoderLayers ?? 1 }),
});

function bartLayer(
  scope: ParameterScope,
  { maxLength, sinkhornIterations }: BartConfig,
  block: BartBlock,
  hiddenStates: Tensor,
  mask: Tensor,
  layer: number,
): Tensor {
  const length = hiddenStates.shape[1]!;
  const attended = bartResidual(scope, 'self_attn_layer_norm', block, hiddenStates, (h) => {
    const self = scope.in('self_attn');
    const rows = { queries: maxLength, keys: maxLength };
    const bias = bartPositionBias(self, block, range(length), rows, length);
    const keysAndValues = bartKeysAndValues(self, block, h, 'self');
    const context = bartAttend(bartQueries(self, block, h), keysAndValues, mask, { bias, sinkhornIterations });
    return bartAttentionOutput(self, block, context, 'self');
  });
  return bartFeedForward(scope, block, attended, layer);
}

/** Whether padding may be left out, that is, whether other tokens' hidden states are the same without it. */
export const bartPaddingIsFree = ({ relativePositions = false, sinkhornIterations = 1 }: BartConfig): boolean =>
  !relativePositions && sinkhornIterations === 1;

/**
 * {@link bart} as a graph: `ids` and `attentionMask`, int32 `[batch, length]`, to `hiddenStates` `[batch, length, width]`. The length may
 * vary below the given one, unless there are relative positions or several Sinkhorn iterations.
 */
export function bartGraph(config: BartConfig, batch = 1, length = config.maxLength): Graph {
  const options = bartPaddingIsFree(config) ? { dynamic: 1 } : {};
  const ids = input('ids', [batch, length], 'int32', options);
  const attentionMask = input('attentionMask', [batch, length], 'int32', options);
  const hiddenStates = bart(new ParameterScope(), config, ids, attentionMask);
  return { inputs: { ids, attentionMask }, outputs: { hiddenStates } };
}

/** The parameters of a text encoder of these sizes, by name: what its checkpoint must hold. */
export function bartParameters(config: BartConfig): ReadonlyMap<string, Tensor> {
  const scope = new ParameterScope();
  bart(scope, config, input('ids', [1, 1], 'int32'), input('attentionMask', [1, 1], 'int32'));
  return scope.parameters;
}

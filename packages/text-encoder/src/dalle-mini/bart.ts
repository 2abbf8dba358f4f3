/** The text encoder of DALL·E Mini: the encoder of BART with the options of {@link TransformerConfig}. */
import { type Field, integer, object, optional, readConfig, refuse, sizeFields } from '@dalle-mini/core';
import { type Graph, GraphError, input, ParameterScope, type Tensor } from '@dalle-mini/graph';
import {
  checkTransformer,
  createStack,
  encoder,
  type TransformerConfig,
  transformerFields,
} from '@dalle-mini/transformer';

/** The sizes and options of DALL·E Mini's text encoder. The defaults of options are its published values. */
export interface BartConfig extends TransformerConfig {
  readonly vocabularySize: number;
  /** Number of positions: the longest caption in tokens (`max_text_length`). */
  readonly maxLength: number;
  /** Layers of the decoder. The initial weights depend on them with `deepnetScaling` or `sublnInit`. */
  readonly decoderLayers?: number | undefined;
  /**
   * Number of normalizations of the attention weights, by rows and columns in turn (Sander et al. 2022). Default 1,
   * softmax.
   */
  readonly sinkhornIterations?: number | undefined;
}

const bartConfig: Field<BartConfig> = object<BartConfig>(
  {
    ...transformerFields,
    vocabularySize: sizeFields.vocabularySize,
    maxLength: sizeFields.length,
    decoderLayers: optional(sizeFields.layers),
    sinkhornIterations: optional(integer({ min: 1, max: 1024 })),
  },
  {
    check(config, at) {
      checkTransformer(config, at);
      const { deepnetScaling, sublnInit, decoderLayers } = config;
      if ((deepnetScaling || sublnInit) && decoderLayers === undefined)
        refuse(at('decoderLayers'), 'given if deepnetScaling or sublnInit is true', decoderLayers);
    },
  },
);

/**
 * Checks a configuration, for example from a file, and returns it.
 *
 * @param source Path of the file, for error messages.
 * @throws ConfigError that names the field, the expected value and the given value.
 */
export function checkBartConfig(config: unknown, source = 'text encoder config'): BartConfig {
  return readConfig(bartConfig, config, source);
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
 * Builds the encoder: from token ids and attention mask, int32 `[batch, length]`, to hidden states `[batch, length,
 * width]`. Parameters are named as in kuprel/min-dalle.
 *
 * @throws GraphError if `length` is more than `maxLength`.
 */
export function bart(scope: ParameterScope, config: BartConfig, ids: Tensor, attentionMask: Tensor): Tensor {
  const { layers, vocabularySize, maxLength, decoderLayers = 1, sinkhornIterations } = config;
  const length = ids.shape[1]!;
  if (length > maxLength)
    throw new GraphError(`The length of captions must be at most ${maxLength} tokens, not ${length}.`);
  const stack = createStack('encoder', config, {
    tokens: vocabularySize,
    positions: maxLength,
    depths: { encoder: layers, decoder: decoderLayers },
    sinkhornIterations,
  });
  return encoder(scope, stack, ids, attentionMask);
}

/** Checks whether padding may be left out, because the hidden states of other tokens do not depend on it. */
export const bartPaddingIsFree = ({ relativePositions = false, sinkhornIterations = 1 }: BartConfig): boolean =>
  !relativePositions && sinkhornIterations === 1;

/**
 * Builds the graph of {@link bart}: from `ids` and `attentionMask`, int32 `[batch, length]`, to `hiddenStates`
 * `[batch, length, width]`. The length is dynamic, up to the given one, except with relative positions or several
 * Sinkhorn iterations.
 */
export function bartGraph(config: BartConfig, batch = 1, length = config.maxLength): Graph {
  const options = bartPaddingIsFree(config) ? { dynamic: 1 } : {};
  const ids = input('ids', [batch, length], 'int32', options);
  const attentionMask = input('attentionMask', [batch, length], 'int32', options);
  const hiddenStates = bart(new ParameterScope(), config, ids, attentionMask);
  return { inputs: { ids, attentionMask }, outputs: { hiddenStates } };
}

/** Returns the parameters of a text encoder by name, which its checkpoint must have. */
export function bartParameters(config: BartConfig): ReadonlyMap<string, Tensor> {
  const scope = new ParameterScope();
  bart(scope, config, input('ids', [1, 1], 'int32'), input('attentionMask', [1, 1], 'int32'));
  return scope.parameters;
}

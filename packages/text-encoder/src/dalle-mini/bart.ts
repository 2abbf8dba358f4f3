/** The text encoder of DALL·E Mini: BART's encoder with the options of {@link TransformerConfig}. */
import { type Field, integer, object, optional, readConfig, refuse } from '@dalle-mini/core';
import { type Graph, GraphError, input, ParameterScope, type Tensor } from '@dalle-mini/graph';
import {
  checkTransformer,
  createStack,
  encoder,
  sizeFields,
  type TransformerConfig,
  transformerFields,
} from '@dalle-mini/transformer';

/** The sizes and options of DALL·E Mini's text encoder. Options that are left out have its published values. */
export interface BartConfig extends TransformerConfig {
  readonly vocabularySize: number;
  /** Number of positions: the longest caption, in tokens (`max_text_length`). */
  readonly maxLength: number;
  /** Layers of the decoder that reads the hidden states: first weights depend on them with `deepnetScaling` or `sublnInit`. */
  readonly decoderLayers?: number | undefined;
  /** How often the weights of attention are normalized, along rows and columns in turn (Sander et al. 2022). Default 1, softmax. */
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
        refuse(
          at('decoderLayers'),
          'given where deepnetScaling or sublnInit is true, which depend on it',
          decoderLayers,
        );
    },
  },
);

/**
 * Checks a configuration, such as one that was read from a file, and returns it.
 *
 * @param source What is read, to begin an error with: the path of a file.
 * @throws ConfigError that names the field, what it must be, and what it is.
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
 * Token ids and attention mask, int32 `[batch, length]`, to hidden states `[batch, length, width]`. Parameters are named as in
 * kuprel/min-dalle.
 *
 * @throws GraphError if `length` is more than `maxLength`.
 */
export function bart(scope: ParameterScope, config: BartConfig, ids: Tensor, attentionMask: Tensor): Tensor {
  const { layers, vocabularySize, maxLength, decoderLayers = 1, sinkhornIterations } = config;
  const length = ids.shape[1]!;
  if (length > maxLength)
    throw new GraphError(`captions of ${length} tokens are longer than the ${maxLength} positions`);
  const stack = createStack('encoder', config, {
    tokens: vocabularySize,
    positions: maxLength,
    depths: { encoder: layers, decoder: decoderLayers },
    sinkhornIterations,
  });
  return encoder(scope, stack, ids, attentionMask);
}

/** Whether padding may be left out, that is, whether the hidden states of other tokens are the same without it. */
export const bartPaddingIsFree = ({ relativePositions = false, sinkhornIterations = 1 }: BartConfig): boolean =>
  !relativePositions && sinkhornIterations === 1;

/**
 * {@link bart} as a graph: `ids` and `attentionMask`, int32 `[batch, length]`, to `hiddenStates` `[batch, length, width]`. The length is
 * dynamic, up to the given one, unless there are relative positions or several Sinkhorn iterations.
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

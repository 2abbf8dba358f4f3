/** The models of decoders, by their configurations. */
import { type Field, readConfig, variant } from '@dalle-mini/core';
import type { Graph, Tensor } from '@dalle-mini/graph';
import type { StoredParameter } from '@dalle-mini/graph/stored';
import type { AmusedConfig } from './amused/config.js';
import { amusedModel } from './amused/model.js';
import type { AutoregressiveDecoder, AutoregressiveDecoderOptions } from './autoregressive/autoregressive-decoder.js';
import { parametersOfModel, type RowShape, rowGraphOf, textGraphOf } from './autoregressive/graphs.js';
import type { AutoregressiveModel } from './autoregressive/model.js';
import { type DecoderConfig, type DecoderSizes, decoderConfigField, decoderSizesField } from './dalle-mini/config.js';
import { DalleMiniDecoder } from './dalle-mini/dalle-mini-decoder.js';
import { dalleMiniModel } from './dalle-mini/decoder.js';
import {
  type DecoderOnlyConfig,
  type DecoderOnlySizes,
  decoderOnlyConfigField,
  decoderOnlySizesField,
} from './decoder-only/config.js';
import { decoderOnlyModel } from './decoder-only/decoder-only.js';
import { DecoderOnlyDecoder } from './decoder-only/decoder-only-decoder.js';
import {
  type LlamaGenConfig,
  type LlamaGenSizes,
  llamaGenConfigField,
  llamaGenSizesField,
} from './llama-gen/config.js';
import { llamaGenModel } from './llama-gen/llama-gen.js';
import { LlamaGenDecoder } from './llama-gen/llama-gen-decoder.js';
import {
  type MaskedDecoderConfig,
  type MaskedDecoderSizes,
  maskedDecoderConfigField,
  maskedDecoderSizesField,
} from './masked/config.js';
import { type PassShape, parametersOfMaskedModel, passGraph } from './masked/graph.js';
import { MaskedDecoder } from './masked/masked-decoder.js';
import { maskedModel } from './masked/masked-transformer.js';
import type { MaskedModel } from './masked/model.js';

/** The configuration of a decoder that generates tokens one by one. */
export type AutoregressiveConfig = DecoderConfig | DecoderOnlyConfig | LlamaGenConfig;

/** The configuration of any decoder. `kind` tells them apart; that of DALL·E Mini may be left out. */
export type AnyDecoderConfig = AutoregressiveConfig | MaskedDecoderConfig;

/** The sizes of any decoder that do not follow from its image tokenizer and its text encoder. */
export type AnyDecoderSizes = DecoderSizes | DecoderOnlySizes | LlamaGenSizes | MaskedDecoderSizes;

/** The field of the configuration of any decoder, for `readConfig`. */
export const anyDecoderConfigField: Field<AnyDecoderConfig> = variant<AnyDecoderConfig, 'kind'>(
  'kind',
  {
    'dalle-mini': decoderConfigField,
    'decoder-only': decoderOnlyConfigField,
    'llama-gen': llamaGenConfigField,
    masked: maskedDecoderConfigField,
  },
  'dalle-mini',
);

/** The field of the sizes of any decoder, for `readConfig`. */
export const anyDecoderSizesField: Field<AnyDecoderSizes> = variant<AnyDecoderSizes, 'kind'>(
  'kind',
  {
    'dalle-mini': decoderSizesField,
    'decoder-only': decoderOnlySizesField,
    'llama-gen': llamaGenSizesField,
    masked: maskedDecoderSizesField,
  },
  'dalle-mini',
);

/**
 * Checks the configuration of any decoder, for example from a file, and returns it.
 *
 * @param source Path of the file, for error messages.
 * @throws ConfigError that names the field, the expected value and the given value.
 */
export function checkAnyDecoderConfig(config: unknown, source = 'decoder config'): AnyDecoderConfig {
  return readConfig(anyDecoderConfigField, config, source);
}

/** Returns the width of the hidden states that a decoder reads: 0 if it reads token ids. */
export function textWidthOf(config: AnyDecoderConfig): number {
  return config.kind === 'decoder-only' ? 0 : (config.textWidth ?? 0);
}

/** Returns the model of a configuration that generates tokens one by one. */
export function modelOf(config: AutoregressiveConfig): AutoregressiveModel {
  switch (config.kind) {
    case 'decoder-only':
      return decoderOnlyModel(config);
    case 'llama-gen':
      return llamaGenModel(config);
    default:
      return dalleMiniModel(config);
  }
}

/** Returns the model of a configuration that generates all tokens in passes, or `undefined` for others. */
function maskedModelOf(config: AnyDecoderConfig | AmusedConfig): MaskedModel | undefined {
  if (config.kind === 'amused') return amusedModel(config);
  return config.kind === 'masked' ? maskedModel(config) : undefined;
}

/** A decoder of any kind. */
export type AnyDecoder = AutoregressiveDecoder | MaskedDecoder;

/**
 * Makes a decoder of any kind, or that of aMUSEd, which is not in model folders.
 *
 * @param parameters Parameters with the names of {@link decoderParameters}. Unknown ones are ignored.
 * @throws OptionError if an option is wrong; ConfigError that names a wrong field of the configuration.
 */
export function createDecoder(
  config: AnyDecoderConfig | AmusedConfig,
  parameters: ReadonlyMap<string, StoredParameter>,
  options: AutoregressiveDecoderOptions,
): AnyDecoder {
  switch (config.kind) {
    case 'decoder-only':
      return new DecoderOnlyDecoder(config, parameters, options);
    case 'llama-gen':
      return new LlamaGenDecoder(config, parameters, options);
    case 'masked':
      return new MaskedDecoder(maskedModel(config), parameters, options);
    case 'amused':
      return new MaskedDecoder(amusedModel(config), parameters, options);
    default:
      return new DalleMiniDecoder(config, parameters, options);
  }
}

/** Builds the graph that reads captions once: its outputs are inputs of {@link rowGraph}. */
export const textGraph = (config: AutoregressiveConfig, shape: RowShape): Graph => textGraphOf(modelOf(config), shape);

/** Builds the graph that generates one row of tokens in each run, with a KV cache that grows by a row. */
export const rowGraph = (config: AutoregressiveConfig, shape: RowShape): Graph => rowGraphOf(modelOf(config), shape);

/** Builds the graphs that generate images. */
export function decoderGraphs(config: AnyDecoderConfig, shape: RowShape & PassShape): Graph[] {
  const masked = maskedModelOf(config);
  if (masked) return [passGraph(masked, shape)];
  const model = modelOf(config as AutoregressiveConfig);
  return [textGraphOf(model, shape), rowGraphOf(model, shape)];
}

/** Returns the parameters of a decoder by name, which its checkpoint must have. */
export function decoderParameters(config: AnyDecoderConfig | AmusedConfig): ReadonlyMap<string, Tensor> {
  const masked = maskedModelOf(config);
  return masked ? parametersOfMaskedModel(masked) : parametersOfModel(modelOf(config as AutoregressiveConfig));
}

/** The models of decoders, by their configurations. */
import { type Field, readConfig, variant } from '@dalle-mini/core';
import type { Graph, Tensor } from '@dalle-mini/graph';
import type { StoredParameter } from '@dalle-mini/graph/stored';
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

/** The configuration of any decoder. `kind` tells them apart; that of DALL·E Mini may be left out. */
export type AnyDecoderConfig = DecoderConfig | DecoderOnlyConfig | LlamaGenConfig;

/** The sizes of any decoder that do not follow from its image tokenizer and its text encoder. */
export type AnyDecoderSizes = DecoderSizes | DecoderOnlySizes | LlamaGenSizes;

/** The field of the configuration of any decoder, for `readConfig`. */
export const anyDecoderConfigField: Field<AnyDecoderConfig> = variant<AnyDecoderConfig, 'kind'>(
  'kind',
  {
    'dalle-mini': decoderConfigField,
    'decoder-only': decoderOnlyConfigField,
    'llama-gen': llamaGenConfigField,
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

/** Returns the model of a configuration. */
export function modelOf(config: AnyDecoderConfig): AutoregressiveModel {
  switch (config.kind) {
    case 'decoder-only':
      return decoderOnlyModel(config);
    case 'llama-gen':
      return llamaGenModel(config);
    default:
      return dalleMiniModel(config);
  }
}

/**
 * Makes a decoder of any kind.
 *
 * @param parameters Parameters with the names of {@link decoderParameters}. Unknown ones are ignored.
 * @throws OptionError if an option is wrong; ConfigError that names a wrong field of the configuration.
 */
export function createDecoder(
  config: AnyDecoderConfig,
  parameters: ReadonlyMap<string, StoredParameter>,
  options: AutoregressiveDecoderOptions,
): AutoregressiveDecoder {
  switch (config.kind) {
    case 'decoder-only':
      return new DecoderOnlyDecoder(config, parameters, options);
    case 'llama-gen':
      return new LlamaGenDecoder(config, parameters, options);
    default:
      return new DalleMiniDecoder(config, parameters, options);
  }
}

/** Builds the graph that reads captions once: its outputs are inputs of {@link rowGraph}. */
export const textGraph = (config: AnyDecoderConfig, shape: RowShape): Graph => textGraphOf(modelOf(config), shape);

/** Builds the graph that generates one row of tokens in each run, with a KV cache that grows by a row. */
export const rowGraph = (config: AnyDecoderConfig, shape: RowShape): Graph => rowGraphOf(modelOf(config), shape);

/** Returns the parameters of a decoder by name, which its checkpoint must have. */
export const decoderParameters = (config: AnyDecoderConfig): ReadonlyMap<string, Tensor> =>
  parametersOfModel(modelOf(config));

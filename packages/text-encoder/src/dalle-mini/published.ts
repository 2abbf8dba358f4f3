/** The text encoder in the published layout of DALL·E Mini, which has the decoder in the same two files. */
import { readConfig } from '@dalle-mini/core';
import {
  type ExportOptions,
  exportTransformer,
  importTransformer,
  importTransformerConfig,
  publishedConfig,
} from '@dalle-mini/transformer';
import { type Checkpoint, refuseUnknownOptions, type StoredTensor } from '@dalle-mini/weights';
import { type BartConfig, bartParameters } from './bart.js';

/**
 * Reads the configuration of the text encoder from a parsed `config.json`. Missing fields have the defaults of the
 * published code.
 *
 * @throws ConfigError that names a field of the file which the published code refuses or cannot run.
 */
export function importTextEncoderConfig(json: object, source = 'config.json'): BartConfig {
  const published = readConfig(publishedConfig, json, source);
  refuseUnknownOptions(json, source, '', Object.keys(published));
  return {
    vocabularySize: published.encoder_vocab_size,
    maxLength: published.max_text_length,
    ...importTransformerConfig(published, 'encoder'),
    decoderLayers: published.decoder_layers as number,
    sinkhornIterations: published.sinkhorn_iters,
  };
}

/**
 * Converts the text encoder of a published checkpoint to the names and layouts of {@link bart}. Its tensors are removed
 * from `published`, which keeps those of the decoder, and their memory is reused.
 *
 * @throws CheckpointError that names a tensor which is missing, unknown or of another shape.
 */
export function importTextEncoder(published: Checkpoint, config: BartConfig): Checkpoint {
  return importTransformer(published, 'encoder', config, bartParameters(config));
}

/**
 * Converts a text encoder to its part of a published checkpoint: the inverse of {@link importTextEncoder}.
 *
 * @throws CheckpointError that names a tensor which is missing, of another shape or type, or impossible without `scan`;
 * OptionError if layers cannot be stacked because they differ.
 */
export function exportTextEncoder(
  weights: ReadonlyMap<string, StoredTensor>,
  config: BartConfig,
  options?: ExportOptions,
): Checkpoint {
  return exportTransformer(weights, 'encoder', config, bartParameters(config), options);
}

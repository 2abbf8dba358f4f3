/** The text encoder of a published DALL·E Mini, which is in one `config.json` and one `flax_model.msgpack` with the decoder. */
import { readConfig } from '@dalle-mini/core';
import {
  type ExportOptions,
  exportTransformer,
  importTransformer,
  importTransformerConfig,
  publishedConfig,
} from '@dalle-mini/transformer';
import type { Checkpoint, StoredTensor } from '@dalle-mini/weights';
import { type BartConfig, bartParameters } from './bart.js';

/**
 * Reads the configuration of the text encoder from a parsed `config.json`. What the file leaves out has the default of the published code.
 *
 * @throws ConfigError that names a field of the file which the published code refuses or cannot run.
 */
export function importTextEncoderConfig(json: object, source = 'config.json'): BartConfig {
  const published = readConfig(publishedConfig, json, source);
  return {
    vocabularySize: published.encoder_vocab_size,
    maxLength: published.max_text_length,
    ...importTransformerConfig(published, 'encoder'),
    decoderLayers: published.decoder_layers as number,
    sinkhornIterations: published.sinkhorn_iters,
  };
}

/**
 * Takes the text encoder out of a published checkpoint, with the names and in the layouts of {@link bart}. What is left in `published` is
 * the decoder's. Its memory is used again.
 *
 * @throws CheckpointError that names a tensor which is missing, of another shape, or not known.
 */
export function importTextEncoder(published: Checkpoint, config: BartConfig): Checkpoint {
  return importTransformer(published, 'encoder', config, bartParameters(config));
}

/**
 * The text encoder's part of a published checkpoint: the inverse of {@link importTextEncoder}.
 *
 * @throws CheckpointError that names a tensor which is missing, of another shape, not of floats, or impossible without `scan`;
 * OptionError if layers that differ would be stacked.
 */
export function exportTextEncoder(
  weights: ReadonlyMap<string, StoredTensor>,
  config: BartConfig,
  options?: ExportOptions,
): Checkpoint {
  return exportTransformer(weights, 'encoder', config, bartParameters(config), options);
}

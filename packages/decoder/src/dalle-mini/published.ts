/** The decoder in the published layout of DALL·E Mini, which has the text encoder in the same two files. */
import { ConfigError, describeValue, readConfig } from '@dalle-mini/core';
import {
  type ExportOptions,
  exportTransformer,
  exportTransformerConfig,
  importTransformer,
  importTransformerConfig,
  publishedConfig,
  type TransformerConfig,
} from '@dalle-mini/transformer';
import { type Checkpoint, refuseUnknownOptions, type StoredTensor } from '@dalle-mini/weights';
import { decoderParameters } from '../models.js';
import type { DecoderConfig } from './config.js';
import { beginToken, logitsWidth } from './decoder.js';

/**
 * Reads the configuration of the decoder from a parsed `config.json`. Missing fields have the defaults of the published
 * code.
 *
 * @throws ConfigError that names a field of the file which the published code refuses or cannot run.
 */
export function importDecoderConfig(json: object, source = 'config.json'): DecoderConfig {
  const published = readConfig(publishedConfig, json, source);
  refuseUnknownOptions(json, source, '', Object.keys(published));
  const { image_vocab_size: rows } = published;
  const transformer = importTransformerConfig(published, 'decoder');
  return {
    // Rows after the begin token are padding, as in DALL·E Mega.
    vocabularySize: published.decoder_start_token_id ?? rows,
    paddedVocabularySize: rows + 1,
    gridSize: Math.sqrt(published.image_length),
    ...transformer,
    textWidth: transformer.width,
    textLength: published.max_text_length,
    tieEmbeddings: published.tie_word_embeddings,
  };
}

/**
 * Converts the decoder of a published checkpoint to the names and layouts of `decoder`. Its tensors are removed from
 * `published`, which keeps those of the text encoder, and their memory is reused.
 *
 * @throws CheckpointError that names a tensor which is missing, unknown or of another shape.
 */
export function importDecoder(published: Checkpoint, config: DecoderConfig): Checkpoint {
  return importTransformer(published, 'decoder', config, decoderParameters(config));
}

/**
 * Converts a decoder to its part of a published checkpoint: the inverse of {@link importDecoder}.
 *
 * @throws CheckpointError that names a tensor which is missing, of another shape or type, or impossible without `scan`;
 * OptionError if layers cannot be stacked because they differ.
 */
export function exportDecoder(
  weights: ReadonlyMap<string, StoredTensor>,
  config: DecoderConfig,
  options?: ExportOptions,
): Checkpoint {
  return exportTransformer(weights, 'decoder', config, decoderParameters(config), options);
}

/** The fields of a text encoder's configuration that {@link exportConfig} reads: those of a `BartConfig`. */
export interface ExportedTextEncoderConfig extends TransformerConfig {
  readonly vocabularySize: number;
  readonly maxLength: number;
  readonly decoderLayers?: number | undefined;
  readonly sinkhornIterations?: number | undefined;
}

/**
 * Returns the `config.json` of a published model, a `DalleBartConfig`. It is the inverse of {@link importDecoderConfig}
 * and of `importTextEncoderConfig` of `@dalle-mini/text-encoder`. Give the options with which the weights are exported.
 *
 * @throws ConfigError that names a field in which the two differ, or which the published code refuses.
 */
export function exportConfig(
  textEncoder: ExportedTextEncoderConfig,
  decoder: DecoderConfig,
  { scan = decoder.normPositions !== 'swinv2' }: ExportOptions = {},
): Record<string, number | boolean | string> {
  const fields = {
    encoder: exportTransformerConfig(textEncoder, 'encoder'),
    decoder: exportTransformerConfig(decoder, 'decoder'),
  };
  for (const [field, value] of Object.entries(fields.encoder)) {
    const other = fields.decoder[field] ?? value;
    if (other !== value)
      throw new ConfigError(
        'config.json',
        field,
        `must be the same for both, not ${describeValue(value)} for the text encoder and ${describeValue(other)} for the decoder.`,
      );
  }
  const { width, maxLength, decoderLayers = decoder.layers, sinkhornIterations = 1 } = textEncoder;
  const { textWidth, textLength = maxLength, layers, gridSize, tieEmbeddings = false } = decoder;
  const check = (source: string, field: string, value: number, expected: number, as: string) => {
    if (value !== expected) throw new ConfigError(source, field, `must be ${expected}, ${as}, not ${value}.`);
  };
  check('decoder config', 'textWidth', textWidth, width, 'the width of the text encoder');
  check('decoder config', 'textLength', textLength, maxLength, 'the maxLength of the text encoder');
  // A begin token among the image tokens would be read as the number of these.
  check(
    'decoder config',
    'beginToken',
    beginToken(decoder),
    decoder.vocabularySize,
    'the vocabularySize of the decoder',
  );
  check('text encoder config', 'decoderLayers', decoderLayers, layers, 'the layers of the decoder');
  const json = {
    model_type: 'dallebart',
    is_encoder_decoder: true,
    ...fields.encoder,
    ...fields.decoder,
    encoder_vocab_size: textEncoder.vocabularySize,
    max_text_length: maxLength,
    sinkhorn_iters: sinkhornIterations,
    // Without the begin token.
    image_vocab_size: logitsWidth(decoder) - 1,
    decoder_start_token_id: beginToken(decoder),
    image_length: gridSize ** 2,
    tie_word_embeddings: tieEmbeddings,
    use_scan: scan,
  };
  readConfig(publishedConfig, json, 'config.json');
  return json;
}

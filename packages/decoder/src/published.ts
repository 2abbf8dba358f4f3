/** The decoder of a published DALL·E Mini, which is in one `config.json` and one `flax_model.msgpack` with the text encoder. */
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
import type { Checkpoint, StoredTensor } from '@dalle-mini/weights';
import type { DecoderConfig } from './config.js';
import { beginToken, logitsWidth } from './decoder.js';
import { decoderParameters } from './decoding.js';

/**
 * Reads the configuration of the decoder from a parsed `config.json`. What the file leaves out has the default of the published code.
 *
 * @throws ConfigError that names a field of the file which the published code refuses or cannot run.
 */
export function importDecoderConfig(json: object, source = 'config.json'): DecoderConfig {
  const published = readConfig(publishedConfig, json, source);
  const { image_vocab_size: rows } = published;
  const transformer = importTransformerConfig(published, 'decoder');
  return {
    // Rows from the begin token on are padding, as in DALL·E Mega.
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
 * Takes the decoder out of a published checkpoint, with the names and in the layouts of `decoder`. What is left in `published` is
 * the text encoder's. Its memory is used again.
 *
 * @throws CheckpointError that names a tensor which is missing, of another shape, or not known.
 */
export function importDecoder(published: Checkpoint, config: DecoderConfig): Checkpoint {
  return importTransformer(published, 'decoder', config, decoderParameters(config));
}

/**
 * The decoder's part of a published checkpoint: the inverse of {@link importDecoder}.
 *
 * @throws CheckpointError that names a tensor which is missing, of another shape, not of floats, or impossible without `scan`;
 * OptionError if layers that differ would be stacked.
 */
export function exportDecoder(
  weights: ReadonlyMap<string, StoredTensor>,
  config: DecoderConfig,
  options?: ExportOptions,
): Checkpoint {
  return exportTransformer(weights, 'decoder', config, decoderParameters(config), options);
}

/** What {@link exportConfig} reads of the configuration of a text encoder: a `BartConfig` of `@dalle-mini/text-encoder`. */
export interface ExportedTextEncoderConfig extends TransformerConfig {
  readonly vocabularySize: number;
  readonly maxLength: number;
  readonly decoderLayers?: number | undefined;
  readonly sinkhornIterations?: number | undefined;
}

/**
 * The `config.json` of a published model, a `DalleBartConfig`, from which {@link importDecoderConfig} and `importTextEncoderConfig` of
 * `@dalle-mini/text-encoder` read these configurations. The options are those with which the weights are exported.
 *
 * @throws ConfigError that names the field in which the two do not belong together, or which the published code refuses.
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
        `must be one for both, not ${describeValue(value)} for the text encoder and ${describeValue(other)} for the decoder.`,
      );
  }
  const { width, maxLength, decoderLayers = decoder.layers, sinkhornIterations = 1 } = textEncoder;
  const { textWidth, textLength = maxLength, layers, gridSize, tieEmbeddings = false } = decoder;
  const check = (source: string, field: string, value: number, expected: number, as: string) => {
    if (value !== expected) throw new ConfigError(source, field, `must be ${expected}, ${as}, not ${value}.`);
  };
  check('decoder config', 'textWidth', textWidth, width, 'the width of the text encoder');
  check('decoder config', 'textLength', textLength, maxLength, 'the maxLength of the text encoder');
  check('text encoder config', 'decoderLayers', decoderLayers, layers, 'the layers of the decoder');
  const json = {
    model_type: 'dallebart',
    is_encoder_decoder: true,
    ...fields.encoder,
    ...fields.decoder,
    encoder_vocab_size: textEncoder.vocabularySize,
    max_text_length: maxLength,
    sinkhorn_iters: sinkhornIterations,
    // The begin token comes on top of them.
    image_vocab_size: logitsWidth(decoder) - 1,
    decoder_start_token_id: beginToken(decoder),
    image_length: gridSize ** 2,
    tie_word_embeddings: tieEmbeddings,
    use_scan: scan,
  };
  readConfig(publishedConfig, json, 'config.json');
  return json;
}

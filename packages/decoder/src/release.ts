import {
  type BartConfig,
  bartConfigFromRelease,
  blockConfigFromRelease,
  type ReleaseOptions,
  readRelease,
  refuseField,
  releaseBlockConfig,
  releaseStack,
  takeStack,
} from '@dalle-mini/text-encoder';
import type { Checkpoint, StoredTensor } from '@dalle-mini/weights';
import { checkDecoderConfig, type DecoderConfig } from './config.js';
import { beginToken, decoderParameters, logitsWidth } from './decoder.js';

/**
 * The decoder's configuration, from the parsed `config.json` of a release of borisdayma/dalle-mini. What the file leaves out
 * has the default of the published code.
 *
 * @throws RangeError that names the field of the file which the published code refuses or cannot run, or whose value is of the wrong kind.
 */
export function decoderConfigFromRelease(json: object): DecoderConfig {
  const { flag, number, refuse } = readRelease(json);
  const gridSize = Math.sqrt(number('image_length', 256));
  if (!Number.isInteger(gridSize)) refuse('image_length', 'a square number: images are as high as they are wide');
  const rows = number('image_vocab_size', 16384);
  // Rows from the begin token on are padding, as in DALL·E Mega.
  const vocabularySize = number('decoder_start_token_id', rows);
  if (vocabularySize > rows) refuse('decoder_start_token_id', `at most image_vocab_size, ${rows}`);
  const block = blockConfigFromRelease(json, 'decoder');
  const config = {
    vocabularySize,
    paddedVocabularySize: rows + 1,
    gridSize,
    ...block,
    textWidth: block.width,
    textLength: number('max_text_length', 64),
    tieEmbeddings: flag('tie_word_embeddings', false),
  };
  checkDecoderConfig(config);
  return config;
}

/**
 * Takes the decoder out of a released checkpoint: its tensors under the names and in the layouts of {@link decoder}. What is
 * left in `released` is the text encoder's. As `takeBart` of `@dalle-mini/text-encoder`, which says what becomes of the memory.
 *
 * @throws CheckpointError that names a tensor which is missing, of another shape, or not known.
 */
export function takeDecoder(released: Checkpoint, config: DecoderConfig): Checkpoint {
  return takeStack(released, 'decoder', config, decoderParameters(config));
}

/**
 * The decoder's part of a release: the inverse of {@link takeDecoder}, as `releaseBart` of `@dalle-mini/text-encoder`, whose
 * errors it has.
 */
export function releaseDecoder(
  weights: ReadonlyMap<string, StoredTensor>,
  config: DecoderConfig,
  options: ReleaseOptions = {},
): Checkpoint {
  return releaseStack(weights, 'decoder', config, decoderParameters(config), options);
}

/**
 * The `config.json` of a release, a `DalleBartConfig`, from which {@link decoderConfigFromRelease} and `bartConfigFromRelease` of
 * `@dalle-mini/text-encoder` read these configurations. The options are those with which the weights are released.
 *
 * @throws RangeError that names the field in which the two do not belong together, or which the published code refuses.
 */
export function releaseConfig(
  textEncoder: BartConfig,
  decoder: DecoderConfig,
  { scan = decoder.normPositions !== 'swinv2' }: ReleaseOptions = {},
): Record<string, number | boolean | string> {
  const fields = {
    encoder: releaseBlockConfig(textEncoder, 'encoder'),
    decoder: releaseBlockConfig(decoder, 'decoder'),
  };
  for (const [field, value] of Object.entries(fields.encoder)) {
    const other = fields.decoder[field] ?? value;
    if (other !== value)
      throw new RangeError(
        `config.json: ${field} must be one for both, not ${value} for the text encoder and ${other} for the decoder`,
      );
  }
  const { width, maxLength, decoderLayers = decoder.layers, sinkhornIterations = 1 } = textEncoder;
  const { textWidth, textLength = maxLength, layers, gridSize, tieEmbeddings = false } = decoder;
  if (textWidth !== width) refuseField('decoder config', decoder, 'textWidth', `${width}, as wide as the text encoder`);
  if (textLength !== maxLength)
    refuseField('decoder config', decoder, 'textLength', `${maxLength}, as long as the text encoder's captions`);
  if (decoderLayers !== layers)
    refuseField('text encoder config', textEncoder, 'decoderLayers', `${layers}, the decoder's layers`);
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
  bartConfigFromRelease(json);
  decoderConfigFromRelease(json);
  return json;
}

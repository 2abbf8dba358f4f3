import { blockConfigFromRelease, readRelease, takeStack } from '@dalle-mini/text-encoder';
import type { Checkpoint } from '@dalle-mini/weights';
import { checkDecoderConfig, type DecoderConfig } from './config.js';
import { decoderParameters } from './decoder.js';

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

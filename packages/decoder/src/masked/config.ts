import { type Field, type Fields, object, oneOf, readConfig, refuse, sizeFields } from '@dalle-mini/core';
import { checkTransformer, type TransformerConfig, transformerFields } from '@dalle-mini/transformer';

/** The sizes and options of a masked decoder that do not follow from its image tokenizer and its text encoder. */
export interface MaskedDecoderSizes extends TransformerConfig {
  readonly kind: 'masked';
}

/** The sizes and options of a masked decoder. Those of the transformer have the same defaults as in DALL·E Mini's decoder. */
export interface MaskedDecoderConfig extends MaskedDecoderSizes {
  /** Number of image tokens. The mask token is the one after them. */
  readonly vocabularySize: number;
  /** Width and height of the token grid. */
  readonly gridSize: number;
  /** Width of the text encoder's hidden states. */
  readonly textWidth: number;
}

const sizes: Fields<MaskedDecoderSizes> = { kind: oneOf(['masked']), ...transformerFields };

function check(config: MaskedDecoderSizes, at: (name: keyof TransformerConfig) => string): void {
  checkTransformer(config, at);
  if (config.relativePositions) refuse(at('relativePositions'), 'left out or false in a masked decoder', true);
}

/** The field of a masked decoder's sizes, for `readConfig`. */
export const maskedDecoderSizesField: Field<MaskedDecoderSizes> = object(sizes, { check });

/** The field of a masked decoder's configuration, for `readConfig`. */
export const maskedDecoderConfigField: Field<MaskedDecoderConfig> = object<MaskedDecoderConfig>(
  {
    ...sizes,
    vocabularySize: sizeFields.vocabularySize,
    gridSize: sizeFields.gridSize,
    textWidth: sizeFields.width,
  },
  { check },
);

/**
 * Checks a configuration, for example from a file, and returns it.
 *
 * @param source Path of the file, for error messages.
 * @throws ConfigError that names the field, the expected value and the given value.
 */
export function checkMaskedDecoderConfig(config: unknown, source = 'masked decoder config'): MaskedDecoderConfig {
  return readConfig(maskedDecoderConfigField, config, source);
}

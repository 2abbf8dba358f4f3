import { integer, number, object, oneOf, optional, readConfig, refuse, sizeFields } from '@dalle-mini/core';

/** The sizes and options of a LlamaGen decoder that do not follow from its image tokenizer and what it is conditioned on. */
export interface LlamaGenSizes {
  readonly kind: 'llama-gen';
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  /** Width inside the feed-forward layers. Default 8/3 · `width`, rounded up to a multiple of 256. */
  readonly feedForwardWidth?: number | undefined;
  /** The base of rotary positions. Default 10000. */
  readonly ropeBase?: number | undefined;
  /** Default 1e-5. */
  readonly normEpsilon?: number | undefined;
  /** Standard deviation of the first weights. Default 0.02. */
  readonly initStd?: number | undefined;
}

/** A LlamaGen decoder: either `classes`, or `textWidth` and `textLength`. */
export interface LlamaGenConfig extends LlamaGenSizes {
  /** Number of image tokens. */
  readonly vocabularySize: number;
  /** Width and height of the token grid: `gridSize²` tokens are generated. */
  readonly gridSize: number;
  /** Number of classes. One more class is that of no caption. */
  readonly classes?: number | undefined;
  /** Width of the text encoder's hidden states. */
  readonly textWidth?: number | undefined;
  /** Number of hidden states of each caption: shorter captions are padded at their start. */
  readonly textLength?: number | undefined;
}

const ofClasses = { kind: 'llama-gen', vocabularySize: 16384, gridSize: 16, classes: 1000 } as const;
const ofText = { kind: 'llama-gen', vocabularySize: 16384, gridSize: 16, textWidth: 2048, textLength: 120 } as const;

/**
 * The published decoders of FoundationVision/LlamaGen, with grids of 16 × 16 tokens. `text` is conditioned on the hidden
 * states of FLAN-T5-XL, the others on the classes of ImageNet.
 */
export const llamaGenPresets = {
  B: { ...ofClasses, width: 768, layers: 12, heads: 12 },
  L: { ...ofClasses, width: 1024, layers: 24, heads: 16 },
  XL: { ...ofClasses, width: 1280, layers: 36, heads: 20 },
  XXL: { ...ofClasses, width: 1536, layers: 48, heads: 24 },
  '3B': { ...ofClasses, width: 3200, layers: 24, heads: 32 },
  text: { ...ofText, width: 1280, layers: 36, heads: 20 },
} as const satisfies Record<string, LlamaGenConfig>;

const sizes = {
  kind: oneOf(['llama-gen'] as const),
  width: sizeFields.width,
  layers: sizeFields.layers,
  heads: sizeFields.heads,
  feedForwardWidth: optional(sizeFields.width),
  ropeBase: optional(number({ above: 0 })),
  normEpsilon: optional(number({ above: 0 })),
  initStd: optional(number({ above: 0 })),
};

/** Rotary positions turn pairs of channels, half of them by the row and half by the column. */
function checkSizes({ width, heads }: LlamaGenSizes, at: (name: 'width') => string): void {
  if (width % (4 * heads) !== 0) refuse(at('width'), `a multiple of ${4 * heads}, four times the heads`, width);
}

/** The field of the sizes of a LlamaGen decoder, for `readConfig`. */
export const llamaGenSizesField = object<LlamaGenSizes>(sizes, { check: checkSizes });

/** The field of the configuration of a LlamaGen decoder, for `readConfig`. */
export const llamaGenConfigField = object<LlamaGenConfig>(
  {
    ...sizes,
    vocabularySize: sizeFields.vocabularySize,
    gridSize: sizeFields.gridSize,
    classes: optional(integer({ min: 1, max: 2 ** 25 })),
    textWidth: optional(sizeFields.width),
    textLength: optional(sizeFields.length),
  },
  {
    check(config, at) {
      checkSizes(config, at);
      const { classes, textWidth, textLength } = config;
      if (classes !== undefined && textWidth !== undefined)
        refuse(at('textWidth'), 'left out if classes is set', textWidth);
      if (classes === undefined && textWidth === undefined) refuse(at('textWidth'), 'given, or classes', textWidth);
      if ((textWidth === undefined) !== (textLength === undefined))
        refuse(at('textLength'), 'given if and only if textWidth is', textLength);
    },
  },
);

/**
 * Checks a configuration, for example from a file, and returns it.
 *
 * @param source Path of the file, for error messages.
 * @throws ConfigError that names the field, the expected value and the given value.
 */
export function checkLlamaGenConfig(config: unknown, source = 'decoder config'): LlamaGenConfig {
  return readConfig(llamaGenConfigField, config, source);
}

import {
  type Field,
  type Fields,
  field,
  integer,
  number,
  object,
  oneOf,
  optional,
  readConfig,
  refuse,
  sizeFields,
} from '@dalle-mini/core';
import { refuseUnknownOptions } from '@dalle-mini/weights';

/** Sizes of one of CLIP's two transformers. */
export interface ClipTransformerConfig {
  /** Width of the hidden states. */
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  /** Width inside the feed-forward layers, usually four times `width`. */
  readonly feedForwardWidth: number;
  /** Between the feed-forward layers: x · σ(1.702 x), as OpenAI trained, or the exact Gaussian error linear unit. */
  readonly activation: 'quick_gelu' | 'gelu';
  readonly layerNormEpsilon: number;
}

/** Sizes of a CLIP with a vision transformer. */
export interface ClipConfig {
  /** Width and height of the input images in pixels. */
  readonly imageSize: number;
  /** Width and height of a patch in pixels; `imageSize` is a multiple of it. */
  readonly patchSize: number;
  /** The image tower. */
  readonly image: ClipTransformerConfig;
  readonly vocabularySize: number;
  /** Number of learned positions of the text tower: the longest caption, in tokens. */
  readonly maxLength: number;
  /** The text tower. */
  readonly text: ClipTransformerConfig;
  /** Width of the embeddings that the two towers share. */
  readonly projectionSize: number;
}

const base = {
  imageSize: 224,
  image: {
    width: 768,
    layers: 12,
    heads: 12,
    feedForwardWidth: 3072,
    activation: 'quick_gelu',
    layerNormEpsilon: 1e-5,
  },
  vocabularySize: 49408,
  maxLength: 77,
  text: {
    width: 512,
    layers: 12,
    heads: 8,
    feedForwardWidth: 2048,
    activation: 'quick_gelu',
    layerNormEpsilon: 1e-5,
  },
  projectionSize: 512,
} as const;

/** The sizes of OpenAI's checkpoints. */
export const clipPresets = {
  /** ViT-B/32, which ranked DALL·E Mini's images. */
  'vit-b-32': { ...base, patchSize: 32 },
  'vit-b-16': { ...base, patchSize: 16 },
} as const satisfies Record<string, ClipConfig>;

const towerFields: Fields<ClipTransformerConfig> = {
  width: sizeFields.width,
  layers: sizeFields.layers,
  heads: sizeFields.heads,
  feedForwardWidth: sizeFields.width,
  activation: oneOf(['quick_gelu', 'gelu']),
  layerNormEpsilon: number({ above: 0, max: 1 }),
};

const clipFields = {
  imageSize: sizeFields.imageSize,
  patchSize: sizeFields.imageSize,
  vocabularySize: sizeFields.vocabularySize,
  // A caption has at least its start and its end token.
  maxLength: integer({ min: 2, max: 2 ** 17 }),
  projectionSize: sizeFields.width,
};

const tower = object(towerFields, {
  check({ width, heads }, at) {
    if (width % heads !== 0) refuse(at('width'), `a multiple of the ${heads} heads`, width);
  },
});

const configFields = object<ClipConfig>(
  { ...clipFields, image: tower, text: tower },
  {
    check({ imageSize, patchSize }, at) {
      if (imageSize % patchSize !== 0) refuse(at('imageSize'), `a multiple of patchSize, ${patchSize}`, imageSize);
      if (imageSize / patchSize > 512)
        refuse(at('patchSize'), `at least ${Math.ceil(imageSize / 512)}, for at most 512 × 512 patches`, patchSize);
    },
  },
);

/**
 * Checks a configuration.
 *
 * @param source The start of an error message, such as the file's path.
 * @throws ConfigError that names the field.
 */
export function checkClipConfig(config: unknown, source = 'CLIP config'): ClipConfig {
  return readConfig(configFields, config, source);
}

/** The part of a Hugging Face `config.json` that describes a tower. */
interface PublishedTower {
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly intermediate_size: number;
  readonly hidden_act: ClipTransformerConfig['activation'];
  readonly layer_norm_eps: number;
}

interface PublishedConfig {
  readonly model_type: 'clip';
  readonly vision_config: PublishedTower & { readonly image_size: number; readonly patch_size: number };
  readonly text_config: PublishedTower & { readonly vocab_size: number; readonly max_position_embeddings: number };
  readonly projection_dim: number;
}

const standard = clipPresets['vit-b-32'];

const publishedTower = (sizes: ClipTransformerConfig): Fields<PublishedTower> => ({
  hidden_size: optional(towerFields.width, sizes.width),
  num_hidden_layers: optional(towerFields.layers, sizes.layers),
  num_attention_heads: optional(towerFields.heads, sizes.heads),
  intermediate_size: optional(towerFields.feedForwardWidth, sizes.feedForwardWidth),
  hidden_act: optional(towerFields.activation, sizes.activation),
  layer_norm_eps: optional(towerFields.layerNormEpsilon, sizes.layerNormEpsilon),
});

// The file has many more fields, which concern training and generation. Its writers give null to those that they leave out.
const rules = { unknown: 'ignore', nullIsAbsent: true } as const;
const publishedConfig: Field<PublishedConfig> = object<PublishedConfig>(
  {
    model_type: field('"clip"', (value) => value === 'clip'),
    vision_config: object<PublishedConfig['vision_config'] & { readonly num_channels: 3 }>(
      {
        ...publishedTower(standard.image),
        image_size: optional(clipFields.imageSize, standard.imageSize),
        patch_size: optional(clipFields.patchSize, standard.patchSize),
        num_channels: optional(oneOf([3]), 3),
      },
      rules,
    ),
    text_config: object<PublishedConfig['text_config']>(
      {
        ...publishedTower(standard.text),
        vocab_size: optional(clipFields.vocabularySize, standard.vocabularySize),
        max_position_embeddings: optional(clipFields.maxLength, standard.maxLength),
      },
      rules,
    ),
    projection_dim: optional(clipFields.projectionSize, standard.projectionSize),
  },
  rules,
);

/**
 * Reads the `config.json` of a Hugging Face `CLIPModel`. What the file leaves out is as in ViT-B/32, as in Hugging Face's own reader.
 *
 * @param source What is read, to begin an error message with, such as the file's path.
 * @throws ConfigError that names a field of the file, also if it describes another kind of model.
 */
export function importClipConfig(json: object, source = 'config.json'): ClipConfig {
  const file = json as Record<string, unknown>;
  // Older files hold the sizes under a second name, which takes precedence.
  const part = (name: string) => ({ ...(file[name] as object), ...(file[`${name}_dict`] as object) });
  const { vision_config, text_config, projection_dim } = readConfig(
    publishedConfig,
    { ...file, vision_config: part('vision_config'), text_config: part('text_config') },
    source,
  );
  refuseUnknownOptions(json, source);
  for (const name of ['vision_config', 'text_config']) refuseUnknownOptions(part(name), source, `${name}.`);
  return checkClipConfig(
    {
      imageSize: vision_config.image_size,
      patchSize: vision_config.patch_size,
      image: importTower(vision_config),
      vocabularySize: text_config.vocab_size,
      maxLength: text_config.max_position_embeddings,
      text: importTower(text_config),
      projectionSize: projection_dim,
    },
    source,
  );
}

function importTower(sizes: PublishedTower): ClipTransformerConfig {
  return {
    width: sizes.hidden_size,
    layers: sizes.num_hidden_layers,
    heads: sizes.num_attention_heads,
    feedForwardWidth: sizes.intermediate_size,
    activation: sizes.hidden_act,
    layerNormEpsilon: sizes.layer_norm_eps,
  };
}

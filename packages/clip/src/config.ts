import { type Field, field, object, oneOf, optional, readConfig, refuse, sizeFields } from '@dalle-mini/core';
import {
  type ClipTextConfig,
  type ClipTransformerConfig,
  clipConfigPart,
  clipTextFields,
  clipTransformerField,
  importClipTransformer,
  type PublishedClipText,
  type PublishedClipTransformer,
  publishedClipText,
  publishedClipTransformer,
  vitB32Text,
} from '@dalle-mini/text-encoder/clip';
import { refuseUnknownOptions } from '@dalle-mini/weights';

/** Sizes of a CLIP with a vision transformer. */
export interface ClipConfig extends ClipTextConfig {
  /** Width and height of the input images in pixels. */
  readonly imageSize: number;
  /** Width and height of a patch in pixels; `imageSize` is a multiple of it. */
  readonly patchSize: number;
  /** The image tower. */
  readonly image: ClipTransformerConfig;
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
  ...vitB32Text,
} as const;

/** The sizes of OpenAI's checkpoints. */
export const clipPresets = {
  /** ViT-B/32, which ranked DALL·E Mini's images. */
  'vit-b-32': { ...base, patchSize: 32 },
  'vit-b-16': { ...base, patchSize: 16 },
} as const satisfies Record<string, ClipConfig>;

const clipFields = {
  ...clipTextFields,
  imageSize: sizeFields.imageSize,
  patchSize: sizeFields.imageSize,
  image: clipTransformerField(),
};

const configFields = object<ClipConfig>(clipFields, {
  check({ imageSize, patchSize }, at) {
    if (imageSize % patchSize !== 0) refuse(at('imageSize'), `a multiple of patchSize, ${patchSize}`, imageSize);
    if (imageSize / patchSize > 512)
      refuse(at('patchSize'), `at least ${Math.ceil(imageSize / 512)}, for at most 512 × 512 patches`, patchSize);
  },
});

/**
 * Checks a configuration.
 *
 * @param source The start of an error message, such as the file's path.
 * @throws ConfigError that names the field.
 */
export function checkClipConfig(config: unknown, source = 'CLIP config'): ClipConfig {
  return readConfig(configFields, config, source);
}

interface PublishedConfig {
  readonly model_type: 'clip';
  readonly vision_config: PublishedClipTransformer & { readonly image_size: number; readonly patch_size: number };
  readonly text_config: PublishedClipText;
  readonly projection_dim: number;
}

const standard = clipPresets['vit-b-32'];

// The file has many more fields, which concern training and generation. Its writers give null to those that they leave out.
const rules = { unknown: 'ignore', nullIsAbsent: true } as const;
const publishedConfig: Field<PublishedConfig> = object<PublishedConfig>(
  {
    model_type: field('"clip"', (value) => value === 'clip'),
    vision_config: object<PublishedConfig['vision_config'] & { readonly num_channels: 3 }>(
      {
        ...publishedClipTransformer(standard.image),
        image_size: optional(clipFields.imageSize, standard.imageSize),
        patch_size: optional(clipFields.patchSize, standard.patchSize),
        num_channels: optional(oneOf([3]), 3),
      },
      rules,
    ),
    text_config: publishedClipText,
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
  const [vision, text] = [clipConfigPart(json, 'vision_config'), clipConfigPart(json, 'text_config')];
  const { vision_config, text_config, projection_dim } = readConfig(
    publishedConfig,
    { ...json, vision_config: vision, text_config: text },
    source,
  );
  refuseUnknownOptions(json, source);
  refuseUnknownOptions(vision, source, 'vision_config.');
  refuseUnknownOptions(text, source, 'text_config.');
  return checkClipConfig(
    {
      imageSize: vision_config.image_size,
      patchSize: vision_config.patch_size,
      image: importClipTransformer(vision_config),
      vocabularySize: text_config.vocab_size,
      maxLength: text_config.max_position_embeddings,
      text: importClipTransformer(text_config),
      projectionSize: projection_dim,
    },
    source,
  );
}

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

/** Sizes of CLIP's text encoder. */
export interface ClipTextConfig {
  readonly vocabularySize: number;
  /** Number of learned positions: the longest caption, in tokens. */
  readonly maxLength: number;
  /** The transformer. */
  readonly text: ClipTransformerConfig;
  /** Width of the embeddings that captions share with images. Default: the model has no projection. */
  readonly projectionSize?: number | undefined;
}

const sizes: Fields<ClipTransformerConfig> = {
  width: sizeFields.width,
  layers: sizeFields.layers,
  heads: sizeFields.heads,
  feedForwardWidth: sizeFields.width,
  activation: oneOf(['quick_gelu', 'gelu']),
  layerNormEpsilon: number({ above: 0, max: 1 }),
};

/** The fields of a {@link ClipTextConfig}, to check one with. */
export const clipTextFields = {
  vocabularySize: sizeFields.vocabularySize,
  // A caption has at least its start and its end token.
  maxLength: integer({ min: 2, max: 2 ** 17 }),
  text: clipTransformerField(),
  projectionSize: sizeFields.width,
};

/** Returns the field of a {@link ClipTransformerConfig}, to check one with. */
export function clipTransformerField(): Field<ClipTransformerConfig> {
  return object(sizes, {
    check({ width, heads }, at) {
      if (width % heads !== 0) refuse(at('width'), `a multiple of the ${heads} heads`, width);
    },
  });
}

/** The part of a Hugging Face `config.json` that describes one of CLIP's transformers. */
export interface PublishedClipTransformer {
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly intermediate_size: number;
  readonly hidden_act: ClipTransformerConfig['activation'];
  readonly layer_norm_eps: number;
}

/** Returns the fields of a published transformer. Those that a file leaves out are as in `standard`. */
export function publishedClipTransformer(standard: ClipTransformerConfig): Fields<PublishedClipTransformer> {
  return {
    hidden_size: optional(sizes.width, standard.width),
    num_hidden_layers: optional(sizes.layers, standard.layers),
    num_attention_heads: optional(sizes.heads, standard.heads),
    intermediate_size: optional(sizes.feedForwardWidth, standard.feedForwardWidth),
    hidden_act: optional(sizes.activation, standard.activation),
    layer_norm_eps: optional(sizes.layerNormEpsilon, standard.layerNormEpsilon),
  };
}

/** Converts the sizes of a published transformer. */
export function importClipTransformer(published: PublishedClipTransformer): ClipTransformerConfig {
  return {
    width: published.hidden_size,
    layers: published.num_hidden_layers,
    heads: published.num_attention_heads,
    feedForwardWidth: published.intermediate_size,
    activation: published.hidden_act,
    layerNormEpsilon: published.layer_norm_eps,
  };
}

/** The sizes of the text encoder of ViT-B/32, which Hugging Face's code takes for those that a file leaves out. */
export const vitB32Text = {
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
} as const satisfies ClipTextConfig;

/** The part of a Hugging Face `config.json` that describes CLIP's text encoder. */
export interface PublishedClipText extends PublishedClipTransformer {
  readonly vocab_size: number;
  readonly max_position_embeddings: number;
}

// Files have many more fields, which concern training and generation. Their writers give null to those that they leave out.
const rules = { unknown: 'ignore', nullIsAbsent: true } as const;

/** The field of a published text encoder. */
export const publishedClipText: Field<PublishedClipText> = object<
  PublishedClipText & { readonly eos_token_id?: number | undefined }
>(
  {
    ...publishedClipTransformer(vitB32Text.text),
    vocab_size: optional(sizeFields.vocabularySize, vitB32Text.vocabularySize),
    max_position_embeddings: optional(clipTextFields.maxLength, vitB32Text.maxLength),
    eos_token_id: optional(sizeFields.tokenId),
  },
  {
    ...rules,
    check({ eos_token_id: end, vocab_size }, at) {
      // The state of the largest id represents a caption. Files from before the field was read have 2.
      if (end !== undefined && end !== 2 && end !== vocab_size - 1)
        refuse(at('eos_token_id'), `${vocab_size - 1}, the largest id of the vocabulary, or 2`, end);
    },
  },
);

const publishedFile = object(
  {
    model_type: field<'clip' | 'clip_text_model'>('"clip" or "clip_text_model"', (value) =>
      ['clip', 'clip_text_model'].includes(value as string),
    ),
    architectures: optional(
      field<readonly unknown[]>('a list of names', (value) => Array.isArray(value)),
      [],
    ),
    projection_dim: optional(sizeFields.width, vitB32Text.projectionSize),
  },
  rules,
);

/**
 * Reads the parsed `config.json` of Hugging Face's `CLIPModel`, `CLIPTextModel` or `CLIPTextModelWithProjection`, which its
 * `architectures` tell apart. What the file leaves out is as in ViT-B/32, as in Hugging Face's own reader.
 *
 * @param source The path of the file, for error messages.
 * @throws ConfigError that names the field which is out of its range or not supported.
 */
export function parseClipTextConfig(json: object, source = 'config.json'): ClipTextConfig {
  const { model_type, architectures, projection_dim } = readConfig(publishedFile, json, source);
  const isWhole = model_type === 'clip';
  const text = isWhole ? clipConfigPart(json, 'text_config') : json;
  const sizes = isWhole
    ? readConfig(object({ text_config: publishedClipText }, rules), { text_config: text }, source).text_config
    : readConfig(publishedClipText, json, source);
  refuseUnknownOptions(text, source, isWhole ? 'text_config.' : '');
  const isProjected = isWhole || architectures.includes('CLIPTextModelWithProjection');
  return {
    vocabularySize: sizes.vocab_size,
    maxLength: sizes.max_position_embeddings,
    text: importClipTransformer(sizes),
    projectionSize: isProjected ? projection_dim : undefined,
  };
}

/** Returns a part of CLIP's `config.json`. Older files have its sizes under a second name, which takes precedence. */
export function clipConfigPart(json: object, name: 'text_config' | 'vision_config'): object {
  const file = json as Record<string, object | undefined>;
  return { ...file[name], ...file[`${name}_dict`] };
}

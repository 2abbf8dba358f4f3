/** Sizes of one of CLIP's two transformers. */
export interface ClipTransformerConfig {
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  /** Width of the feed-forward layers, usually four times the hidden size. */
  readonly intermediateSize: number;
  /** Between the feed-forward layers: x · σ(1.702 x), as OpenAI trained, or the exact Gaussian error linear unit. */
  readonly activation: 'quick_gelu' | 'gelu';
  readonly layerNormEpsilon: number;
}

/** Sizes of a CLIP with a vision transformer. */
export interface ClipConfig {
  /** Width and height in pixels of the images that it sees. */
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
    hiddenSize: 768,
    layers: 12,
    heads: 12,
    intermediateSize: 3072,
    activation: 'quick_gelu',
    layerNormEpsilon: 1e-5,
  },
  vocabularySize: 49408,
  maxLength: 77,
  text: {
    hiddenSize: 512,
    layers: 12,
    heads: 8,
    intermediateSize: 2048,
    activation: 'quick_gelu',
    layerNormEpsilon: 1e-5,
  },
  projectionSize: 512,
} as const;

/** The sizes of OpenAI's checkpoints. */
export const clipPresets = {
  /** ViT-B/32, which DALL·E Mini's pictures were ranked with. */
  'vit-b-32': { ...base, patchSize: 32 },
  'vit-b-16': { ...base, patchSize: 16 },
} as const satisfies Record<string, ClipConfig>;

/**
 * Checks a configuration.
 * @throws RangeError that names the field.
 */
export function checkClipConfig(config: ClipConfig): void {
  const fail = (field: string, wanted: string, value: unknown) => {
    // Not JSON for numbers, where NaN would be null.
    const given = typeof value === 'number' ? value : JSON.stringify(value);
    throw new RangeError(`CLIP config: ${field} must be ${wanted}, not ${given}`);
  };
  const count = (field: string, value: unknown) => {
    if (!(Number.isSafeInteger(value) && (value as number) >= 1)) fail(field, 'a positive whole number', value);
  };
  for (const field of ['imageSize', 'patchSize', 'vocabularySize', 'maxLength', 'projectionSize'] as const) {
    count(field, config[field]);
  }
  if (config.imageSize % config.patchSize !== 0) {
    fail('imageSize', `a multiple of the patch size ${config.patchSize}`, config.imageSize);
  }
  // A caption is at least its start and its end token.
  if (config.maxLength < 2) fail('maxLength', '2 or more', config.maxLength);
  for (const tower of ['image', 'text'] as const) {
    const sizes = config[tower];
    for (const field of ['hiddenSize', 'layers', 'heads', 'intermediateSize'] as const) {
      count(`${tower}.${field}`, sizes[field]);
    }
    if (sizes.hiddenSize % sizes.heads !== 0) {
      fail(`${tower}.hiddenSize`, `divisible by the ${sizes.heads} attention heads`, sizes.hiddenSize);
    }
    if (sizes.activation !== 'quick_gelu' && sizes.activation !== 'gelu') {
      fail(`${tower}.activation`, '"quick_gelu" or "gelu"', sizes.activation);
    }
    if (!(sizes.layerNormEpsilon > 0)) fail(`${tower}.layerNormEpsilon`, 'a positive number', sizes.layerNormEpsilon);
  }
}

/**
 * Reads the `config.json` of a Hugging Face `CLIPModel`. What the file leaves out is as in ViT-B/32, as in Hugging Face's own reader.
 * @throws TypeError if it describes another kind of model; RangeError that names the field if a size is not sound.
 */
export function parseClipConfig(json: object): ClipConfig {
  const file = json as Record<string, unknown>;
  const require = (name: string, value: unknown, expected: unknown) => {
    if (value !== expected) {
      throw new TypeError(`config.json has ${name} ${JSON.stringify(value)}; CLIP needs ${JSON.stringify(expected)}.`);
    }
  };
  require('model_type', file.model_type, 'clip');
  // Older files hold the sizes under a second name, which wins.
  const part = (name: string) => ({ ...(file[name] as object), ...(file[`${name}_dict`] as object) }) as typeof file;
  const vision = part('vision_config');
  const text = part('text_config');
  require('num_channels', vision.num_channels ?? 3, 3);
  const standard = clipPresets['vit-b-32'];
  const transformer = (from: typeof file, assumed: ClipTransformerConfig) =>
    ({
      hiddenSize: from.hidden_size ?? assumed.hiddenSize,
      layers: from.num_hidden_layers ?? assumed.layers,
      heads: from.num_attention_heads ?? assumed.heads,
      intermediateSize: from.intermediate_size ?? assumed.intermediateSize,
      activation: from.hidden_act ?? assumed.activation,
      layerNormEpsilon: from.layer_norm_eps ?? assumed.layerNormEpsilon,
    }) as ClipTransformerConfig;
  const config = {
    imageSize: vision.image_size ?? standard.imageSize,
    patchSize: vision.patch_size ?? standard.patchSize,
    image: transformer(vision, standard.image),
    vocabularySize: text.vocab_size ?? standard.vocabularySize,
    maxLength: text.max_position_embeddings ?? standard.maxLength,
    text: transformer(text, standard.text),
    projectionSize: file.projection_dim ?? standard.projectionSize,
  } as ClipConfig;
  checkClipConfig(config);
  return config;
}

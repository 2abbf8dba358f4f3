import { boolean, number, object, oneOf, optional, readConfig, refuse, sizeFields } from '@dalle-mini/core';
import { refuseUnknownOptions } from '@dalle-mini/weights';

/** Sizes of a T5's encoder. */
export interface T5Config {
  readonly vocabularySize: number;
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  /** Width of the queries, keys and values of a head. */
  readonly headWidth: number;
  /** Width inside the feed-forward layers. */
  readonly feedForwardWidth: number;
  /** The feed-forward layers: gelu(x W₀) · x W₁, as in T5 1.1 and FLAN, or relu(x W), as in the first T5. */
  readonly feedForward: 'gated-gelu' | 'relu';
  /** Number of relative positions with a bias of their own. */
  readonly relativeBuckets: number;
  /** From this distance on all tokens have one bias. */
  readonly maxDistance: number;
  /** The longest caption in tokens. */
  readonly positions: number;
  readonly normEpsilon: number;
}

const rules = { unknown: 'ignore', nullIsAbsent: true } as const;

// What a file leaves out is as in Hugging Face's own reader.
const publishedFile = object(
  {
    model_type: oneOf(['t5']),
    vocab_size: optional(sizeFields.vocabularySize, 32128),
    d_model: optional(sizeFields.width, 512),
    d_kv: optional(sizeFields.width, 64),
    d_ff: optional(sizeFields.width, 2048),
    num_layers: optional(sizeFields.layers, 6),
    num_heads: optional(sizeFields.heads, 8),
    relative_attention_num_buckets: optional(sizeFields.length, 32),
    relative_attention_max_distance: optional(sizeFields.length, 128),
    layer_norm_epsilon: optional(number({ above: 0, max: 1 }), 1e-6),
    feed_forward_proj: optional(oneOf<T5Config['feedForward']>(['gated-gelu', 'relu']), 'relu'),
    n_positions: optional(sizeFields.length, 512),
    is_decoder: optional(oneOf([false])),
    is_gated_act: optional(boolean()),
  },
  {
    ...rules,
    check(file, at) {
      const { relative_attention_num_buckets: buckets, relative_attention_max_distance: maxDistance } = file;
      if (buckets % 4 !== 0) refuse(at('relative_attention_num_buckets'), 'a multiple of 4', buckets);
      if (maxDistance <= buckets / 4)
        refuse(
          at('relative_attention_max_distance'),
          `more than ${buckets / 4}, a quarter of the buckets`,
          maxDistance,
        );
      const isGated = file.feed_forward_proj === 'gated-gelu';
      if (file.is_gated_act !== undefined && file.is_gated_act !== isGated)
        refuse(at('is_gated_act'), `${isGated}, as feed_forward_proj has it`, file.is_gated_act);
    },
  },
);

/**
 * Reads the parsed `config.json` of a T5, T5 1.1 or FLAN-T5 of Hugging Face.
 *
 * @param source Path of the file, for error messages.
 * @throws ConfigError that names the field which is out of its range, or not supported by `t5`.
 */
export function parseT5Config(json: object, source = 'config.json'): T5Config {
  const file = readConfig(publishedFile, json, source);
  refuseUnknownOptions(json, source, '', ['is_gated_act']);
  return {
    vocabularySize: file.vocab_size,
    width: file.d_model,
    layers: file.num_layers,
    heads: file.num_heads,
    headWidth: file.d_kv,
    feedForwardWidth: file.d_ff,
    feedForward: file.feed_forward_proj,
    relativeBuckets: file.relative_attention_num_buckets,
    maxDistance: file.relative_attention_max_distance,
    positions: file.n_positions,
    normEpsilon: file.layer_norm_epsilon,
  };
}

/** The `config.json` of a published model, a `DalleBartConfig`. */
import {
  boolean,
  type Complete,
  type Field,
  type Fields,
  integer,
  type ObjectRules,
  object,
  oneOf,
  optional,
  refuse,
  sizeFields,
} from '@dalle-mini/core';
import { normPositions, type TransformerConfig, transformerDefaults, transformerFields } from '../config.js';
import type { Stack } from '../stack.js';

type Kind = Stack['kind'];

/** The field of `config.json` for each option of a stack. */
const optionFields = (kind: Kind) =>
  ({
    width: 'd_model',
    layers: `${kind}_layers`,
    heads: `${kind}_attention_heads`,
    feedForwardWidth: `${kind}_ffn_dim`,
    normPositions: 'ln_positions',
    norm: 'ln_type',
    forceNormScale: 'force_ln_scale',
    finalNorm: `use_final_ln_${kind}`,
    gated: 'use_glu',
    activation: 'activation_function',
    bias: 'use_bias',
    headScale: 'use_head_scale',
    scaleEmbedding: 'scale_embedding',
    absolutePositions: 'use_absolute_position_embeddings',
    relativePositions: 'use_swin_position_embeddings',
    cosineAttention: 'use_cosine_attention',
    tau: 'tau_init',
    deepnetScaling: 'use_deepnet_scaling',
    sublnInit: 'use_subln_init',
    initStd: 'init_std',
  }) satisfies Record<keyof TransformerConfig, string>;

/** What the published code has where `config.json` leaves a field out. */
const defaults = { ...transformerDefaults, width: 1024, layers: 12, heads: 16, feedForwardWidth: 4096 };

const optionsOf = (kind: Kind) => Object.entries(optionFields(kind)) as [keyof TransformerConfig, string][];

/** A `config.json`, complete: each field that it leaves out, or has as null, has the default of the published code. */
export interface PublishedConfig {
  readonly encoder_vocab_size: number;
  readonly max_text_length: number;
  readonly sinkhorn_iters: number;
  readonly image_length: number;
  readonly image_vocab_size: number;
  readonly decoder_start_token_id?: number | undefined;
  readonly tie_word_embeddings: boolean;
  readonly use_scan?: boolean | undefined;
  readonly [option: string]: number | boolean | string | undefined;
}

const optionReaders = (kind: Kind): Fields<Record<string, unknown>> =>
  Object.fromEntries(
    optionsOf(kind).map(([option, name]) => {
      const field: Field<unknown> =
        // DeepNet's norms are those of postln, as the published code says.
        option === 'normPositions' ? optional(oneOf([...normPositions, 'deepnet'])) : transformerFields[option];
      return [name, optional(field, defaults[option])];
    }),
  );

const rules: ObjectRules<PublishedConfig> = {
  // Of training and of generating.
  unknown: 'ignore',
  nullIsAbsent: true,
  check(json, at) {
    for (const kind of ['encoder', 'decoder']) {
      const heads = json[`${kind}_attention_heads`] as number;
      if ((json.d_model as number) % heads !== 0)
        refuse(at('d_model'), `a multiple of the ${heads} heads of ${kind}_attention_heads`, json.d_model);
      const finalNorm = `use_final_ln_${kind}`;
      if (/^(postln|deepnet)$/.test(json.ln_positions as string) && !json[finalNorm])
        refuse(at(finalNorm), `true where ln_positions is "${json.ln_positions}"`, json[finalNorm]);
    }
    if (json.ln_positions === 'swinv2' && json.use_scan)
      refuse(at('use_scan'), 'false where ln_positions is "swinv2", whose layers differ', json.use_scan);
    if (!Number.isInteger(Math.sqrt(json.image_length)))
      refuse(at('image_length'), 'a square number: images are as high as they are wide', json.image_length);
    const { image_vocab_size: rows, decoder_start_token_id: begin = rows } = json;
    if (begin > rows) refuse(at('decoder_start_token_id'), `at most image_vocab_size, ${rows}`, begin);
  },
};

/** Reads a `config.json`: the field of core's `readConfig`. */
export const publishedConfig: Field<PublishedConfig> = object<PublishedConfig>(
  {
    ...optionReaders('encoder'),
    ...optionReaders('decoder'),
    model_type: optional(oneOf(['dallebart'])),
    is_encoder_decoder: optional(oneOf([true])),
    // The published code does not have it either.
    use_alibi: optional(oneOf([false])),
    use_scan: optional(boolean()),
    encoder_vocab_size: optional(sizeFields.vocabularySize, 50264),
    max_text_length: optional(sizeFields.length, 64),
    sinkhorn_iters: optional(integer({ min: 1, max: 1024 }), 1),
    image_length: optional(integer({ min: 1, max: 512 ** 2 }), 256),
    image_vocab_size: optional(sizeFields.vocabularySize, 16384),
    decoder_start_token_id: optional(sizeFields.vocabularySize),
    tie_word_embeddings: optional(boolean(), false),
  },
  rules,
);

/** The options of a stack, from a `config.json`. */
export function importTransformerConfig(json: PublishedConfig, kind: Kind): Complete<TransformerConfig> {
  const options = optionsOf(kind).map(([option, name]) => [option, json[name] === 'deepnet' ? 'postln' : json[name]]);
  return Object.fromEntries(options);
}

/** The fields of a `config.json` from which {@link importTransformerConfig} reads the options of a stack. */
export function exportTransformerConfig(
  config: TransformerConfig,
  kind: Kind,
): Record<string, number | boolean | string> {
  return Object.fromEntries(optionsOf(kind).map(([option, name]) => [name, config[option] ?? defaults[option]]));
}

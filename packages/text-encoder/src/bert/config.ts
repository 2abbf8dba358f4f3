import { boolean, field, number, object, oneOf, optional, readConfig, refuse, sizeFields } from '@dalle-mini/core';
import { refuseUnknownOptions } from '@dalle-mini/weights';
import { type BertConfig, bertActivations } from './bert.js';
import type { BertFamily } from './names.js';

/**
 * Reads the parsed `config.json` of a BERT, RoBERTa, DistilBERT, MPNet or BART of Hugging Face. XLM-RoBERTa and CamemBERT are
 * RoBERTas.
 *
 * @param source Path of the file, for error messages.
 * @throws ConfigError that names the field which is missing, out of its range, or not supported by {@link bert}.
 */
export function parseBertConfig(json: object, source = 'config.json'): BertConfig {
  const { model_type } = readConfig(familyFile, json, source);
  refuseUnknownOptions(json, source);
  const family = model_type === 'xlm-roberta' || model_type === 'camembert' ? 'roberta' : model_type;
  return { family, ...readers[family](json, source) };
}

/** The values of `model_type` that {@link parseBertConfig} reads. */
export const bertModelTypes = ['bert', 'roberta', 'xlm-roberta', 'camembert', 'distilbert', 'mpnet', 'bart'] as const;

/** Files have many other fields, for training and generating. `null` counts as missing. */
const rules = { unknown: 'ignore', nullIsAbsent: true } as const;

const familyFile = object({ model_type: oneOf(bertModelTypes) }, rules);

const commonFields = {
  vocab_size: sizeFields.vocabularySize,
  max_position_embeddings: sizeFields.length,
  is_decoder: optional(oneOf([false])),
  position_embedding_type: optional(oneOf(['absolute'])),
  pruned_heads: optional(
    field('empty, for a model with all of its heads', (heads) => Object.keys(Object(heads)).length === 0),
  ),
};

const activation = optional(oneOf(bertActivations), 'gelu');

const bertFields = {
  ...commonFields,
  hidden_size: sizeFields.width,
  num_hidden_layers: sizeFields.layers,
  num_attention_heads: sizeFields.heads,
  intermediate_size: sizeFields.width,
  hidden_act: activation,
  type_vocab_size: sizeFields.vocabularySize,
  layer_norm_eps: number({ above: 0 }),
};

const bertFile = object(bertFields, {
  ...rules,
  check: (file, at) => checkHeads(file.hidden_size, file.num_attention_heads, at('hidden_size')),
});

const robertaFile = object(
  { ...bertFields, pad_token_id: optional(sizeFields.tokenId, 1) },
  {
    ...rules,
    check(file, at) {
      checkHeads(file.hidden_size, file.num_attention_heads, at('hidden_size'));
      const { max_position_embeddings: rows, pad_token_id } = file;
      if (rows <= pad_token_id + 1)
        refuse(at('max_position_embeddings'), `more than pad_token_id + 1, ${pad_token_id + 1}`, rows);
    },
  },
);

/** Rows of MPNet's table of positions before that of the first token. Its code has no option for the padding token. */
const mpnetFirstRows = 2;

const mpnetFile = object(
  {
    ...commonFields,
    hidden_size: sizeFields.width,
    num_hidden_layers: sizeFields.layers,
    num_attention_heads: sizeFields.heads,
    intermediate_size: sizeFields.width,
    hidden_act: activation,
    layer_norm_eps: number({ above: 0 }),
    // The code of MPNet uses 32 whatever the file says.
    relative_attention_num_buckets: optional(oneOf([32]), 32),
  },
  {
    ...rules,
    check(file, at) {
      checkHeads(file.hidden_size, file.num_attention_heads, at('hidden_size'));
      const { max_position_embeddings: rows } = file;
      if (rows <= mpnetFirstRows) refuse(at('max_position_embeddings'), `more than ${mpnetFirstRows}`, rows);
    },
  },
);

const distilbertFile = object(
  {
    ...commonFields,
    dim: sizeFields.width,
    n_layers: sizeFields.layers,
    n_heads: sizeFields.heads,
    hidden_dim: sizeFields.width,
    activation,
    sinusoidal_pos_embds: optional(boolean(), false),
  },
  { ...rules, check: (file, at) => checkHeads(file.dim, file.n_heads, at('dim')) },
);

const bartFile = object(
  {
    ...commonFields,
    d_model: sizeFields.width,
    encoder_layers: sizeFields.layers,
    encoder_attention_heads: sizeFields.heads,
    encoder_ffn_dim: sizeFields.width,
    activation_function: activation,
    scale_embedding: optional(boolean(), false),
    // Options of the first BART code in transformers, which today's code does not have.
    normalize_before: optional(oneOf([false])),
    add_final_layer_norm: optional(oneOf([false])),
    static_position_embeddings: optional(oneOf([false])),
    normalize_embedding: optional(oneOf([true])),
    extra_pos_embeddings: optional(oneOf([2])),
  },
  { ...rules, check: (file, at) => checkHeads(file.d_model, file.encoder_attention_heads, at('d_model')) },
);

function checkHeads(width: number, heads: number, path: string): void {
  if (width % heads !== 0) refuse(path, `a multiple of the ${heads} attention heads`, width);
}

const readers: Record<BertFamily, (json: object, source: string) => Omit<BertConfig, 'family'>> = {
  bert(json, source) {
    const file = readConfig(bertFile, json, source);
    return { ...bertSizes(file), positions: file.max_position_embeddings };
  },

  roberta(json, source) {
    const file = readConfig(robertaFile, json, source);
    const paddingId = file.pad_token_id;
    return { ...bertSizes(file), paddingId, positions: file.max_position_embeddings - paddingId - 1 };
  },

  mpnet(json, source) {
    const file = readConfig(mpnetFile, json, source);
    return {
      ...bertSizes({ ...file, type_vocab_size: 0 }),
      positions: file.max_position_embeddings - mpnetFirstRows,
      paddingId: mpnetFirstRows - 1,
      relativeBuckets: file.relative_attention_num_buckets,
    };
  },

  distilbert(json, source) {
    const file = readConfig(distilbertFile, json, source);
    return {
      vocabularySize: file.vocab_size,
      positions: file.max_position_embeddings,
      width: file.dim,
      layers: file.n_layers,
      heads: file.n_heads,
      feedForwardWidth: file.hidden_dim,
      activation: file.activation,
      sinusoidalPositions: file.sinusoidal_pos_embds,
      tokenTypes: 0,
      // The code of DistilBERT has no option for this value.
      layerNormEpsilon: 1e-12,
    };
  },

  bart(json, source) {
    const file = readConfig(bartFile, json, source);
    return {
      vocabularySize: file.vocab_size,
      positions: file.max_position_embeddings,
      width: file.d_model,
      layers: file.encoder_layers,
      heads: file.encoder_attention_heads,
      feedForwardWidth: file.encoder_ffn_dim,
      activation: file.activation_function,
      tokenTypes: 0,
      layerNormEpsilon: 1e-5,
      scaleEmbedding: file.scale_embedding,
    };
  },
};

function bertSizes(
  file: Omit<ReturnType<typeof bertFile.read>, 'max_position_embeddings'>,
): Omit<BertConfig, 'family' | 'positions'> {
  return {
    vocabularySize: file.vocab_size,
    width: file.hidden_size,
    layers: file.num_hidden_layers,
    heads: file.num_attention_heads,
    feedForwardWidth: file.intermediate_size,
    activation: file.hidden_act,
    tokenTypes: file.type_vocab_size,
    layerNormEpsilon: file.layer_norm_eps,
  };
}

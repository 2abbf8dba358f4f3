import { type BertConfig, bertActivations } from './bert.js';
import type { BertFamily } from './bert-names.js';

/**
 * Reads the `config.json` of a Hugging Face BERT, RoBERTa, DistilBERT or BART.
 * @throws TypeError that names the field of the file which is missing, of the wrong kind, or not what {@link bert} computes.
 */
export function parseBertConfig(json: object): BertConfig {
  const file = readConfig(json);
  const family = file.option<BertFamily>('model_type', ['bert', 'roberta', 'distilbert', 'bart']);
  file.option('is_decoder', [false], false);
  file.option('position_embedding_type', ['absolute'], 'absolute');
  file.empty('pruned_heads');
  return { family, vocabularySize: file.size('vocab_size'), ...readers[family](file) };
}

const readers: Record<BertFamily, (file: ConfigFile) => Omit<BertConfig, 'family' | 'vocabularySize'>> = {
  bert: (file) => ({
    ...bertSizes(file),
    positions: file.size('max_position_embeddings'),
  }),

  roberta: (file) => {
    const paddingId = file.whole('pad_token_id', 0, 1);
    const positions = file.size('max_position_embeddings') - paddingId - 1;
    if (positions < 1) file.refuse('max_position_embeddings', `more than the ${paddingId + 1} up to padding's`);
    return { ...bertSizes(file), paddingId, positions };
  },

  // Its code has no option for the norms.
  distilbert: (file) => ({
    ...sizes(file, { width: 'dim', layers: 'n_layers', heads: 'n_heads', feedForwardWidth: 'hidden_dim' }),
    activation: file.option('activation', bertActivations, 'gelu'),
    positions: file.size('max_position_embeddings'),
    sinusoidalPositions: file.option('sinusoidal_pos_embds', [true, false], false),
    tokenTypes: 0,
    layerNormEpsilon: 1e-12,
  }),

  bart: (file) => {
    // Options of BART's first code in transformers, which today's has no more.
    for (const field of ['normalize_before', 'add_final_layer_norm', 'static_position_embeddings']) {
      file.option(field, [false], false);
    }
    file.option('normalize_embedding', [true], true);
    file.option('extra_pos_embeddings', [2], 2);
    return {
      ...sizes(file, {
        width: 'd_model',
        layers: 'encoder_layers',
        heads: 'encoder_attention_heads',
        feedForwardWidth: 'encoder_ffn_dim',
      }),
      activation: file.option('activation_function', bertActivations, 'gelu'),
      positions: file.size('max_position_embeddings'),
      tokenTypes: 0,
      layerNormEpsilon: 1e-5,
      scaleEmbedding: file.option('scale_embedding', [true, false], false),
    };
  },
};

function bertSizes(file: ConfigFile) {
  return {
    ...sizes(file, {
      width: 'hidden_size',
      layers: 'num_hidden_layers',
      heads: 'num_attention_heads',
      feedForwardWidth: 'intermediate_size',
    }),
    activation: file.option('hidden_act', bertActivations, 'gelu'),
    tokenTypes: file.size('type_vocab_size'),
    layerNormEpsilon: file.positive('layer_norm_eps'),
  };
}

type Sizes = Record<'width' | 'layers' | 'heads' | 'feedForwardWidth', number>;

/** The sizes of the layers, under the names that the family has for them. */
function sizes(file: ConfigFile, fields: Record<keyof Sizes, string>): Sizes {
  const [width, heads] = [file.size(fields.width), file.size(fields.heads)];
  if (width % heads !== 0) file.refuse(fields.width, `a multiple of the ${heads} attention heads`);
  return { width, heads, layers: file.size(fields.layers), feedForwardWidth: file.size(fields.feedForwardWidth) };
}

type ConfigFile = ReturnType<typeof readConfig>;

/** Fields of a `config.json`. What is null counts as left out. */
function readConfig(json: object) {
  const file = json as Record<string, unknown>;
  const refuse = (field: string, wanted: string): never => {
    throw new TypeError(`config.json has ${field} ${JSON.stringify(file[field])}; it must be ${wanted}.`);
  };
  const whole = (field: string, least: number, otherwise?: number): number => {
    const value = (file[field] ?? otherwise) as number;
    return Number.isSafeInteger(value) && value >= least ? value : refuse(field, `a whole number of ${least} or more`);
  };
  return {
    refuse,
    whole,
    size: (field: string) => whole(field, 1),
    positive(field: string): number {
      const value = file[field];
      return typeof value === 'number' && value > 0 ? value : refuse(field, 'a positive number');
    },
    option<Value>(field: string, supported: readonly Value[], otherwise?: Value): Value {
      const value = file[field] ?? otherwise;
      const found = supported.find((one) => one === value);
      if (found !== undefined) return found;
      throw new TypeError(
        `config.json has ${field} ${JSON.stringify(value)}, which is not supported; ` +
          `give a model where it is ${supported.map((one) => JSON.stringify(one)).join(' or ')}.`,
      );
    },
    empty(field: string): void {
      if (Object.keys(file[field] ?? {}).length > 0) refuse(field, 'empty: give a model with all of its heads');
    },
  };
}

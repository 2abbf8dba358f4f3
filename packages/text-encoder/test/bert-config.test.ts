import { ConfigError } from '@dalle-mini/core';
import { parseBertConfig } from '@dalle-mini/text-encoder';
import { describe, expect, test } from 'vitest';
import { type Family, readModel } from './hugging-face.js';

const sizes = { width: 12, layers: 2, heads: 3, feedForwardWidth: 16, positions: 14, activation: 'gelu' };

describe('parseBertConfig', () => {
  test.each<[Family, object]>([
    ['bert', { vocabularySize: 150, tokenTypes: 2, layerNormEpsilon: 1e-12 }],
    ['roberta', { vocabularySize: 280, tokenTypes: 1, layerNormEpsilon: 1e-5, paddingId: 1 }],
    ['distilbert', { vocabularySize: 150, tokenTypes: 0, layerNormEpsilon: 1e-12, sinusoidalPositions: false }],
    ['bart', { vocabularySize: 280, tokenTypes: 0, layerNormEpsilon: 1e-5, scaleEmbedding: false }],
  ])('maps the names in the config.json of %s', (family, own) => {
    expect(parseBertConfig(readModel(family).config)).toEqual({ family, ...sizes, ...own });
  });

  test('uses the defaults of Hugging Face for missing options and null', () => {
    const { hidden_act: _, position_embedding_type: __, pad_token_id: ___, ...rest } = readModel('roberta').config;
    const config = parseBertConfig({ ...rest, position_embedding_type: null });
    expect(config).toEqual(parseBertConfig(readModel('roberta').config));
  });

  test.each(['xlm-roberta', 'camembert'])('reads %s as a RoBERTa', (model_type) => {
    const { config } = readModel('roberta');
    expect(parseBertConfig({ ...config, model_type })).toEqual(parseBertConfig(config));
  });

  test.each<[Family, Record<string, unknown>, string]>([
    [
      'bert',
      { model_type: 'deberta' },
      'model_type must be "bert", "roberta", "xlm-roberta", "camembert", "distilbert", "mpnet" or "bart", not "deberta".',
    ],
    ['bert', { model_type: 't5' }, 'model_type must be "bert", "roberta", "xlm-roberta", "camembert", '],
    ['bert', { model_type: undefined }, 'model_type is missing; it must be "bert", "roberta", "xlm-roberta",'],
    ['bert', { hidden_act: 'mish' }, 'hidden_act must be "gelu", "gelu_fast", "gelu_new", "gelu_pytorch_tanh"'],
    ['roberta', { hidden_act: 'toString' }, 'hidden_act must be "gelu"'],
    ['distilbert', { activation: 'mish' }, 'activation must be "gelu"'],
    ['bart', { activation_function: 'smelu' }, 'activation_function must be "gelu"'],
    ['bert', { position_embedding_type: 'relative_key' }, 'position_embedding_type must be "absolute", not "relative_'],
    ['roberta', { is_decoder: true }, 'is_decoder must be false, not true.'],
    [
      'distilbert',
      { pruned_heads: { 0: [1] } },
      'pruned_heads must be empty, for a model with all of its heads, not an',
    ],
    ['distilbert', { sinusoidal_pos_embds: 'yes' }, 'sinusoidal_pos_embds must be true or false, not "yes".'],
    ['bart', { normalize_before: true }, 'normalize_before must be false, not true.'],
    ['bart', { add_final_layer_norm: true }, 'add_final_layer_norm must be false, not true.'],
    ['bart', { normalize_embedding: false }, 'normalize_embedding must be true, not false.'],
    ['bart', { static_position_embeddings: true }, 'static_position_embeddings must be false, not true.'],
    ['bart', { extra_pos_embeddings: 0 }, 'extra_pos_embeddings must be 2, not 0.'],
    ['bart', { scale_embedding: 1 }, 'scale_embedding must be true or false, not 1.'],
    ['bert', { hidden_size: undefined }, 'hidden_size is missing; it must be a whole number from 1 to 131072.'],
    ['distilbert', { dim: '12' }, 'dim must be a whole number from 1 to 131072, not "12".'],
    ['bart', { encoder_layers: 1.5 }, 'encoder_layers must be a whole number from 1 to 1024, not 1.5.'],
    ['bert', { num_hidden_layers: 1e5 }, 'num_hidden_layers must be a whole number from 1 to 1024, not 100000.'],
    ['distilbert', { n_layers: 1e5 }, 'n_layers must be a whole number from 1 to 1024, not 100000.'],
    ['bert', { layer_norm_eps: -1 }, 'layer_norm_eps must be a number above 0, not -1.'],
    ['roberta', { pad_token_id: -1 }, 'pad_token_id must be a whole number from 0 to 16777215, not -1.'],
    ['roberta', { pad_token_id: 15 }, 'max_position_embeddings must be more than pad_token_id + 1, 16, not 16.'],
    ['bert', { embedding_size: 8 }, 'embedding_size is 8, an option that changes what the model computes'],
    ['roberta', { rope_theta: 10000 }, 'rope_theta is 10000, an option'],
    ['bert', { quantization_config: { bits: 4 } }, 'quantization_config is an object, an option'],
    ['bart', { encoder_attention_heads: 5 }, 'd_model must be a multiple of the 5 attention heads, not 12.'],
  ])('refuses %s with %j', (family, change, message) => {
    const config = { ...readModel(family).config, ...change };
    expect(() => parseBertConfig(config)).toThrow(ConfigError);
    expect(() => parseBertConfig(config)).toThrow(`config.json: ${message}`);
  });
});

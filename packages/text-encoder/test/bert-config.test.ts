import { parseBertConfig } from '@dalle-mini/text-encoder';
import { describe, expect, it } from 'vitest';
import { type Family, readModel } from './hugging-face.js';

const sizes = { width: 12, layers: 2, heads: 3, feedForwardWidth: 16, positions: 14, activation: 'gelu' };

describe('parseBertConfig', () => {
  it.each<[Family, object]>([
    ['bert', { vocabularySize: 150, tokenTypes: 2, layerNormEpsilon: 1e-12 }],
    ['roberta', { vocabularySize: 280, tokenTypes: 1, layerNormEpsilon: 1e-5, paddingId: 1 }],
    ['distilbert', { vocabularySize: 150, tokenTypes: 0, layerNormEpsilon: 1e-12, sinusoidalPositions: false }],
    ['bart', { vocabularySize: 280, tokenTypes: 0, layerNormEpsilon: 1e-5, scaleEmbedding: false }],
  ])('maps the names in the config.json of %s', (family, own) => {
    expect(parseBertConfig(readModel(family).config)).toEqual({ family, ...sizes, ...own });
  });

  it('has the defaults of Hugging Face for options that a file leaves out, or has as null', () => {
    const { hidden_act: _, position_embedding_type: __, pad_token_id: ___, ...rest } = readModel('roberta').config;
    const config = parseBertConfig({ ...rest, position_embedding_type: null });
    expect(config).toEqual(parseBertConfig(readModel('roberta').config));
  });

  it.each<[Family, Record<string, unknown>, string]>([
    [
      'bert',
      { model_type: 'xlm-roberta' },
      'config.json has model_type "xlm-roberta", which is not supported; ' +
        'give a model where it is "bert" or "roberta" or "distilbert" or "bart".',
    ],
    ['bert', { model_type: undefined }, 'model_type undefined, which is not supported'],
    ['bert', { hidden_act: 'mish' }, 'hidden_act "mish", which is not supported; give a model where it is "gelu" or'],
    ['roberta', { hidden_act: 'toString' }, 'hidden_act "toString", which is not supported'],
    ['distilbert', { activation: 'mish' }, 'activation "mish", which is not supported'],
    ['bart', { activation_function: 'smelu' }, 'activation_function "smelu", which is not supported'],
    ['bert', { position_embedding_type: 'relative_key' }, 'give a model where it is "absolute"'],
    ['roberta', { is_decoder: true }, 'is_decoder true, which is not supported; give a model where it is false'],
    ['distilbert', { pruned_heads: { 0: [1] } }, 'pruned_heads {"0":[1]}; it must be empty: give a model with all'],
    ['distilbert', { sinusoidal_pos_embds: 'yes' }, 'sinusoidal_pos_embds "yes"'],
    ['bart', { normalize_before: true }, 'normalize_before true, which is not supported'],
    ['bart', { add_final_layer_norm: true }, 'add_final_layer_norm true'],
    ['bart', { normalize_embedding: false }, 'normalize_embedding false'],
    ['bart', { static_position_embeddings: true }, 'static_position_embeddings true'],
    ['bart', { extra_pos_embeddings: 0 }, 'extra_pos_embeddings 0'],
    ['bart', { scale_embedding: 1 }, 'scale_embedding 1'],
    ['bert', { hidden_size: undefined }, 'hidden_size undefined; it must be a whole number of 1 or more'],
    ['distilbert', { dim: '12' }, 'dim "12"; it must be a whole number of 1 or more'],
    ['bart', { encoder_layers: 1.5 }, 'encoder_layers 1.5; it must be a whole number of 1 or more'],
    ['bert', { layer_norm_eps: -1 }, 'layer_norm_eps -1; it must be a positive number'],
    ['roberta', { pad_token_id: -1 }, 'pad_token_id -1; it must be a whole number of 0 or more'],
    ['roberta', { pad_token_id: 15 }, "max_position_embeddings 16; it must be more than the 16 up to padding's"],
    ['bart', { encoder_attention_heads: 5 }, 'd_model 12; it must be a multiple of the 5 attention heads'],
  ])('refuses %s with %j', (family, change, message) => {
    const config = { ...readModel(family).config, ...change };
    expect(() => parseBertConfig(config)).toThrow(TypeError);
    expect(() => parseBertConfig(config)).toThrow(message);
  });
});

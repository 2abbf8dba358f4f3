import { ConfigError } from '@dalle-mini/core';
import { refuseUnknownOptions } from '@dalle-mini/weights';
import { describe, expect, test } from 'vitest';

const sizes = { hidden_size: 12, num_attention_heads: 3 };

describe('refuseUnknownOptions', () => {
  test.each<[string, unknown]>([
    ['quantization_config', { quant_method: 'gptq' }],
    ['rope_theta', 10000],
    ['use_rotary_embeddings', true],
    ['use_alibi', true],
    ['layer_scale_init_value', 1e-5],
    ['use_glu', true],
    ['num_experts', 4],
    ['qk_layernorm', true],
    ['pre_norm', true],
    ['norm_type', 'rmsnorm'],
    ['embedding_size', 8],
    ['num_key_value_heads', 1],
    ['head_dim', 8],
    ['sliding_window', 128],
    ['attn_type', 'linear'],
    ['tanh_out', true],
    ['num_groups', 16],
    ['act_fn', 'gelu'],
  ])('refuses %s where it is %j', (name, value) => {
    const refuse = () => refuseUnknownOptions({ ...sizes, [name]: value }, 'a/config.json', 'part.');
    expect(refuse).toThrow(ConfigError);
    expect(refuse).toThrow(`a/config.json: part.${name} is `);
    expect(() => refuseUnknownOptions({ ...sizes, [name]: value }, 'a', '', [name])).not.toThrow();
  });

  test('ignores options that are off or as usual, and fields of training and generating', () => {
    const config = {
      ...sizes,
      use_rope: false,
      rope_scaling: null,
      quantization_config: {},
      sliding_window: 0,
      embedding_size: 12,
      num_key_value_heads: 3,
      head_dim: 4,
      attn_type: 'vanilla',
      num_groups: 32,
      dropout: 0.1,
      classifier_dropout: 0.2,
      transformers_version: '4.40.0',
      architectures: ['BertModel'],
      id2label: { 0: 'A' },
    };
    expect(() => refuseUnknownOptions(config, 'config.json')).not.toThrow();
  });
});

import { type ClipConfig, checkClipConfig, clipPresets, importClipConfig } from '@dalle-mini/clip';
import { ConfigError } from '@dalle-mini/core';
import { vitB32Text } from '@dalle-mini/text-encoder/clip';
import { describe, expect, test } from 'vitest';
import { tinyClip } from './fixtures.js';

describe('importClipConfig', () => {
  const { file, config } = tinyClip('patch-8');
  const vision = file.vision_config as object;

  test('maps the names of config.json', () => {
    const shared = { activation: 'gelu', layerNormEpsilon: 1e-5 };
    expect(config).toEqual({
      imageSize: 32,
      patchSize: 8,
      image: { width: 16, layers: 3, heads: 2, feedForwardWidth: 64, ...shared },
      vocabularySize: 574,
      maxLength: 77,
      text: { width: 24, layers: 1, heads: 4, feedForwardWidth: 96, ...shared },
      projectionSize: 20,
    });
  });

  test('takes what the file leaves out from ViT-B/32', () => {
    expect(importClipConfig({ model_type: 'clip' })).toEqual(clipPresets['vit-b-32']);
    expect(clipPresets['vit-b-32']).toMatchObject(vitB32Text);
    expect(importClipConfig({ model_type: 'clip', vision_config: { patch_size: 16 } })).toEqual(
      clipPresets['vit-b-16'],
    );
  });

  test('prefers the second name of older files', () => {
    const { text } = importClipConfig({
      model_type: 'clip',
      text_config: { hidden_act: 'quick_gelu' },
      text_config_dict: { hidden_act: 'gelu' },
      vision_config_dict: null,
    });
    expect(text.activation).toBe('gelu');
  });

  test.each<[Record<string, unknown>, string]>([
    [{ model_type: 'siglip' }, 'model_type must be "clip", not "siglip".'],
    [{ vision_config: { ...vision, num_channels: 1 } }, 'vision_config.num_channels must be 3, not 1.'],
    [{ vision_config: { ...vision, hidden_act: 'relu' } }, 'vision_config.hidden_act must be "quick_gelu" or "gelu"'],
    [
      { vision_config: { ...vision, num_hidden_layers: 1e6 } },
      'vision_config.num_hidden_layers must be a whole number',
    ],
    [{ vision_config: { ...vision, hidden_size: 15 } }, 'image.width must be a multiple of the 2 heads, not 15.'],
    [{ text_config: { max_position_embeddings: 1e9 } }, 'text_config.max_position_embeddings must be a whole number'],
    [{ vision_config: { ...vision, layer_scale_init: 0.1 } }, 'vision_config.layer_scale_init is 0.1, an option that'],
    [{ logit_bias: true }, 'logit_bias is true, an option that'],
    [{ projection_dim: 1.5 }, 'projection_dim must be a whole number from 1 to 131072, not 1.5.'],
  ])('refuses %j', (change, message) => {
    expect(() => importClipConfig({ ...file, ...change })).toThrow(ConfigError);
    expect(() => importClipConfig({ ...file, ...change }, 'clip/config.json')).toThrow(`clip/config.json: ${message}`);
  });
});

describe('checkClipConfig', () => {
  const base: ClipConfig = clipPresets['vit-b-32'];

  test.each(Object.entries(clipPresets))('accepts the preset %s', (_, preset) => {
    expect(() => checkClipConfig(preset)).not.toThrow();
  });

  test.each<[object, string]>([
    [{ imageSize: 225 }, 'imageSize must be a multiple of patchSize, 32, not 225.'],
    [{ imageSize: 8192, patchSize: 8 }, 'patchSize must be at least 16, for at most 512 × 512 patches, not 8.'],
    [{ patchSize: Number.NaN }, 'patchSize must be a whole number from 1 to 8192, not NaN.'],
    [{ maxLength: 1 }, 'maxLength must be a whole number from 2 to 131072, not 1.'],
    [{ vocabularySize: 1e12 }, 'vocabularySize must be a whole number from 1 to 16777216'],
    [{ image: { ...base.image, heads: 7 } }, 'image.width must be a multiple of the 7 heads, not 768.'],
    [{ image: { ...base.image, layers: 1e6 } }, 'image.layers must be a whole number from 1 to 1024, not 1000000.'],
    [{ image: { ...base.image, hiddenSize: 8 } }, 'image.hiddenSize is not known.'],
    [
      { text: { ...base.text, feedForwardWidth: 1e9 } },
      'text.feedForwardWidth must be a whole number from 1 to 131072',
    ],
    [{ text: { ...base.text, layerNormEpsilon: 0 } }, 'text.layerNormEpsilon must be a number'],
    [{ text: undefined }, 'text is missing'],
  ])('refuses %j', (change, message) => {
    expect(() => checkClipConfig({ ...base, ...change })).toThrow(ConfigError);
    expect(() => checkClipConfig({ ...base, ...change })).toThrow(`CLIP config: ${message}`);
  });
});

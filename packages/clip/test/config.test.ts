import { type ClipConfig, checkClipConfig, clipPresets, parseClipConfig } from '@dalle-mini/clip';
import { describe, expect, it } from 'vitest';
import { tinyClip } from './fixtures.js';

describe('parseClipConfig', () => {
  const { file, config } = tinyClip('patch-8');
  const vision = file.vision_config as object;

  it('maps the names of config.json', () => {
    const shared = { activation: 'gelu', layerNormEpsilon: 1e-5 };
    expect(config).toEqual({
      imageSize: 32,
      patchSize: 8,
      image: { hiddenSize: 16, layers: 3, heads: 2, intermediateSize: 64, ...shared },
      vocabularySize: 574,
      maxLength: 77,
      text: { hiddenSize: 24, layers: 1, heads: 4, intermediateSize: 96, ...shared },
      projectionSize: 20,
    });
  });

  it('takes what the file leaves out from ViT-B/32', () => {
    expect(parseClipConfig({ model_type: 'clip' })).toEqual(clipPresets['vit-b-32']);
    expect(parseClipConfig({ model_type: 'clip', vision_config: { patch_size: 16 } })).toEqual(clipPresets['vit-b-16']);
  });

  it('prefers the second name of older files', () => {
    const { text } = parseClipConfig({
      model_type: 'clip',
      text_config: { hidden_act: 'quick_gelu' },
      text_config_dict: { hidden_act: 'gelu' },
      vision_config_dict: null,
    });
    expect(text.activation).toBe('gelu');
  });

  it.each<[Record<string, unknown>, ErrorConstructor, RegExp]>([
    [{ model_type: 'siglip' }, TypeError, /model_type "siglip"/],
    [{ vision_config: { ...vision, num_channels: 1 } }, TypeError, /num_channels 1/],
    [{ vision_config: { ...vision, hidden_act: 'relu' } }, RangeError, /image.activation must be .*, not "relu"/],
    [{ projection_dim: 1.5 }, RangeError, /projectionSize must be a positive whole number, not 1.5/],
  ])('refuses %j', (change, type, message) => {
    expect(() => parseClipConfig({ ...file, ...change })).toThrow(type);
    expect(() => parseClipConfig({ ...file, ...change })).toThrow(message);
  });
});

describe('checkClipConfig', () => {
  const base: ClipConfig = clipPresets['vit-b-32'];

  it.each(Object.entries(clipPresets))('accepts the preset %s', (_, preset) => {
    expect(() => checkClipConfig(preset)).not.toThrow();
  });

  it.each<[Partial<ClipConfig>, RegExp]>([
    [{ imageSize: 225 }, /imageSize must be a multiple of the patch size 32, not 225/],
    [{ patchSize: Number.NaN }, /patchSize must be a positive whole number, not NaN/],
    [{ maxLength: 1 }, /maxLength must be 2 or more, not 1/],
    [{ image: { ...base.image, heads: 7 } }, /image.hiddenSize must be divisible by the 7 attention heads, not 768/],
    [{ text: { ...base.text, layers: 0 } }, /text.layers/],
    [{ text: { ...base.text, layerNormEpsilon: 0 } }, /text.layerNormEpsilon must be a positive number, not 0/],
  ])('refuses %j', (change, message) => {
    expect(() => checkClipConfig({ ...base, ...change })).toThrow(RangeError);
    expect(() => checkClipConfig({ ...base, ...change })).toThrow(message);
  });
});

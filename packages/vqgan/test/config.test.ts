import { ConfigError, readConfig } from '@dalle-mini/core';
import { sizeOf } from '@dalle-mini/graph';
import { attentiveVqgan as tiny } from '@dalle-mini/testing/tiny-vqgan';
import {
  checkVqganConfig,
  gridSizeOf,
  type VqganConfig,
  vqganConfigField,
  vqganParameters,
  vqganPresets,
} from '@dalle-mini/vqgan';
import { describe, expect, test } from 'vitest';

const parameterCount = (config: VqganConfig) =>
  [...vqganParameters(config).values()].reduce((count, { shape }) => count + sizeOf(shape), 0);

/**
 * The parameters of Taming's `modules/diffusionmodules/model.py` at ch 128, ch_mult [1, 1, 2, 2, 4], num_res_blocks 2,
 * attn_resolutions [16] and z_channels 256, layer by layer.
 */
function publishedCount(nEmbed: number): number {
  const conv = (from: number, to: number, kernel: number) => from * to * kernel * kernel + to;
  const norm = (channels: number) => 2 * channels;
  // norm1, conv1, norm2, conv2 and, where the width changes, nin_shortcut.
  const block = (from: number, to: number) =>
    norm(from) + conv(from, to, 3) + norm(to) + conv(to, to, 3) + (from === to ? 0 : conv(from, to, 1));
  // norm, q, k, v and proj_out.
  const attention = (channels: number) => norm(channels) + 4 * conv(channels, channels, 1);
  const middle = block(512, 512) + attention(512) + block(512, 512);
  const encoder =
    conv(3, 128, 3) +
    (2 * block(128, 128) + conv(128, 128, 3)) + // 256 × 256
    (2 * block(128, 128) + conv(128, 128, 3)) + // 128 × 128
    (block(128, 256) + block(256, 256) + conv(256, 256, 3)) + // 64 × 64
    (2 * block(256, 256) + conv(256, 256, 3)) + // 32 × 32
    (block(256, 512) + block(512, 512) + 2 * attention(512)) + // 16 × 16
    (middle + norm(512) + conv(512, 256, 3));
  const decoder =
    conv(256, 512, 3) +
    middle +
    (3 * block(512, 512) + 3 * attention(512) + conv(512, 512, 3)) + // 16 × 16
    (block(512, 256) + 2 * block(256, 256) + conv(256, 256, 3)) + // 32 × 32
    (3 * block(256, 256) + conv(256, 256, 3)) + // 64 × 64
    (block(256, 128) + 2 * block(128, 128) + conv(128, 128, 3)) + // 128 × 128
    3 * block(128, 128) + // 256 × 256
    (norm(128) + conv(128, 3, 3));
  const quantConvs = 2 * conv(256, 256, 1);
  return encoder + decoder + quantConvs + nEmbed * 256;
}

describe('the presets', () => {
  test("have the parameters of Taming's vqgan_imagenet_f16_16384 and vqgan_imagenet_f16_1024", () => {
    expect(publishedCount(16384)).toBe(76_073_859);
    expect(parameterCount(vqganPresets['f16-16384'])).toBe(publishedCount(16384));
    expect(parameterCount(vqganPresets['f16-1024'])).toBe(publishedCount(1024));
  });

  test('turn 256 × 256 pixels into 16 × 16 tokens, or, at f8, into 32 × 32', () => {
    for (const [name, preset] of Object.entries(vqganPresets)) {
      expect(() => checkVqganConfig(preset)).not.toThrow();
      expect([preset.resolution, gridSizeOf(preset)]).toEqual([256, name.includes('f8') ? 32 : 16]);
    }
  });

  test('of the Gumbel quantizer and of a decoder only have the parameters of these', () => {
    const names = (config: VqganConfig) => [...vqganParameters(config).keys()];
    const shape = (name: string) => vqganParameters(vqganPresets['gumbel-f8-8192']).get(name)?.shape;
    expect(shape('quantize.proj.weight')).toEqual([8192, 256, 1, 1]);
    expect(shape('quantize.embed.weight')).toEqual([8192, 256]);
    expect(shape('quantize.embedding.weight')).toBeUndefined();
    expect(names(vqganPresets['min-dalle'])).toEqual(
      names(vqganPresets['dalle-mini']).filter((name) => /^(quantize|post_quant_conv|decoder)\./.test(name)),
    );
  });
});

describe('checkVqganConfig', () => {
  const check = (changes: Record<string, unknown>) => () => checkVqganConfig({ ...tiny, ...changes });

  test('returns the configuration, without fields that are undefined', () => {
    expect(checkVqganConfig({ ...tiny, quantizer: undefined })).toEqual(tiny);
  });

  test.each<[string, number]>([
    ['resolution', 8192],
    ['inChannels', 2 ** 17],
    ['ch', 2 ** 17],
    ['numResBlocks', 64],
    ['zChannels', 2 ** 17],
    ['embedDim', 2 ** 17],
    ['nEmbed', 2 ** 24],
    ['normGroups', 2 ** 17],
  ])('refuses %s unless it is a whole number from 1 to %i', (field, max) => {
    for (const value of [0, -8, 1.5, Number.NaN, '8', null, max + 1, 1e300]) {
      expect(check({ [field]: value })).toThrow(ConfigError);
      expect(check({ [field]: value })).toThrow(
        `VQ-GAN config: ${field} must be a whole number from 1 to ${max}, not ${JSON.stringify(value).replace(/^null$/, String(value))}.`,
      );
    }
  });

  test('refuses a configuration that is not an object, lacks a field, or has an unknown one', () => {
    expect(() => checkVqganConfig([], 'config.json')).toThrow('config.json: the configuration must be an object');
    expect(check({ nEmbed: undefined })).toThrow('VQ-GAN config: nEmbed is missing; it must be a whole number');
    expect(check({ embeddings: 8 })).toThrow('VQ-GAN config: embeddings is not known.');
  });

  test('refuses lists of levels and resolutions that hold anything else, or too much', () => {
    for (const value of [8, null, [], Array(13).fill(1), [1, 0], [1, 2.5], ['1']]) {
      expect(check({ chMult: value })).toThrow(/^VQ-GAN config: chMult(\[\d\])? must be a/);
    }
    for (const value of [8, null, Array(65).fill(8), [0], ['1'], [1e9]]) {
      expect(check({ attnResolutions: value })).toThrow(/^VQ-GAN config: attnResolutions(\[\d\])? must be a/);
    }
    expect(check({ attnResolutions: [] })).not.toThrow();
  });

  test('refuses a resolution that cannot be halved between all levels', () => {
    expect(check({ resolution: 20, chMult: [1, 2, 2] })).not.toThrow();
    expect(check({ resolution: 18, chMult: [1, 2, 2] })).toThrow(
      'VQ-GAN config: resolution must be a multiple of 4, for the 3 levels of chMult, not 18.',
    );
  });

  test('takes more levels for the decoder than for the encoder, and no fewer', () => {
    const larger = { ...tiny, resolution: 32, decoderChMult: [1, 1, 2] };
    expect(gridSizeOf(checkVqganConfig(larger))).toBe(gridSizeOf(tiny));
    expect(check({ decoderChMult: [1] })).toThrow(
      'VQ-GAN config: decoderChMult must be as long as chMult, 2, or longer, not [1].',
    );
    expect(check({ resolution: 18, decoderChMult: [1, 1, 2] })).toThrow(
      'resolution must be a multiple of 4, for the 3 levels of decoderChMult, not 18.',
    );
    expect(check({ ch: 8, normGroups: 8, resolution: 32, decoderChMult: [1, 1, 2 ** 15] })).toThrow(
      'decoderChMult must be such that each ch · decoderChMult is at most 131072',
    );
  });

  test('refuses a grid of more than 512 × 512 tokens, and levels of too many channels', () => {
    expect(check({ resolution: 1024 })).not.toThrow();
    expect(check({ resolution: 1026 })).toThrow(
      'resolution must be at most 1024, for a grid of at most 512 × 512 tokens',
    );
    expect(check({ ch: 2 ** 16, chMult: [2, 4] })).toThrow(
      'chMult must be such that each ch · chMult is at most 131072',
    );
  });

  test('refuses channels that are not divisible by the groups of the norms', () => {
    // 32 groups by default.
    expect(check({ normGroups: undefined })).toThrow(
      'VQ-GAN config: normGroups must be a divisor of 8, the channels of a level (ch · chMult), not 32.',
    );
    expect(check({ normGroups: 5 })).toThrow('normGroups must be a divisor of 8');
    expect(check({ ch: 32, normGroups: undefined })).not.toThrow();
  });

  test('refuses a quantizer, a range of pixels or a half that does not exist', () => {
    expect(check({ quantizer: 'ema' })).toThrow('VQ-GAN config: quantizer must be "nearest" or "gumbel", not "ema".');
    expect(check({ quantizer: 'gumbel' })).not.toThrow();
    expect(check({ quantizer: 'gumbel', embedDim: 8 })).toThrow(
      'VQ-GAN config: embedDim must be equal to zChannels, 4, with quantizer "gumbel", not 8.',
    );
    for (const pixelRange of [[1, -1], [0], [0, 1, 2], ['0', '1'], '01', null, [0, null], [0, Number.NaN]]) {
      expect(check({ pixelRange })).toThrow(/^VQ-GAN config: pixelRange(\[\d\])? must be/);
    }
    expect(check({ decoderOnly: 'yes' })).toThrow('VQ-GAN config: decoderOnly must be true or false, not "yes".');
  });
});

test('a configuration inside another file is refused by the name of its field, and by the source that is given', () => {
  const read = (config: unknown) => readConfig(vqganConfigField, config, 'train.json');
  expect(read(vqganPresets['f16-1024'])).toEqual(vqganPresets['f16-1024']);
  expect(() => read({ ...tiny, numResBlocks: 1e6 })).toThrow(/^train\.json: numResBlocks must be a whole number from/);
});

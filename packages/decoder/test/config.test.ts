import { ConfigError, readConfig } from '@dalle-mini/core';
import {
  checkDecoderConfig,
  DalleMiniDecoder,
  type DecoderConfig,
  decoderConfigField,
  decoderParameters,
  decoderPresets,
  decoderSizesField,
} from '@dalle-mini/decoder';
import { sizeOf } from '@dalle-mini/graph';
import { tinyDecoder as tiny } from '@dalle-mini/testing/tiny-decoder';
import { describe, expect, test } from 'vitest';

const parameterCount = (config: DecoderConfig) =>
  [...decoderParameters(config).values()].reduce((count, { shape }) => count + sizeOf(shape), 0);

/**
 * Counts the parameters of the published Flax code for normformer with a GLU and without biases. In
 * `FlaxBartDecoderLayer`: four kernels in each attention; norms with bias only before each attention, with scale and
 * bias after it; in `GLU` three kernels and two norms with bias only. Around the layers: token and position embeddings,
 * their norm, the last norm and the head.
 */
function publishedCount({ width, glu, layers, rows }: Record<'width' | 'glu' | 'layers' | 'rows', number>): number {
  const attention = 4 * width * width + width + 2 * width;
  const feedForward = 3 * width * glu + width + glu;
  return layers * (2 * attention + feedForward) + rows * width + 256 * width + 2 * width + width + rows * width;
}

describe('the presets', () => {
  test("have the parameters of DALL·E Mini's decoder", () => {
    // d_model, decoder_ffn_dim, decoder_layers and image_vocab_size + 1 of its config.json, copied by kuprel/min-dalle.
    const published = publishedCount({ width: 1024, glu: 2730, layers: 12, rows: 16384 + 1 });
    expect(published).toBe(235_242_488);
    expect(parameterCount(decoderPresets['dalle-mini'])).toBe(published);
  });

  test("have the parameters of DALL·E Mega's decoder, whose tables are padded", () => {
    // tools/train/config/mega/config.json: image_vocab_size is 16415, decoder_start_token_id 16384.
    const published = publishedCount({ width: 2048, glu: 4096, layers: 24, rows: 16415 + 1 });
    expect(published).toBe(1_477_498_880);
    expect(parameterCount(decoderPresets['dalle-mega'])).toBe(published);
  });

  test('are valid', () => {
    for (const preset of Object.values(decoderPresets)) expect(() => checkDecoderConfig(preset)).not.toThrow();
  });
});

describe('checkDecoderConfig', () => {
  const check = (changes: Record<string, unknown>) => () => checkDecoderConfig({ ...tiny, ...changes });
  const refused = (changes: Record<string, unknown>, message: string) => {
    expect(check(changes)).toThrow(ConfigError);
    expect(check(changes)).toThrow(`decoder config: ${message}`);
  };

  const sizes = {
    vocabularySize: 2 ** 24,
    gridSize: 512,
    width: 2 ** 17,
    layers: 1024,
    heads: 1024,
    feedForwardWidth: 2 ** 17,
    textWidth: 2 ** 17,
  };
  test.each(Object.entries(sizes))('refuses %s unless it is a whole number from 1 to %d', (field, max) => {
    for (const [value, given] of [
      [0, '0'],
      [2.5, '2.5'],
      [Number.NaN, 'NaN'],
      ['8', '"8"'],
      [null, 'null'],
      [max + 1, String(max + 1)],
    ])
      refused({ [field]: value }, `${field} must be a whole number from 1 to ${max}, not ${given}.`);
    refused({ [field]: undefined }, `${field} is missing; it must be a whole number from 1 to ${max}.`);
  });

  const flags = [
    'forceNormScale',
    'finalNorm',
    'gated',
    'bias',
    'headScale',
    'scaleEmbedding',
    'absolutePositions',
    'cosineAttention',
    'deepnetScaling',
    'sublnInit',
    'tieEmbeddings',
  ];
  test.each(flags)('refuses %s unless it is true or false, or left out', (field) => {
    refused({ [field]: 1 }, `${field} must be true or false, not 1.`);
    refused({ [field]: null }, `${field} must be true or false, not null.`);
    for (const value of [true, false, undefined]) expect(check({ [field]: value })).not.toThrow();
  });

  test.each<[Record<string, unknown>, string]>([
    [
      { normPositions: 'deepnet' },
      'normPositions must be "normformer", "preln", "postln", "cogview", "swinv2" or "subln"',
    ],
    [{ norm: 'batchnorm' }, 'norm must be "layernorm" or "rmsnorm", not "batchnorm".'],
    [{ activation: 'tanh' }, 'activation must be "gelu", "gelu_new", "quick_gelu", "relu", "silu", "smelu" or "swish"'],
    [{ heads: 3 }, 'width must be a multiple of the 3 heads, not 16.'],
    [{ paddedVocabularySize: 24 }, 'paddedVocabularySize must be more than the 24 image tokens, not 24.'],
    [{ paddedVocabularySize: 25.5 }, 'paddedVocabularySize must be a whole number from 2 to 33554432, not 25.5.'],
    [{ tau: 0 }, 'tau must be a number above 0, not 0.'],
    [{ initStd: Number.POSITIVE_INFINITY }, 'initStd must be a number above 0, not Infinity.'],
    [{ relativePositions: 1 }, 'relativePositions must be true or false, not 1.'],
    [{ relativePositions: true }, 'textLength must be given if relativePositions is true, not undefined.'],
    [{ textLength: 2 ** 18 }, 'textLength must be a whole number from 1 to 131072, not 262144.'],
    [
      { normPositions: 'postln', finalNorm: false },
      'finalNorm must be true where normPositions is "postln", not false.',
    ],
    [{ relativePosition: true }, 'relativePosition is not known. Did you mean relativePositions?'],
  ])('refuses %j', refused);

  test('returns a valid configuration', () => {
    const config = { ...tiny, paddedVocabularySize: 25, relativePositions: true, textLength: 5 };
    expect(checkDecoderConfig(config)).toEqual(config);
  });
});

test('a decoder of a million layers is refused before its graph is built', () => {
  const runtime = { compile: () => Promise.reject(new Error('not reached')), dispose: async () => undefined, name: '' };
  expect(() => new DalleMiniDecoder({ ...tiny, layers: 1e6 }, new Map(), { runtime })).toThrow(
    'decoder config: layers must be a whole number from 1 to 1024, not 1000000.',
  );
});

test('a wrong configuration inside another file is refused with the name of the file and of the field', () => {
  const read = (config: unknown) => readConfig(decoderConfigField, config, 'train.json');
  expect(read(decoderPresets['dalle-mini'])).toEqual(decoderPresets['dalle-mini']);
  expect(() => read({ ...decoderPresets['dalle-mini'], layers: 1e6 })).toThrow(
    'train.json: layers must be a whole number from 1 to 1024, not 1000000.',
  );
});

test('the sizes of a decoder are read without what follows from its image tokenizer and its text encoder', () => {
  const read = (sizes: unknown) => readConfig(decoderSizesField, sizes, 'train.json');
  const sizes = { width: 8, layers: 1, heads: 2, feedForwardWidth: 16, tieEmbeddings: true };
  expect(read(sizes)).toEqual(sizes);
  expect(() => read({ ...sizes, gridSize: 16 })).toThrow('train.json: gridSize is not known');
  expect(() => read({ ...sizes, heads: 3 })).toThrow('train.json: width must be a multiple of the 3 heads, not 8.');
});

import { checkDecoderConfig, type DecoderConfig, decoderParameters, decoderPresets } from '@dalle-mini/decoder';
import { sizeOf } from '@dalle-mini/graph';
import { describe, expect, test } from 'vitest';
import { tiny } from './tiny.js';

const parameterCount = (config: DecoderConfig) =>
  [...decoderParameters(config).values()].reduce((count, { shape }) => count + sizeOf(shape), 0);

/**
 * What the published flax code declares for normformer with a GLU and without biases. In `FlaxBartDecoderLayer`: four
 * kernels in each attention; norms with bias only before each attention, with scale and bias after it; in `GLU` three kernels
 * and two norms with bias only. Around the layers: token and position embeddings, their norm, the last norm and the head.
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

  test('are sound', () => {
    for (const preset of Object.values(decoderPresets)) expect(() => checkDecoderConfig(preset)).not.toThrow();
  });
});

describe('checkDecoderConfig', () => {
  const sizes = ['vocabularySize', 'gridSize', 'width', 'layers', 'heads', 'feedForwardWidth', 'textWidth'] as const;
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
  ] as const;

  const check = (changes: Record<string, unknown>) => () => checkDecoderConfig({ ...tiny, ...changes });

  test.each(sizes)('refuses %s unless it is a positive whole number', (field) => {
    for (const [value, given] of [
      [0, '0'],
      [-4, '-4'],
      [2.5, '2.5'],
      [Number.NaN, 'NaN'],
      ['8', '"8"'],
      [null, 'null'],
      [undefined, 'undefined'],
    ]) {
      expect(check({ [field as string]: value })).toThrow(
        new RangeError(`decoder config: ${field} must be a positive whole number, not ${given}`),
      );
    }
  });

  test.each(flags)('refuses %s unless it is true or false, or left out', (field) => {
    expect(check({ [field]: 1 })).toThrow(new RangeError(`decoder config: ${field} must be true or false, not 1`));
    expect(check({ [field]: null })).toThrow(`${field} must be true or false, not null`);
    for (const value of [true, false, undefined]) expect(check({ [field]: value })).not.toThrow();
  });

  test.each([
    ['normPositions', 'deepnet', 'one of normformer, preln, postln, cogview, swinv2, subln'],
    ['norm', 'batchnorm', 'one of layernorm, rmsnorm'],
    ['activation', 'tanh', 'one of gelu, gelu_new, quick_gelu, relu, silu, smelu, swish'],
  ])('refuses %s "%s"', (field, value, choices) => {
    expect(check({ [field]: value })).toThrow(
      new RangeError(`decoder config: ${field} must be ${choices}, not "${value}"`),
    );
  });

  test('refuses a width that the heads do not divide', () => {
    expect(check({ heads: 3 })).toThrow(
      new RangeError('decoder config: width must be a multiple of the 3 heads, not 16'),
    );
  });

  test('refuses a padded vocabulary without room for the begin token', () => {
    expect(check({ paddedVocabularySize: 25 })).not.toThrow();
    for (const value of [24, 25.5, '32']) {
      expect(check({ paddedVocabularySize: value })).toThrow(
        'decoder config: paddedVocabularySize must be a whole number above the 24 image tokens, not',
      );
    }
  });

  test.each(['tau', 'initStd'])('refuses %s unless it is a number above 0', (field) => {
    for (const value of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, '0.1', null])
      expect(check({ [field]: value })).toThrow(`decoder config: ${field} must be a number above 0, not `);
  });

  test('demands the length of captions with relative positions', () => {
    expect(check({ relativePositions: true, textLength: 5 })).not.toThrow();
    expect(check({ relativePositions: true })).toThrow(
      new RangeError('decoder config: textLength must be a positive whole number, not undefined'),
    );
    expect(check({ relativePositions: 1 })).toThrow('relativePositions must be true or false, not 1');
  });

  test('refuses postln without its last norm, as the published code does', () => {
    expect(check({ normPositions: 'postln', finalNorm: false })).toThrow(
      new RangeError('decoder config: finalNorm must be true where normPositions is postln, not false'),
    );
  });
});

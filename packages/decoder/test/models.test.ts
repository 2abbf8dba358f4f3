import { ConfigError, readConfig } from '@dalle-mini/core';
import {
  anyDecoderConfigField,
  anyDecoderSizesField,
  checkAnyDecoderConfig,
  decoderOnlyPresets,
  llamaGenPresets,
  textWidthOf,
} from '@dalle-mini/decoder';
import { tinyDecoder, tinyMaskedDecoder } from '@dalle-mini/testing/tiny-decoder';
import { describe, expect, test } from 'vitest';

const decoderOnly = decoderOnlyPresets['min-dalle-e'];

describe('the configuration of any decoder', () => {
  test.each([
    ['DALL·E Mini', tinyDecoder, 12],
    ['a masked decoder', tinyMaskedDecoder, 12],
    ['minDALL-E', decoderOnly, 0],
    ['LlamaGen with captions', llamaGenPresets.text, 2048],
    ['LlamaGen with classes', llamaGenPresets.B, 0],
  ])('is that of %s, with the width of what it reads', (_, config, textWidth) => {
    expect(checkAnyDecoderConfig(config)).toMatchObject(config);
    expect(textWidthOf(checkAnyDecoderConfig(config))).toBe(textWidth);
  });

  test('is refused with a wrong kind, or with fields of another kind', () => {
    const check = (config: object) => () => checkAnyDecoderConfig(config, 'decoder.json');
    expect(check({ ...tinyDecoder, kind: 'diffusion' })).toThrow(ConfigError);
    expect(check({ ...tinyDecoder, kind: 'diffusion' })).toThrow(/decoder\.json.*kind/);
    expect(check({ ...tinyDecoder, textVocabularySize: 9 })).toThrow('textVocabularySize');
    const named = () => readConfig(anyDecoderConfigField, { ...decoderOnly, heads: 7 }, 'decoder.json');
    expect(named).toThrow('width must be a multiple of the 7 heads');
  });
});

test('the sizes of any decoder are without what follows from its tokenizer and its text encoder', () => {
  const read = (sizes: object) => readConfig(anyDecoderSizesField, sizes, 'training.json');
  const sizes = { kind: 'llama-gen', width: 16, layers: 2, heads: 2 };
  expect(read(sizes)).toMatchObject(sizes);
  expect(() => read({ ...sizes, vocabularySize: 24 })).toThrow('vocabularySize');
  expect(() => read({ ...sizes, kind: 'masked' })).toThrow('feedForwardWidth');
});

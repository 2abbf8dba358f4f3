import { ConfigError } from '@dalle-mini/core';
import {
  type DecoderConfig,
  decoderPresets,
  exportConfig,
  exportDecoder,
  importDecoder,
  importDecoderConfig,
} from '@dalle-mini/decoder';
import { fixture, listed, released, whole } from '@dalle-mini/testing/published';
import {
  type BartConfig,
  bartPresets,
  exportTextEncoder,
  importTextEncoder,
  importTextEncoderConfig,
} from '@dalle-mini/text-encoder';
import { toFloat32 } from '@dalle-mini/weights';
import { describe, expect, test } from 'vitest';

const options = fixture(new URL('fixtures/options', import.meta.url));
const { base, variants } = options.description as { base: object; variants: Record<string, object> };

describe('importDecoderConfig', () => {
  test('reads the configuration of DALL·E Mega', () => {
    // The fields of tools/train/config/mega/config.json that differ from the defaults.
    const config = importDecoderConfig({
      d_model: 2048,
      decoder_attention_heads: 32,
      decoder_ffn_dim: 4096,
      decoder_layers: 24,
      decoder_start_token_id: 16384,
      encoder_layers: 24,
      encoder_vocab_size: 50272,
      image_vocab_size: 16415,
      init_std: 0.01,
      model_type: 'dallebart',
    });
    expect(config).toMatchObject(decoderPresets['dalle-mega']);
  });

  test('uses the defaults of the published code for missing fields and null', () => {
    expect(importDecoderConfig({ use_scan: null, decoder_layers: null })).toEqual({
      vocabularySize: 16384,
      paddedVocabularySize: 16385,
      gridSize: 16,
      width: 1024,
      layers: 12,
      heads: 16,
      feedForwardWidth: 4096,
      textWidth: 1024,
      textLength: 64,
      normPositions: 'normformer',
      norm: 'layernorm',
      forceNormScale: false,
      finalNorm: true,
      gated: true,
      activation: 'gelu',
      bias: false,
      headScale: false,
      scaleEmbedding: false,
      absolutePositions: true,
      relativePositions: false,
      cosineAttention: false,
      tau: 0.05,
      deepnetScaling: false,
      sublnInit: false,
      initStd: 0.02,
      tieEmbeddings: false,
    });
  });

  test.each<[object, string]>([
    [{ model_type: 'bart' }, 'model_type must be "dallebart", not "bart".'],
    [{ is_encoder_decoder: false }, 'is_encoder_decoder must be true, not false'],
    [{ use_alibi: true }, 'use_alibi must be false, not true.'],
    [{ image_length: 250 }, 'image_length must be a square number: images are as high as they are wide, not 250'],
    [{ decoder_start_token_id: 16385 }, 'decoder_start_token_id must be at most image_vocab_size, 16384, not 16385'],
    [{ ln_type: 'batchnorm' }, 'ln_type must be "layernorm" or "rmsnorm", not "batchnorm".'],
    [
      { ln_positions: 'midln' },
      'ln_positions must be "normformer", "preln", "postln", "cogview", "swinv2", "subln" or',
    ],
    [
      { activation_function: 'tanh' },
      'activation_function must be "gelu", "gelu_new", "quick_gelu", "relu", "silu", "smelu"',
    ],
    [{ ln_positions: 'swinv2', use_scan: true }, 'use_scan must be false where ln_positions is "swinv2"'],
    [{ ln_positions: 'deepnet', use_final_ln_encoder: false }, 'use_final_ln_encoder must be true where ln_positions'],
    [{ use_glu: 'yes' }, 'use_glu must be true or false, not "yes"'],
    [{ d_model: '1024' }, 'd_model must be a whole number from 1 to 131072, not "1024".'],
    [{ decoder_layers: 1e6 }, 'decoder_layers must be a whole number from 1 to 1024, not 1000000.'],
    [{ encoder_layers: 1e6 }, 'encoder_layers must be a whole number from 1 to 1024, not 1000000.'],
    [{ decoder_attention_heads: 3 }, 'd_model must be a multiple of the 3 heads of decoder_attention_heads, not 1024.'],
  ])('refuses %j', (change, message) => {
    expect(() => importDecoderConfig(change)).toThrow(ConfigError);
    expect(() => importDecoderConfig(change)).toThrow(`config.json: ${message}`);
  });
});

describe('importDecoder', async () => {
  const { description, tensors } = whole;
  const json = (description as { config: object }).config;
  const config = importDecoderConfig(json);
  const ofRelease = () => {
    const all = released(tensors);
    return new Map([...all].filter(([name]) => /^(model|lm_head)\//.test(name)));
  };

  test('and importTextEncoder take all tensors, in either order', () => {
    for (const takes of [
      [importDecoder, importTextEncoder],
      [importTextEncoder, importDecoder],
    ]) {
      const checkpoint = ofRelease();
      for (const take of takes) {
        if (take === importDecoder) importDecoder(checkpoint, config);
        else importTextEncoder(checkpoint, importTextEncoderConfig(json));
      }
      expect(checkpoint.size).toBe(0);
    }
  });

  test('reuses the memory of the published checkpoint', () => {
    const checkpoint = ofRelease();
    const given = new Set([...checkpoint.values()].map(({ bytes }) => bytes.buffer));
    for (const { bytes } of importDecoder(checkpoint, config).values()) expect(given).toContain(bytes.buffer);
  });

  test('transposes each layer of a stacked kernel, also in 16 bits and at any offset', () => {
    const name = 'model/decoder/layers/FlaxBartDecoderLayers/GLU_0/Dense_0/kernel';
    const checkpoint = ofRelease();
    const { shape, bytes } = checkpoint.get(name)!;
    const [layers, rows, columns] = shape as [number, number, number];
    const values = toFloat32({ dtype: 'F32', shape, bytes });
    const halves = new Uint16Array(new Uint32Array(values.buffer.slice(0)).map((bits) => bits >>> 16));
    const unaligned = new Uint8Array(halves.byteLength + 1).subarray(1);
    unaligned.set(new Uint8Array(halves.buffer));
    checkpoint.set(name, { dtype: 'BF16', shape, bytes: unaligned });
    const taken = importDecoder(checkpoint, config).get(`layers.${layers - 1}.glu.fc0.weight`)!;
    expect(taken.shape).toEqual([columns, rows]);
    const at = (layer: number, row: number, column: number) => halves[(layer * rows + row) * columns + column];
    const result = new Uint16Array(Uint8Array.from(taken.bytes).buffer);
    for (let column = 0; column < columns; column++) {
      for (let row = 0; row < rows; row++) expect(result[column * rows + row]).toBe(at(layers - 1, row, column));
    }
  });

  test('names a tensor that is missing, of another shape, left over, or unknown', () => {
    const change = (edit: (checkpoint: ReturnType<typeof ofRelease>) => void) => () => {
      const checkpoint = ofRelease();
      edit(checkpoint);
      importDecoder(checkpoint, config);
    };
    const bias = { dtype: 'F32', shape: [2], bytes: new Uint8Array(8) } as const;
    expect(change((c) => c.delete('lm_head/kernel'))).toThrow('lm_head.weight is missing');
    expect(change((c) => c.set('lm_head/kernel', bias))).toThrow(
      /lm_head\.weight must have shape \[\d+, \d+\], not \[2\]/,
    );
    expect(change((c) => c.set('lm_head/bias', bias))).toThrow('has lm_head/bias, which a model of this config.json');
    expect(change((c) => c.set('model/decoder/layers/FlaxBartDecoderLayer_0/FlaxBartAttention_0/tau', bias))).toThrow(
      'The published decoder has model/decoder/layers/FlaxBartDecoderLayer_0/FlaxBartAttention_0/tau, which',
    );
  });
});

describe('exportDecoder', () => {
  test.each(Object.entries(variants))('is the inverse of importDecoder, variant %s', (name, variant) => {
    const config = importDecoderConfig({ ...base, ...variant });
    const original = () =>
      new Map([...released(options.tensors, `${name}/`)].filter(([path]) => /^(model|lm_head)\//.test(path)));
    const { use_scan: scan } = variant as { use_scan?: boolean };
    expect(listed(exportDecoder(importDecoder(original(), config), config, { scan }))).toEqual(listed(original()));
  });

  test('and exportTextEncoder give the whole published checkpoint', async () => {
    const { description, tensors } = whole;
    const { config: json } = description as { config: object };
    const original = () => new Map([...released(tensors)].filter(([name]) => /^(model|lm_head)\//.test(name)));
    const [textEncoder, decoder] = [importTextEncoderConfig(json), importDecoderConfig(json)];
    const again = new Map([
      ...exportTextEncoder(importTextEncoder(original(), textEncoder), textEncoder),
      ...exportDecoder(importDecoder(original(), decoder), decoder),
    ]);
    expect(listed(again)).toEqual(listed(original()));
  });
});

describe('exportConfig', () => {
  test.each(Object.entries(variants))('is the inverse of the imports, variant %s', (_, variant) => {
    const published = { ...base, ...variant } as { use_scan?: boolean; ln_positions?: string };
    const [textEncoder, decoder] = [importTextEncoderConfig(published), importDecoderConfig(published)];
    const json = exportConfig(textEncoder, decoder, { scan: published.use_scan });
    const { dropout, gradient_checkpointing, ...fields } = published as Record<string, unknown>;
    expect(json).toMatchObject({
      ...fields,
      ...(fields.ln_positions === 'deepnet' ? { ln_positions: 'postln' } : {}),
      use_scan: published.use_scan ?? published.ln_positions !== 'swinv2',
    });
    expect(importTextEncoderConfig(json)).toEqual(textEncoder);
    expect(importDecoderConfig(json)).toEqual(decoder);
  });

  test('has the values of DALL·E Mega, whose tables are padded', () => {
    // tools/train/config/mega/config.json
    expect(exportConfig(bartPresets['dalle-mega'], decoderPresets['dalle-mega'])).toMatchObject({
      model_type: 'dallebart',
      is_encoder_decoder: true,
      d_model: 2048,
      decoder_attention_heads: 32,
      decoder_ffn_dim: 4096,
      decoder_layers: 24,
      decoder_start_token_id: 16384,
      encoder_layers: 24,
      encoder_vocab_size: 50272,
      image_length: 256,
      image_vocab_size: 16415,
      init_std: 0.01,
      ln_positions: 'normformer',
      max_text_length: 64,
      tie_word_embeddings: false,
      use_glu: true,
    });
  });

  const sizes = { width: 8, layers: 2, heads: 2, feedForwardWidth: 12 };
  const textEncoder: BartConfig = { vocabularySize: 9, maxLength: 6, ...sizes };
  const decoder: DecoderConfig = { vocabularySize: 12, gridSize: 3, textWidth: 8, ...sizes };
  test.each<[Partial<BartConfig>, Partial<DecoderConfig>, string]>([
    [
      { width: 16 },
      { textWidth: 16 },
      'd_model must be the same for both, not 16 for the text encoder and 8 for the decoder',
    ],
    [{}, { bias: true }, 'use_bias must be the same for both, not false for the text encoder and true for the decoder'],
    [{}, { textWidth: 16 }, 'textWidth must be 8, the width of the text encoder, not 16.'],
    [{}, { textLength: 7 }, 'textLength must be 6, the maxLength of the text encoder, not 7.'],
    [{ decoderLayers: 3 }, {}, 'decoderLayers must be 2, the layers of the decoder, not 3.'],
    [{ heads: 3 }, {}, 'd_model must be a multiple of the 3 heads of encoder_attention_heads, not 8.'],
  ])('refuses a text encoder with %j and a decoder with %j', (ofEncoder, ofDecoder, message) => {
    const call = () => exportConfig({ ...textEncoder, ...ofEncoder }, { ...decoder, ...ofDecoder });
    expect(call).toThrow(ConfigError);
    expect(call).toThrow(message);
  });

  test('refuses to stack different layers', () => {
    const swin = { normPositions: 'swinv2' } as const;
    expect(() => exportConfig({ ...textEncoder, ...swin }, { ...decoder, ...swin }, { scan: true })).toThrow(
      'use_scan must be false where ln_positions is "swinv2"',
    );
  });
});

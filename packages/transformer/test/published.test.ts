import { readConfig } from '@dalle-mini/core';
import { input, ParameterScope } from '@dalle-mini/graph';
import { initializeParameters } from '@dalle-mini/graph/initializers';
import {
  createStack,
  encoder,
  exportTransformer,
  exportTransformerConfig,
  importTransformer,
  importTransformerConfig,
  normPositions,
  publishedConfig,
  type TransformerConfig,
} from '@dalle-mini/transformer';
import { fromFloat32 } from '@dalle-mini/weights';
import { describe, expect, test } from 'vitest';

const sizes = { width: 8, layers: 2, heads: 2, feedForwardWidth: 12 };

/** The parameters of an encoder of a configuration, and values for them. */
function encoderOf(config: TransformerConfig) {
  const scope = new ParameterScope();
  const stack = createStack('encoder', config, { tokens: 9, positions: 4, depths: { encoder: 2, decoder: 2 } });
  encoder(scope, stack, input('ids', [2, 4], 'int32'), input('attentionMask', [2, 4], 'int32'));
  const values = initializeParameters(scope.parameters, 1);
  const weights = new Map(
    [...values].map(([name, { data, shape }]) => [name, fromFloat32(data as Float32Array, [...shape])]),
  );
  return { parameters: scope.parameters, weights };
}

describe('a published checkpoint', () => {
  test.each(
    normPositions.flatMap((positions) =>
      (positions === 'swinv2' ? [false] : [true, false]).map((scan) => [positions, scan] as const),
    ),
  )('of %s, stacked: %s, gives back the weights that were exported', (positions, scan) => {
    const config = { ...sizes, normPositions: positions };
    const { parameters, weights } = encoderOf(config);
    const published = exportTransformer(weights, 'encoder', config, parameters, { scan });
    expect([...published.keys()].some((name) => name.includes('FlaxBartEncoderLayers/'))).toBe(scan);
    const imported = importTransformer(published, 'encoder', config, parameters);
    expect(published.size).toBe(0);
    expect(new Set(imported.keys())).toEqual(new Set(weights.keys()));
    for (const [name, tensor] of imported) expect([name, tensor]).toEqual([name, weights.get(name)]);
  });

  test('leaves the other stack where it is', () => {
    const { parameters, weights } = encoderOf(sizes);
    const published = exportTransformer(weights, 'encoder', sizes, parameters);
    const other = fromFloat32(new Float32Array(1), [1]);
    published.set('model/decoder/final_ln/bias', other);
    importTransformer(published, 'encoder', sizes, parameters);
    expect([...published]).toEqual([['model/decoder/final_ln/bias', other]]);
  });

  test('with a tensor that is missing, or not known, is refused by its name', () => {
    const { parameters, weights } = encoderOf(sizes);
    const export_ = () => exportTransformer(weights, 'encoder', sizes, parameters);
    const incomplete = export_();
    incomplete.delete('model/encoder/final_ln/bias');
    expect(() => importTransformer(incomplete, 'encoder', sizes, parameters)).toThrow('final_ln.bias is missing');
    const more = export_().set('model/encoder/another/bias', fromFloat32(new Float32Array(1), [1]));
    expect(() => importTransformer(more, 'encoder', sizes, parameters)).toThrow('has model/encoder/another/bias');
  });
});

describe('a published configuration', () => {
  test('gives back the options of both stacks that were exported', () => {
    const options = {
      ...sizes,
      normPositions: 'preln',
      norm: 'rmsnorm',
      gated: false,
      bias: true,
      initStd: 0.03,
    } as const;
    const ofDecoder = { ...options, layers: 3, heads: 4, feedForwardWidth: 16, finalNorm: false };
    const exported = {
      ...exportTransformerConfig(options, 'encoder'),
      ...exportTransformerConfig(ofDecoder, 'decoder'),
    };
    const json = readConfig(publishedConfig, exported, 'config.json');
    expect(importTransformerConfig(json, 'encoder')).toMatchObject(options);
    expect(importTransformerConfig(json, 'decoder')).toMatchObject(ofDecoder);
  });

  test('has the published code’s defaults where it leaves fields out, or has null', () => {
    const json = readConfig(publishedConfig, { d_model: null, training: 'ignored' }, 'config.json');
    expect(json).toMatchObject({ d_model: 1024, encoder_layers: 12, image_length: 256, image_vocab_size: 16384 });
    expect(json).not.toHaveProperty('training');
  });

  test.each([
    [{ encoder_layers: 1e6 }, 'encoder_layers must be a whole number from 1 to 1024, not 1000000.'],
    [{ model_type: 'bart' }, 'model_type must be "dallebart", not "bart".'],
    [{ image_length: 255 }, 'image_length must be a square number'],
    [{ ln_positions: 'postln', use_final_ln_encoder: false }, 'use_final_ln_encoder must be true where ln_positions'],
  ])('%j is refused by the name of the field', (json, message) => {
    expect(() => readConfig(publishedConfig, json, 'config.json')).toThrow(message);
  });
});

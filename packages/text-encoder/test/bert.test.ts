import { readFileSync } from 'node:fs';
import { GraphError, input, ParameterScope, type TensorData } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { dequantize, readSafetensors, toFloat32, toInt32 } from '@dalle-mini/weights';
import { afterAll, describe, expect, it } from 'vitest';
import { bert, parseBertConfig } from '../src/bert.js';
import { tinyBert } from './tiny-bert.js';

const runtime = new OnnxRuntime();
afterAll(() => runtime.dispose());

const config = parseBertConfig(tinyBert.config);
const [batch, length] = [3, 12];

function build(tokens = length) {
  const scope = new ParameterScope();
  const inputs = {
    ids: input('ids', [batch, tokens], 'int32'),
    attentionMask: input('attentionMask', [batch, tokens], 'int32'),
  };
  const hiddenStates = bert(scope, config, inputs.ids, inputs.attentionMask);
  return { scope, graph: { inputs, outputs: { hiddenStates } } };
}

describe('bert', () => {
  it('gives the hidden states of Hugging Face on random weights', async () => {
    const outputs = readSafetensors(
      readFileSync(new URL('fixtures/tiny-bert/outputs.safetensors', import.meta.url)),
    ).tensors;
    const ids = toInt32(outputs.get('ids')!);
    const mask = toInt32(outputs.get('attentionMask')!);
    const expected = toFloat32(outputs.get('hiddenStates')!);
    const int32 = (data: Int32Array): TensorData => ({ dtype: 'int32', shape: [batch, length], data });
    const executable = await runtime.compile(build().graph, { parameters: dequantize(tinyBert.weights) });
    const { hiddenStates } = await executable.run({ ids: int32(ids), attentionMask: int32(mask) });
    await executable.dispose();
    expect(hiddenStates!.shape).toEqual([batch, length, config.hiddenSize]);
    // Float32 sums in another order: a few units of 2⁻²⁴ for each of some tens of operations.
    const peak = Math.max(...expected.map(Math.abs));
    const worst = Math.max(...expected.map((value, i) => Math.abs(value - hiddenStates!.data[i]!)));
    expect(worst / peak).toBeLessThan(1e-5);
  });

  it('declares the parameters that Hugging Face stores, under the same names and shapes', () => {
    const declared = [...build().scope.parameters].map(([name, { shape }]) => `${name} [${shape}]`);
    const stored = [...tinyBert.weights].map(([name, { shape }]) => `${name} [${shape}]`);
    expect(declared.sort()).toEqual(stored.sort());
  });

  it('refuses captions past the last position', () => {
    expect(() => build(17)).toThrow(GraphError);
  });
});

describe('parseBertConfig', () => {
  it('maps the names of config.json', () => {
    expect(config).toEqual({
      vocabularySize: 99,
      hiddenSize: 32,
      layers: 2,
      heads: 4,
      intermediateSize: 64,
      maxPositions: 16,
      tokenTypes: 2,
      layerNormEpsilon: 1e-12,
    });
  });

  it.each<[Record<string, unknown>, RegExp]>([
    [{ model_type: 'roberta' }, /model_type "roberta"/],
    [{ model_type: undefined }, /model_type undefined/],
    [{ hidden_act: 'relu' }, /hidden_act "relu"/],
    [{ position_embedding_type: 'relative_key' }, /position_embedding_type/],
    [{ is_decoder: true }, /is_decoder true/],
    [{ hidden_size: undefined }, /hidden_size undefined/],
    [{ num_hidden_layers: 1.5 }, /num_hidden_layers 1.5; it must be a whole number/],
    [{ layer_norm_eps: -1 }, /layer_norm_eps -1/],
    [{ num_attention_heads: 5 }, /5 attention heads do not divide/],
  ])('refuses %j', (change, message) => {
    expect(() => parseBertConfig({ ...tinyBert.config, ...change })).toThrow(TypeError);
    expect(() => parseBertConfig({ ...tinyBert.config, ...change })).toThrow(message);
  });
});

import { readFileSync } from 'node:fs';
import { GraphError, input, ParameterScope, type TensorData } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { dequantize } from '@dalle-mini/graph/stored';
import { bert, parseBertConfig } from '@dalle-mini/text-encoder';
import { readSafetensors, toFloat32, toInt32 } from '@dalle-mini/weights';
import { afterAll, describe, expect, test } from 'vitest';
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
  test('returns the hidden states of Hugging Face for random weights', async () => {
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
    expect(hiddenStates!.shape).toEqual([batch, length, config.width]);
    // The order of float32 sums differs: a few units of 2⁻²⁴ for each of some tens of operations.
    const peak = Math.max(...expected.map(Math.abs));
    const worst = Math.max(...expected.map((value, i) => Math.abs(value - hiddenStates!.data[i]!)));
    expect(worst / peak).toBeLessThan(1e-5);
  });

  test('declares the parameters that Hugging Face stores, under the same names and shapes', () => {
    const declared = [...build().scope.parameters].map(([name, { shape }]) => `${name} [${shape}]`);
    const stored = [...tinyBert.weights].map(([name, { shape }]) => `${name} [${shape}]`);
    expect(declared.sort()).toEqual(stored.sort());
  });

  test('refuses captions with more tokens than positions', () => {
    expect(() => build(17)).toThrow(GraphError);
  });
});

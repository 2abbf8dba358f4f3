import { readFileSync } from 'node:fs';
import { GraphError, input, ParameterScope } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { relativeError } from '@dalle-mini/testing/values';
import { parseT5Config, T5TextEncoder, t5, t5Graph, t5Weights, textEncoderSizes } from '@dalle-mini/text-encoder';
import { loadTextTokenizer } from '@dalle-mini/text-encoder/tokenizers';
import { CheckpointError, readCheckpoint, toFloat32, toInt32 } from '@dalle-mini/weights';
import { afterAll, expect, test } from 'vitest';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

/** A T5 as transformers saves it, with its decoder: see scripts/reference/text_encoders.py. */
const read = (name: string) => readFileSync(new URL(`fixtures/text-encoders/${name}`, import.meta.url));
const readJson = (name: string) => JSON.parse(read(name).toString());
const tensorsOf = (name: string) => readCheckpoint(read(name)).tensors;
const json = readJson('t5/config.json');
const config = parseT5Config(json);

test('the encoder of a T5 is made of its configuration, its weights and its tokenizer', async () => {
  const { captions, maxLength } = readJson('captions.json');
  const tokenizer = await loadTextTokenizer(readJson('t5/tokenizer.json'), readJson('t5/tokenizer_config.json'));
  const weights = t5Weights(tensorsOf('t5/model.safetensors'), config);
  await using encoder = new T5TextEncoder(config, weights, { runtime, maxLength, tokenizer });
  const { hiddenStates, attentionMask, width } = await encoder.encode(captions);
  const expected = tensorsOf('t5/outputs.safetensors');
  expect(attentionMask).toEqual(toInt32(expected.get('attentionMask')!));
  // Nothing attends to padding.
  const atTokens = (states: Float32Array) => states.filter((_, i) => attentionMask[Math.floor(i / width)] === 1);
  expect(relativeError(atTokens(hiddenStates), atTokens(toFloat32(expected.get('hiddenStates')!)))).toBeLessThan(1e-5);
});

test('a T5 has the parameters of the encoder in its file, and computes a state of each token', () => {
  const scope = new ParameterScope();
  const [ids, mask] = [input('ids', [3, 7], 'int32'), input('attentionMask', [3, 7], 'int32')];
  expect(t5(scope, config, ids, mask).shape).toEqual([3, 7, config.width]);
  const stored = [...tensorsOf('t5/model.safetensors').keys()];
  const ofEncoder = stored.filter((name) => name === 'shared.weight' || /^encoder\.(block|final)/.test(name));
  expect([...scope.parameters.keys()].sort()).toEqual(ofEncoder.sort());
});

test('the graph of a T5 takes captions of any length up to its positions', () => {
  const { inputs, outputs } = t5Graph(config, 2, 5);
  expect(inputs.ids).toMatchObject({ shape: [2, 5], dtype: 'int32' });
  expect(outputs.hiddenStates!.shape).toEqual([2, 5, config.width]);
  expect(outputs.hiddenStates!.dynamic?.[0]).toBe(1);
  expect(() => t5Graph({ ...config, positions: 4 }, 2, 5)).toThrow(GraphError);
});

test('weights of a T5 that are missing are named', () => {
  const weights = new Map(tensorsOf('t5/model.safetensors'));
  weights.delete('encoder.final_layer_norm.weight');
  expect(() => t5Weights(weights, config)).toThrow(CheckpointError);
  expect(() => t5Weights(weights, config)).toThrow('encoder.final_layer_norm.weight');
});

test.each([
  ['t5', 12, 512],
  ['clip', 12, 24],
])('the sizes of the text encoder in the folder of %s are in its config.json', (name, width, positions) => {
  expect(textEncoderSizes(readJson(`${name}/config.json`))).toEqual({ width, positions });
});

import { readFile } from 'node:fs/promises';
import { DalleMiniDecoder, type DecoderConfig, teacherForced } from '@dalle-mini/decoder';
import { crossEntropy, grad, input, mean, ParameterScope, type TensorData } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { type Checkpoint, readSafetensors, type StoredTensor, toFloat32, toInt32 } from '@dalle-mini/weights';
import { afterAll, describe, expect, test } from 'vitest';

const runtime = new OnnxRuntime();
afterAll(() => runtime.dispose());

const read = (name: string) => readFile(new URL(`fixtures/dalle-mini.${name}`, import.meta.url));
const { config: published } = JSON.parse(await readFile(new URL('fixtures/dalle-mini.json', import.meta.url), 'utf8'));
const tensors: Checkpoint = readSafetensors(await read('safetensors')).tensors;

const config: DecoderConfig = {
  vocabularySize: published.image_vocab_size,
  gridSize: Math.sqrt(published.image_length),
  width: published.d_model,
  layers: published.decoder_layers,
  heads: published.decoder_attention_heads,
  feedForwardWidth: published.decoder_ffn_dim,
  textWidth: published.d_model,
};

/** Where flax's module of each role in a decoder layer has its counterpart. */
const layerModules: Record<string, string> = {
  'FlaxBartAttention_0.': 'self_attn.',
  'FlaxBartAttention_1.': 'encoder_attn.',
  'GLU_0.LayerNorm_0': 'glu.ln0',
  'GLU_0.LayerNorm_1': 'glu.ln1',
  'GLU_0.Dense_0': 'glu.fc0',
  'GLU_0.Dense_1': 'glu.fc1',
  'GLU_0.Dense_2': 'glu.fc2',
  LayerNorm_0: 'pre_self_attn_layer_norm',
  LayerNorm_1: 'self_attn_layer_norm',
  LayerNorm_2: 'pre_encoder_attn_layer_norm',
  LayerNorm_3: 'encoder_attn_layer_norm',
};

function transposed(data: Float32Array, [rows, columns]: readonly number[]): Float32Array {
  return Float32Array.from({ length: data.length }, (_, i) => data[(i % rows!) * columns! + Math.floor(i / rows!)]!);
}

/** One published tensor under this package's names and layouts; a stacked one gives one for each layer. */
function convert(name: string, tensor: StoredTensor): [string, TensorData][] {
  const rename = (path: string) => path.replace(/\.(kernel|embedding|scale)$/, '.weight');
  const data = toFloat32(tensor);
  const entry = (path: string, shape: readonly number[], values: Float32Array): [string, TensorData] =>
    path.endsWith('.kernel')
      ? [rename(path), { dtype: 'float32', shape: [shape[1]!, shape[0]!], data: transposed(values, shape) }]
      : [rename(path), { dtype: 'float32', shape, data: values }];
  if (name.startsWith('lm_head.')) return [entry(name, tensor.shape, data)];
  const path = name.slice('model.decoder.'.length);
  const stacked = 'layers.FlaxBartDecoderLayers.';
  if (!path.startsWith(stacked)) return [entry(path, tensor.shape, data)];
  const [role, target] = Object.entries(layerModules).find(([key]) => path.slice(stacked.length).startsWith(key))!;
  const rest = path.slice(stacked.length + role.length);
  const [layers, ...shape] = tensor.shape as [number, ...number[]];
  const size = data.length / layers;
  return Array.from({ length: layers }, (_, layer) =>
    entry(`layers.${layer}.${target}${rest}`, shape, data.slice(layer * size, (layer + 1) * size)),
  );
}

const weights = new Map(
  [...tensors]
    .filter(([name]) => name.startsWith('model.decoder.') || name.startsWith('lm_head.'))
    .flatMap(([name, tensor]) => convert(name, tensor)),
);

const floats = (name: string): TensorData => ({
  dtype: 'float32',
  shape: tensors.get(name)!.shape,
  data: toFloat32(tensors.get(name)!),
});
const integers = (name: string): TensorData => ({
  dtype: 'int32',
  shape: tensors.get(name)!.shape,
  data: toInt32(tensors.get(name)!),
});

function relativeError(actual: TensorData, expected: TensorData): number {
  expect(actual.shape).toEqual(expected.shape);
  const scale = expected.data.reduce((most: number, value: number) => Math.max(most, Math.abs(value)), 0);
  let worst = 0;
  for (const [i, value] of expected.data.entries()) worst = Math.max(worst, Math.abs(value - actual.data[i]!));
  return worst / scale;
}

function build() {
  const scope = new ParameterScope();
  const tokens = input('tokens', tensors.get('tokens')!.shape, 'int32');
  const hiddenStates = input('hiddenStates', tensors.get('encoder_hidden_states')!.shape);
  const attentionMask = input('attentionMask', tensors.get('text_mask')!.shape, 'int32');
  const logits = teacherForced(scope, config, tokens, { hiddenStates, attentionMask });
  return { scope, tokens, logits, inputs: { tokens, hiddenStates, attentionMask } };
}

const given = {
  tokens: integers('tokens'),
  hiddenStates: floats('encoder_hidden_states'),
  attentionMask: integers('text_mask'),
};

const encoding = (prefix: 'encoder' | 'empty_encoder', mask: string, captions?: number) => {
  const hidden = tensors.get(`${prefix}_hidden_states`)!;
  const [all, length, hiddenSize] = hidden.shape as [number, number, number];
  const batch = captions ?? all;
  return {
    batch,
    length,
    hiddenSize,
    hiddenStates: toFloat32(hidden).slice(0, batch * length * hiddenSize),
    attentionMask: toInt32(tensors.get(mask)!).slice(0, batch * length),
  };
};

describe("DALL·E Mini's published decoder", () => {
  test('has exactly the parameters of the published checkpoint', () => {
    const { scope } = build();
    expect([...scope.parameters.keys()].sort()).toEqual([...weights.keys()].sort());
  });

  test('gives the same logits at every position', async () => {
    const { logits, inputs } = build();
    const executable = await runtime.compile({ inputs, outputs: { logits } }, { parameters: weights });
    const result = await executable.run(given);
    expect(relativeError(result.logits!, floats('logits'))).toBeLessThan(1e-4);
  });

  test('has the same loss and gradients', async () => {
    const { scope, tokens, logits, inputs } = build();
    const loss = mean(crossEntropy(logits, tokens));
    const converted = [...tensors]
      .filter(([name]) => name.startsWith('gradient.model.decoder.') || name.startsWith('gradient.lm_head.'))
      .flatMap(([name, tensor]) => convert(name.slice('gradient.'.length), tensor));
    expect(converted.length).toBeGreaterThan(0);
    const gradients = grad(
      loss,
      converted.map(([name]) => scope.parameters.get(name)!),
    );
    const outputs = { loss, ...Object.fromEntries(converted.map(([name], i) => [name, gradients[i]!])) };
    const executable = await runtime.compile({ inputs, outputs }, { parameters: weights });
    const result = await executable.run(given);
    expect(result.loss!.data[0]).toBeCloseTo(floats('loss').data[0]!, 4);
    for (const [name, value] of converted) expect(relativeError(result[name]!, value), name).toBeLessThan(1e-4);
  });

  test('decodes greedily to exactly the same tokens, with its cache', async () => {
    const decoder = new DalleMiniDecoder(config, weights, runtime);
    const grids = await decoder.generate(encoding('encoder', 'text_mask'), { temperature: 0 });
    expect(grids.flatMap((grid) => [...grid])).toEqual([...toInt32(tensors.get('greedy_tokens')!)]);
    await decoder.dispose();
  });

  test('decodes greedily to exactly the same tokens under super conditioning', async () => {
    const decoder = new DalleMiniDecoder(config, weights, runtime);
    const unconditional = encoding('empty_encoder', 'empty_text_mask', 1);
    const grids = await decoder.generate(encoding('encoder', 'text_mask'), {
      temperature: 0,
      guidanceScale: 3,
      unconditional,
    });
    expect(grids.flatMap((grid) => [...grid])).toEqual([...toInt32(tensors.get('guided_greedy_tokens')!)]);
    await decoder.dispose();
  });
});

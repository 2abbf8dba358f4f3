import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { TextEncoding } from '@dalle-mini/core';
import {
  checkLlamaGenConfig,
  decoderParameters,
  importLlamaGen,
  importLlamaGenConfig,
  type LlamaGenConfig,
  LlamaGenDecoder,
  llamaGenLogits,
  llamaGenPresets,
  padAtStart,
} from '@dalle-mini/decoder';
import { input, ParameterScope, sizeOf, type TensorData } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { bindParameters } from '@dalle-mini/graph/stored';
import { randomParameters } from '@dalle-mini/testing/tiny-decoder';
import { type Checkpoint, CheckpointError, readSafetensors, toFloat32, toInt32 } from '@dalle-mini/weights';
import { readCheckpointFile } from '@dalle-mini/weights/node';
import { afterAll, describe, expect, test } from 'vitest';
import { teacherForcedAndCached } from './cached-logits.js';
import { relativeError } from './compare.js';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const place = (name: string) => fileURLToPath(new URL(`../../testing/fixtures/llama-gen-${name}`, import.meta.url));
const expectedOf = (name: string) => readSafetensors(readFileSync(place(`${name}.safetensors`))).tensors;
const sizes = { kind: 'llama-gen', vocabularySize: 24, gridSize: 4, width: 16, layers: 2, heads: 2 } as const;
const configs: Record<'classes' | 'text', LlamaGenConfig> = {
  classes: { ...sizes, classes: 5 },
  text: { ...sizes, textWidth: 12, textLength: 120 },
};

const parametersOf = async (name: keyof typeof configs) => {
  const { tensors } = await readCheckpointFile(place(`${name}.pt`));
  return bindParameters(decoderParameters(configs[name]), tensors, { isUnneeded: () => false });
};

/** The conditions of a fixture as the graph reads them, and as encodings. */
function conditionOf(name: keyof typeof configs, tensors: Checkpoint) {
  const condition = tensors.get('condition')!;
  const batch = condition.shape[0]!;
  if (name === 'classes') {
    const tokens = toInt32(condition);
    const none = { hiddenStates: new Float32Array(), width: 0 };
    return {
      inputs: { ids: { dtype: 'int32', shape: [batch, 1], data: tokens } } as Record<string, TensorData>,
      encoding: { tokens, attentionMask: new Int32Array(batch).fill(1), batch, length: 1, ...none } as TextEncoding,
    };
  }
  const [, length, width] = condition.shape as [number, number, number];
  const [padded, masks] = [toFloat32(condition), toInt32(tensors.get('masks')!)];
  // The interface pads at the end, the published code at the start.
  const hiddenStates = new Float32Array(padded.length).fill(9);
  const attentionMask = new Int32Array(masks.length);
  for (let i = 0; i < batch; i++) {
    const start = masks.subarray(i * length, (i + 1) * length).indexOf(1);
    const states = padded.subarray((i * length + start) * width, (i + 1) * length * width);
    hiddenStates.set(states, i * length * width);
    attentionMask.fill(1, i * length, i * length + length - start);
  }
  return {
    inputs: {
      hiddenStates: { dtype: 'float32', shape: condition.shape, data: padded },
      attentionMask: { dtype: 'int32', shape: [batch, length], data: masks },
      dropped: { dtype: 'int32', shape: [batch], data: new Int32Array(batch) },
    } as Record<string, TensorData>,
    encoding: { hiddenStates, attentionMask, batch, length, width } as TextEncoding,
  };
}

describe.each(['classes', 'text'] as const)("LlamaGen's decoder conditioned on %s", (name) => {
  const config = configs[name];
  const tensors = expectedOf(name);
  const { inputs: given, encoding } = conditionOf(name, tensors);
  const rows = (tensor: string) => {
    const data = toInt32(tensors.get(tensor)!);
    return Array.from({ length: encoding.batch }, (_, i) => [...data.subarray(16 * i, 16 * (i + 1))]);
  };

  test('has the hidden states and the logits of its code', async () => {
    const tokens = { dtype: 'int32', shape: [3, 16], data: toInt32(tensors.get('image_tokens')!) } as const;
    const values: Record<string, TensorData> = { ...given, tokens };
    const inputs = Object.fromEntries(
      Object.entries(values).map(([key, { shape, dtype }]) => [key, input(key, shape, dtype)]),
    );
    const { image, hiddenStates } = llamaGenLogits(new ParameterScope(), config, inputs.tokens!, inputs);
    const parameters = await parametersOf(name);
    const executable = await runtime.compile({ inputs, outputs: { image, hiddenStates } }, { parameters });
    const results = await executable.run(values);
    // Padding is compared too, but what it attends to differs: see below.
    const [logits, states] = ['logits', 'hidden_states'].map((key) => {
      const tensor = tensors.get(key)!;
      return { dtype: 'float32', shape: tensor.shape, data: toFloat32(tensor) } as TensorData;
    }) as [TensorData, TensorData];
    expect(relativeError(results.image!, logits)).toBeLessThan(1e-4);
    const ofImage = (all: TensorData): TensorData => {
      const [batch, length, width] = all.shape as [number, number, number];
      const kept = Array.from({ length: batch }, (_, i) => [
        ...all.data.subarray(((i + 1) * length - 16) * width, (i + 1) * length * width),
      ]);
      return { dtype: 'float32', shape: [batch, 16, width], data: Float32Array.from(kept.flat()) };
    };
    expect(relativeError(ofImage(results.hiddenStates!), ofImage(states))).toBeLessThan(1e-4);
    await executable.dispose();
  });

  test('generates exactly its greedy tokens, with guidance from no caption and without', async () => {
    const decoder = new LlamaGenDecoder(config, await parametersOf(name), { runtime });
    const generate = async (guidanceScale: number) =>
      (await decoder.generate(encoding, { temperature: 0, guidanceScale })).map((grid) => [...grid]);
    expect(decoder.needsUnconditional).toBe(false);
    expect(await generate(1)).toEqual(rows('greedy_tokens_1'));
    expect(await generate(3)).toEqual(rows('greedy_tokens_3'));
    await decoder.dispose();
  });

  test('decodes with caches to the logits of teacher forcing at every position', async () => {
    const random = randomParameters(config, 3);
    const two = (tensor: TensorData): TensorData => {
      const shape = [2, ...tensor.shape.slice(1)];
      return { ...tensor, shape, data: tensor.data.slice(0, sizeOf(shape)) } as TensorData;
    };
    const caption = Object.fromEntries(Object.entries(given).map(([key, tensor]) => [key, two(tensor)]));
    const { attentionMask, ...others } = caption;
    const { teacherForced, cached } = await teacherForcedAndCached(
      runtime,
      config,
      random,
      caption,
      (scope, tokens, tensors) => llamaGenLogits(scope, config, tokens, tensors).image,
      attentionMask ? { ...others, textMask: attentionMask } : others,
    );
    expect(relativeError(cached, teacherForced)).toBeLessThan(1e-4);
  });
});

describe('the configuration of a LlamaGen decoder', () => {
  test('has the published sizes', () => {
    const count = (config: LlamaGenConfig) =>
      [...decoderParameters(config).values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
    const whole = (config: LlamaGenConfig) => {
      const [one, two] = [count({ ...config, layers: 1 }), count({ ...config, layers: 2 })];
      return one + (config.layers - 1) * (two - one);
    };
    const counts = Object.entries(llamaGenPresets).map(([name, preset]) => [name, whole(checkLlamaGenConfig(preset))]);
    // As many as the published code makes.
    expect(Object.fromEntries(counts)).toEqual({
      B: 110_888_448,
      L: 342_910_976,
      XL: 774_699_520,
      XXL: 1_410_972_672,
      '3B': 3_096_659_200,
      text: 777_923_840,
    });
  });

  test('must have classes, or captions of a width and a length', () => {
    expect(() => checkLlamaGenConfig(sizes)).toThrow('textWidth must be given, or classes');
    expect(() => checkLlamaGenConfig({ ...configs.text, classes: 3 })).toThrow('textWidth must be left out');
    expect(() => checkLlamaGenConfig({ ...sizes, textWidth: 12 })).toThrow('textLength must be given');
    expect(() => checkLlamaGenConfig({ ...configs.classes, width: 18 })).toThrow('width must be a multiple of 8');
  });
});

describe.each(['classes', 'text'] as const)("LlamaGen's release conditioned on %s", (name) => {
  const open = async () => (await readCheckpointFile(place(`${name}.pt`))).tensors;

  test('has the configuration that the shapes of its weights show, with the heads of a config.json', async () => {
    const tensors = await open();
    const config = importLlamaGenConfig(tensors, 4, { n_head: 2, rope_base: 500 });
    expect(config).toMatchObject({ ...configs[name], ropeBase: 500 });
    expect(() => importLlamaGenConfig(tensors, 4)).toThrow('no published model has the width 16');
    expect(() => importLlamaGenConfig(tensors, 4, { n_head: 2, n_kv_head: 1 })).toThrow('n_kv_head must be n_head, 2');
  });

  test('has the weights of its model, of which rotary positions are not', async () => {
    const tensors = await open();
    const positions = tensors.values().next().value!;
    const imported = importLlamaGen(new Map([...tensors, ['freqs_cis', positions]]), configs[name]);
    expect([...imported.keys()].sort()).toEqual([...decoderParameters(configs[name]).keys()].sort());
    const deeper = { ...configs[name], layers: 3 };
    expect(() => importLlamaGen(tensors, deeper)).toThrow(CheckpointError);
    expect(() => importLlamaGen(tensors, deeper)).toThrow('layers.2.');
  });
});

test('captions are padded at the start, and what was padded at their end is cut off', () => {
  const text = { batch: 2, length: 3, width: 2, attentionMask: Int32Array.of(1, 1, 0, 1, 0, 0) };
  const hiddenStates = Float32Array.of(1, 2, 3, 4, 9, 9, 5, 6, 9, 9, 9, 9);
  const padded = padAtStart({ ...text, hiddenStates }, 4);
  expect([...padded.hiddenStates]).toEqual([0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 5, 6]);
  expect([...padded.attentionMask]).toEqual([0, 0, 1, 1, 0, 0, 0, 1]);
});

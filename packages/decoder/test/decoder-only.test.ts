import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { TextEncoding } from '@dalle-mini/core';
import {
  checkDecoderOnlyConfig,
  type DecoderOnlyConfig,
  DecoderOnlyDecoder,
  decoderLoss,
  decoderOnlyLogits,
  decoderOnlyPresets,
  decoderParameters,
  importMinDalleE,
  importMinDalleEConfig,
} from '@dalle-mini/decoder';
import { input, ParameterScope, sizeOf, type Tensor, type TensorData } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { bindParameters } from '@dalle-mini/graph/stored';
import { randomParameters } from '@dalle-mini/testing/tiny-decoder';
import { CheckpointError, readSafetensors, toFloat32, toInt32 } from '@dalle-mini/weights';
import { readCheckpointFile } from '@dalle-mini/weights/node';
import { afterAll, describe, expect, test } from 'vitest';
import { teacherForcedAndCached } from './cached-logits.js';
import { relativeError } from './compare.js';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const folder = new URL('../../testing/fixtures/min-dalle-e/', import.meta.url);
const { tensors: expected } = readSafetensors(readFileSync(new URL('expected.safetensors', folder)));
const { tensors: weights } = await readCheckpointFile(fileURLToPath(new URL('stage2_last.ckpt', folder)));

const published: DecoderOnlyConfig = {
  kind: 'decoder-only',
  vocabularySize: 24,
  gridSize: 4,
  textVocabularySize: 40,
  textLength: 12,
  width: 16,
  layers: 2,
  heads: 2,
};
const parameters = bindParameters(decoderParameters(published), weights, { isUnneeded: () => false });

const floats = (name: string): TensorData => {
  const tensor = expected.get(name)!;
  return { dtype: 'float32', shape: tensor.shape, data: toFloat32(tensor) };
};
const integers = (name: string): TensorData => {
  const tensor = expected.get(name)!;
  return { dtype: 'int32', shape: tensor.shape, data: toInt32(tensor) };
};
const ids = integers('ids');
const [batch, length] = ids.shape as [number, number];
const captions: TextEncoding = {
  tokens: ids.data as Int32Array,
  attentionMask: ids.data.map((id) => (id === 0 ? 0 : 1)) as Int32Array,
  hiddenStates: new Float32Array(),
  batch,
  length,
  width: 0,
};

async function compute(
  outputs: Record<string, Tensor>,
  inputs: Record<string, Tensor>,
  values: Record<string, TensorData>,
) {
  const executable = await runtime.compile({ inputs, outputs }, { parameters });
  const results = await executable.run(values);
  await executable.dispose();
  return results;
}

describe("minDALL-E's model, with the weights of its release", () => {
  test('has the hidden states and the logits of its code', async () => {
    const inputs = {
      tokens: input('tokens', [batch, 16], 'int32'),
      ids: input('ids', ids.shape, 'int32'),
    };
    const { image, text, hiddenStates } = decoderOnlyLogits(new ParameterScope(), published, inputs.tokens, {
      ids: inputs.ids,
      attentionMask: inputs.ids,
    });
    const results = await compute({ image, text, hiddenStates }, inputs, { tokens: integers('image_tokens'), ids });
    // The published code also reads the last image token.
    const withoutLast = rowsOf(floats('hidden_states'), length + 15);
    expect(relativeError(results.hiddenStates!, withoutLast)).toBeLessThan(1e-4);
    expect(relativeError(results.image!, floats('image_logits'))).toBeLessThan(1e-4);
    expect(relativeError(results.text!, floats('text_logits'))).toBeLessThan(1e-4);
  });

  test('generates exactly its greedy tokens', async () => {
    const decoder = new DecoderOnlyDecoder(published, parameters, { runtime });
    const grids = await decoder.generate(captions, { temperature: 0 });
    expect(grids.map((grid) => [...grid])).toEqual(rows(integers('greedy_tokens')));
    await decoder.dispose();
  });
});

/** The first `count` rows of each element of a batch. */
function rowsOf({ shape, data }: TensorData, count: number): TensorData {
  const [batch, rows, width] = shape as [number, number, number];
  const kept = Array.from({ length: batch }, (_, i) => [
    ...data.subarray(i * rows * width, (i * rows + count) * width),
  ]);
  return { dtype: 'float32', shape: [batch, count, width], data: Float32Array.from(kept.flat()) };
}

const rows = ({ shape, data }: TensorData): number[][] =>
  Array.from({ length: shape[0]! }, (_, i) => [...data.subarray(i * shape[1]!, (i + 1) * shape[1]!)]);

const options: Record<string, Partial<DecoderOnlyConfig>> = {
  'as published': {},
  'a separator after captions of any length': { text: 'separator' },
  'shared embeddings': { sharedEmbeddings: true },
  'shared embeddings and a separator': { sharedEmbeddings: true, text: 'separator' },
  'no biases, another activation and width': {
    attentionBias: false,
    feedForwardBias: false,
    activation: 'quick_gelu',
    feedForwardWidth: 20,
  },
  'one text token': { textLength: 1 },
  'one row and column': { gridSize: 1 },
};

describe.each(Object.entries(options))('decoding with caches: %s', (_, option) => {
  const config: DecoderOnlyConfig = { ...published, ...option };

  test('gives the logits of teacher forcing at every position', async () => {
    const shape = [2, config.textLength];
    const given = {
      ids: int32(shape, (i) => (7 * i + 3) % 40),
      attentionMask: int32(shape, (i) => (i % shape[1]! < 1 + 5 * Math.floor(i / shape[1]!) ? 1 : 0)),
    };
    const { teacherForced, cached } = await teacherForcedAndCached(
      runtime,
      config,
      randomParameters(config, 3),
      given,
      (scope, tokens, { ids, attentionMask }) =>
        decoderOnlyLogits(scope, config, tokens, { ids: ids!, attentionMask: attentionMask! }).image,
      config.text === 'separator' ? { ids: given.ids, textMask: given.attentionMask } : { ids: given.ids },
    );
    expect(relativeError(cached, teacherForced)).toBeLessThan(1e-4);
  });
});

function int32(shape: readonly number[], value: (i: number) => number): TensorData {
  return { dtype: 'int32', shape, data: Int32Array.from({ length: sizeOf(shape) }, (_, i) => value(i)) };
}

describe('decoderLoss', () => {
  const lossOf = async (config: DecoderOnlyConfig, attentionMask: (i: number) => number) => {
    const values = {
      tokens: int32([2, 16], (i) => (5 * i) % 24),
      ids: int32([2, 12], (i) => (7 * i + 3) % 40),
      attentionMask: int32([2, 12], attentionMask),
    };
    const inputs = Object.fromEntries(
      Object.entries(values).map(([name, { shape }]) => [name, input(name, shape, 'int32')]),
    ) as Record<keyof typeof values, Tensor>;
    const { image, text } = decoderLoss(new ParameterScope(), config, inputs.tokens, inputs.tokens, inputs);
    const { image: imageLogits, text: textLogits } = decoderOnlyLogits(
      new ParameterScope(),
      config,
      inputs.tokens,
      inputs,
    );
    const run = async (outputs: Record<string, Tensor>) => {
      const executable = await runtime.compile({ inputs, outputs }, { parameters: randomParameters(config, 3) });
      const results = await executable.run(values);
      await executable.dispose();
      return results;
    };
    const losses = await run({ image, text: text! });
    const logits = await run({ imageLogits, textLogits });
    return { image: losses.image!.data[0]!, text: losses.text!.data[0]!, logits, values };
  };

  /** Mean of −log softmax(logits)[label], in float64. */
  const crossEntropyOf = (logits: TensorData, label: (row: number) => number | undefined) => {
    const columns = logits.shape[2]!;
    const losses = Array.from({ length: logits.data.length / columns }, (_, row) => {
      const of = [...logits.data.subarray(row * columns, (row + 1) * columns)];
      const wanted = label(row);
      return wanted === undefined ? undefined : Math.log(of.reduce((sum, x) => sum + Math.exp(x), 0)) - of[wanted]!;
    }).filter((loss) => loss !== undefined);
    return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
  };

  test('is the mean cross entropy of image tokens, and of text tokens with their padding', async () => {
    const { image, text, logits, values } = await lossOf(published, () => 0);
    expect(image).toBeCloseTo(
      crossEntropyOf(logits.imageLogits!, (row) => values.tokens.data[row]!),
      4,
    );
    const label = (row: number) => values.ids.data[12 * Math.floor(row / 11) + (row % 11) + 1]!;
    expect(text).toBeCloseTo(crossEntropyOf(logits.textLogits!, label), 4);
  });

  test('with a separator leaves padding out, and with shared embeddings counts text tokens after those of images', async () => {
    const config = { ...published, text: 'separator', sharedEmbeddings: true } as const;
    // The captions have 3 and 5 tokens.
    const { text, logits, values } = await lossOf(config, (i) => (i % 12 < (i < 12 ? 3 : 5) ? 1 : 0));
    const label = (row: number) => {
      const [caption, place] = [Math.floor(row / 12), row % 12];
      return place + 1 < (caption === 0 ? 3 : 5) ? 24 + values.ids.data[12 * caption + place + 1]! : undefined;
    };
    expect(text).toBeCloseTo(crossEntropyOf(logits.textLogits!, label), 4);
  });
});

describe('a decoder-only model', () => {
  test('refuses captions that it cannot read, by the name of the field', async () => {
    const decoder = new DecoderOnlyDecoder(published, parameters, { runtime });
    const refused = (change: Partial<TextEncoding>) => decoder.generate({ ...captions, ...change });
    await expect(refused({ tokens: undefined })).rejects.toThrow('text.tokens must be token ids');
    await expect(refused({ length: 11 })).rejects.toThrow(
      'text.length must be 12, to which captions are padded, not 11',
    );
    await expect(refused({ tokens: captions.tokens!.map(() => 40) })).rejects.toThrow(
      'text.tokens must be from 0 to 39',
    );
    await decoder.dispose();
  });

  test('has the published sizes', () => {
    const preset = checkDecoderOnlyConfig(decoderOnlyPresets['min-dalle-e']);
    const sizes = [...decoderParameters({ ...preset, layers: 2 }).values()].map(({ shape }) => sizeOf(shape));
    const ofLayers = [...decoderParameters({ ...preset, layers: 1 }).values()].map(({ shape }) => sizeOf(shape));
    const [two, one] = [sizes, ofLayers].map((all) => all.reduce((sum, size) => sum + size, 0)) as [number, number];
    // As many as the published code makes.
    expect(one + 41 * (two - one)).toBe(1_291_081_728);
  });

  test('is refused with a field that is wrong', () => {
    expect(() => checkDecoderOnlyConfig({ ...published, heads: 3 })).toThrow('width must be a multiple of the 3 heads');
    expect(() => checkDecoderOnlyConfig({ ...published, text: 'sparse' })).toThrow('text must be');
  });
});

describe("minDALL-E's release", () => {
  // Its YAML is JSON.
  const json = JSON.parse(readFileSync(new URL('config.yaml', folder), 'utf8'));

  test('has the configuration of its model, with the defaults of its code', () => {
    expect(importMinDalleEConfig(json)).toEqual(published);
    const { embed_dim, ...hparams } = json.stage2.hparams;
    expect(importMinDalleEConfig({ ...json, stage2: { ...json.stage2, hparams } }).width).toBe(1536);
    const sparse = { ...hparams, n_dense_layers: 1 };
    expect(() => importMinDalleEConfig({ ...json, stage2: { ...json.stage2, hparams: sparse } })).toThrow(
      'n_dense_layers must be n_layers, 2, not 1',
    );
  });

  test('has the weights of its model, of which causal masks are not', () => {
    const mask = weights.values().next().value!;
    const imported = importMinDalleE(new Map([...weights, ['blocks.0.attn.mask', mask]]), published);
    expect([...imported.keys()].sort()).toEqual([...decoderParameters(published).keys()].sort());
    const deeper = { ...published, layers: 3 };
    expect(() => importMinDalleE(weights, deeper)).toThrow(CheckpointError);
    expect(() => importMinDalleE(weights, deeper)).toThrow('blocks.2.');
  });
});

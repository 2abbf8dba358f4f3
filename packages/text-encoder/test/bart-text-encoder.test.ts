import type { TensorData } from '@dalle-mini/graph';
import { initializeParameters } from '@dalle-mini/graph/initializers';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { dequantize } from '@dalle-mini/graph/stored';
import { released, whole } from '@dalle-mini/testing/published';
import {
  type BartConfig,
  BartTextEncoder,
  bartParameters,
  type CompiledTextEncoderOptions,
  importTextEncoder,
  importTextEncoderConfig,
} from '@dalle-mini/text-encoder';
import type { TextTokenizer } from '@dalle-mini/text-encoder/tokenizers';
import { toFloat32, toInt32 } from '@dalle-mini/weights';
import { afterAll, describe, expect, test } from 'vitest';

const runtime = new OnnxRuntime();
afterAll(() => runtime.dispose());

const config = importTextEncoderConfig(whole.description.config);
const parameters = dequantize(importTextEncoder(released(whole.tensors), config));
const ids = toInt32(whole.tensors.get('text_tokens')!);
const mask = toInt32(whole.tensors.get('text_mask')!);

/** The caption "0" has the tokens of the first caption of the fixture, "1" those of the second. */
const tokenizer: TextTokenizer = {
  encode(captions, maxLength) {
    const rows = (values: Int32Array) =>
      Int32Array.from(
        captions.flatMap((caption) => {
          const start = Number(caption) * config.maxLength;
          return [...values.subarray(start, start + maxLength)];
        }),
      );
    return { ids: rows(ids), attentionMask: rows(mask) };
  },
};

interface Model {
  readonly config: BartConfig;
  readonly parameters: ReadonlyMap<string, TensorData>;
}

const load = (options: Partial<CompiledTextEncoderOptions> = {}, model: Model = { config, parameters }) =>
  new BartTextEncoder(model.config, model.parameters, { tokenizer, runtime, ...options });

describe('BartTextEncoder', () => {
  test('returns the hidden states of the published encoder, in batches of any size', async () => {
    const expected = [...toFloat32(whole.tensors.get('encoder_hidden_states')!)];
    for (const batchSize of [1, 2, 3]) {
      const encoder = load({ batchSize });
      expect(encoder).toMatchObject({ width: 32, maxLength: 8 });
      const text = await encoder.encode(['0', '1']);
      await encoder.dispose();
      expect(text).toMatchObject({ batch: 2, length: 8, width: 32, attentionMask: mask });
      // Hidden states are about 1, and the order of float32 sums differs.
      expect(Math.max(...text.hiddenStates.map((value, i) => Math.abs(value - expected[i]!)))).toBeLessThan(1e-4);
    }
  });

  test('can truncate captions to less than the positions of the model', async () => {
    const encoder = load({ maxLength: 6 });
    const text = await encoder.encode(['0']);
    await encoder.dispose();
    expect(text).toMatchObject({ length: 6, width: 32 });
    // The first caption has six tokens, and padding does not matter.
    const expected = toFloat32(whole.tensors.get('encoder_hidden_states')!);
    expect(Math.max(...text.hiddenStates.map((value, i) => Math.abs(value - expected[i]!)))).toBeLessThan(1e-4);
  });

  test.each<[string, object, number]>([
    ['', {}, 6],
    ['with relative positions', { relativePositions: true }, 8],
    ["with Sinkhorn's normalization", { sinkhornIterations: 3 }, 8],
    ['with attention by cosines', { cosineAttention: true }, 6],
  ])('pads to the longest caption where that is asked for and makes no difference: %s', async (_, options, length) => {
    const own = { ...config, ...options };
    const initial = initializeParameters(bartParameters(own), 1);
    const encoder = load({ batchSize: 1 }, { config: own, parameters: initial });
    const padded = await encoder.encode(['0', '0']);
    const text = await encoder.encode(['0', '0'], { padding: 'longest' });
    await encoder.dispose();
    expect(text).toMatchObject({ batch: 2, length, width: 32 });
    expect(text.hiddenStates).toHaveLength(2 * length * 32);
    expect([...text.attentionMask]).toEqual(
      [0, 1].flatMap((i) => [...padded.attentionMask.subarray(8 * i, 8 * i + length)]),
    );
    for (let i = 0; i < 2; i++) {
      // The first caption has six tokens.
      const states = text.hiddenStates.subarray(i * length * 32, (i * length + 6) * 32);
      const wanted = padded.hiddenStates.subarray(i * 8 * 32, (i * 8 + 6) * 32);
      expect(Math.max(...states.map((value, j) => Math.abs(value - wanted[j]!)))).toBeLessThan(1e-5);
    }
  });

  test('refuses wrong options, configurations and parameters by name', async () => {
    expect(() => load({ maxLength: 9 })).toThrow('maxLength must be a whole number from 1 to 8, not 9.');
    expect(() => load({ batchSize: 0 })).toThrow('batchSize must be a whole number of at least 1, not 0.');
    expect(() => load({}, { config: { ...config, tau: -1 }, parameters })).toThrow('text encoder config: tau must be');
    const fewer = load({}, { config: { ...config, vocabularySize: 2 }, parameters });
    await expect(fewer.encode(['0'])).rejects.toThrow(
      /vocabularySize must be more than \d+, an id of the tokenizer, not 2/,
    );
    const some = new Map([...parameters].filter(([name]) => name !== 'layers.1.glu.fc1.weight'));
    const encoder = load({}, { config, parameters: some });
    await expect(encoder.encode(['0'])).rejects.toThrow('layers.1.glu.fc1.weight is missing');
    await encoder.dispose();
    await expect(encoder.encode(['0'])).rejects.toThrow('This text encoder was disposed of.');
  });
});

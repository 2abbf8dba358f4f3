import type { TextEncoding } from '@dalle-mini/core';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { type HuggingFaceFiles, loadTextEncoder } from '@dalle-mini/text-encoder';
import { type Checkpoint, type StoredTensor, toFloat32, toInt32 } from '@dalle-mini/weights';
import { afterAll, describe, expect, test } from 'vitest';
import { type Family, families, readModel, vocabularies } from '../hugging-face.js';

const runtime = new OnnxRuntime();
afterAll(() => runtime.dispose());

const filesOf = (family: Family) => [
  'model.safetensors',
  'pytorch_model.bin',
  ...(family === 'bert' ? ['pytorch_model_legacy.bin'] : []),
  'flax_model.msgpack',
];

/**
 * Computes the largest difference at tokens, relative to the largest value. Padding is ignored, since no token attends
 * to it.
 */
function relativeError({ hiddenStates, attentionMask, width }: TextEncoding, expected: StoredTensor): number {
  const wanted = toFloat32(expected);
  expect(hiddenStates).toHaveLength(wanted.length);
  let [worst, peak] = [0, 0];
  wanted.forEach((value, i) => {
    if (attentionMask[Math.floor(i / width)] === 0) return;
    worst = Math.max(worst, Math.abs(value - hiddenStates[i]!));
    peak = Math.max(peak, Math.abs(value));
  });
  return worst / peak;
}

// The order of float32 sums differs: a few units of 2⁻²⁴ for each of some tens of operations.
const tolerance = 1e-5;

/** The prefix of a model's tensors in files of a model with a head. */
const heads = { bert: 'bert', roberta: 'roberta', distilbert: 'distilbert', bart: 'model' };

const renamed = (weights: Checkpoint, rename: (name: string) => string): Checkpoint =>
  new Map([...weights].map(([name, tensor]) => [rename(name), tensor]));

describe.each(families)('%s', (family) => {
  const { config, tokenizer, captions, maxLength, readWeights, outputs, vocabulary } = readModel(family);
  const hiddenStates = outputs.get('hiddenStates')!;

  const load = (files: Partial<HuggingFaceFiles> = {}, options: { maxLength?: number } = {}) =>
    loadTextEncoder(
      { config, tokenizer, weights: readWeights('model.safetensors'), ...files },
      { runtime, maxLength, ...options },
    );
  const encode = async (files: Partial<HuggingFaceFiles> = {}) => {
    const encoder = await load(files);
    const text = await encoder.encode(captions);
    await encoder.dispose();
    expect(text.attentionMask).toEqual(toInt32(outputs.get('attentionMask')!));
    return text;
  };

  test.each(filesOf(family))('has the hidden states of Hugging Face, from %s', async (file) => {
    expect(relativeError(await encode({ weights: readWeights(file) }), hiddenStates)).toBeLessThan(tolerance);
  });

  test.each([...outputs.keys()].filter((name) => name.includes('=')))('has them with %s', async (option) => {
    const [field, value] = option.split('=') as [string, string];
    const text = await encode({ config: { ...config, [field]: JSON.parse(value) } });
    expect(relativeError(text, outputs.get(option)!)).toBeLessThan(tolerance);
  });

  test('has the same hidden states from files of the bare model and of one with a head', async () => {
    const bare = readWeights('model.safetensors');
    const withHead = readWeights('flax_model.msgpack');
    expect([...withHead.keys()].filter((name) => name.startsWith(`${heads[family]}/`))).not.toEqual([]);
    const text = await encode({ weights: bare });
    for (const weights of [
      renamed(bare, (name) => `${heads[family]}.${name}`),
      renamed(withHead, (name) => name.replace(`${heads[family]}/`, '')),
    ]) {
      expect(await encode({ weights })).toEqual(text);
    }
  });

  test('does not change the given weights', async () => {
    const weights = readWeights('flax_model.msgpack');
    await (await load({ weights })).dispose();
    expect(weights).toEqual(readWeights('flax_model.msgpack'));
  });

  test('has the same hidden states with vocabulary files', async () => {
    expect(await encode({ tokenizer: vocabularies[vocabulary] })).toEqual(await encode());
  });

  test('pads to the longest caption on request, with the same hidden states of tokens', async () => {
    const encoder = await load();
    for (const caption of captions) {
      const padded = await encoder.encode([caption]);
      const text = await encoder.encode([caption], { padding: 'longest' });
      const length = padded.attentionMask.reduce((sum, isToken) => sum + isToken, 0);
      expect(text).toMatchObject({ length, attentionMask: new Int32Array(length).fill(1) });
      const wanted = padded.hiddenStates.subarray(0, text.hiddenStates.length);
      expect(Math.max(...text.hiddenStates.map((value, i) => Math.abs(value - wanted[i]!)))).toBeLessThan(tolerance);
    }
    await encoder.dispose();
  });

  test('reads at most as many tokens as it has positions', async () => {
    const encoder = await load({}, { maxLength: 14 });
    const text = await encoder.encode(['a '.repeat(100)]);
    await encoder.dispose();
    expect(text.hiddenStates.every(Number.isFinite)).toBe(true);
    await expect(load({}, { maxLength: 15 })).rejects.toThrow('maxLength must be a whole number from 1 to 14, not 15.');
  });

  test.each(filesOf(family))('names a tensor that is missing or of another shape in %s', async (file) => {
    const vocabularySize = Number(config.vocab_size);
    const larger = { ...config, vocab_size: vocabularySize + 1 };
    const weights = readWeights(file);
    const shapes = `must have shape [${vocabularySize + 1}, 12], not [${vocabularySize}, 12]`;
    await expect(load({ config: larger, weights })).rejects.toThrow(shapes);

    const last = [...weights.keys()].filter(
      (name) => /[./]1[./](final_|output).*bias$/.test(name) && /norm/i.test(name),
    );
    expect(last).toHaveLength(1);
    weights.delete(last[0]!);
    await expect(load({ weights })).rejects.toThrow(
      /\S+\.1\.\S+\.bias is missing\. Pass the weights and the configuration of the same model\./,
    );
  });
});

describe('files of Flax', () => {
  test('are refused with the shape in the file if a kernel has another shape', async () => {
    const { config, tokenizer, readWeights } = readModel('bert');
    const files = {
      config: { ...config, intermediate_size: 20 },
      tokenizer,
      weights: readWeights('flax_model.msgpack'),
    };
    await expect(loadTextEncoder(files, { runtime, maxLength: 4 })).rejects.toThrow(
      'bert/encoder/layer/0/intermediate/dense/kernel must have shape [12, 20], not [12, 16]',
    );
  });

  test('need no table of positions if these are sines and cosines', async () => {
    const { config, tokenizer, readWeights, captions, maxLength, outputs } = readModel('distilbert');
    const weights = readWeights('flax_model.msgpack');
    expect(weights.delete('distilbert/embeddings/position_embeddings/embedding')).toBe(true);
    const files = { config: { ...config, sinusoidal_pos_embds: true }, tokenizer, weights };
    const encoder = await loadTextEncoder(files, { runtime, maxLength });
    const text = await encoder.encode(captions);
    await encoder.dispose();
    expect(relativeError(text, outputs.get('sinusoidal_pos_embds=true')!)).toBeLessThan(tolerance);
  });
});

describe("BART's encoder", () => {
  test('may be in a separate file', async () => {
    const { config, tokenizer, readWeights, captions, maxLength, outputs } = readModel('bart');
    const whole = readWeights('model.safetensors');
    const encoderOnly = [...whole].flatMap(([name, tensor]): [string, StoredTensor][] => {
      if (name === 'shared.weight') return [['embed_tokens.weight', tensor]];
      return name.startsWith('encoder.') ? [[name.slice('encoder.'.length), tensor]] : [];
    });
    const files = { config, tokenizer, weights: new Map(encoderOnly) };
    const encoder = await loadTextEncoder(files, { runtime, maxLength });
    const text = await encoder.encode(captions);
    await encoder.dispose();
    expect(relativeError(text, outputs.get('hiddenStates')!)).toBeLessThan(tolerance);
  });
});

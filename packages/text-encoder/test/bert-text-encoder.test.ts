import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { type HuggingFaceFiles, loadTextEncoder } from '@dalle-mini/text-encoder';
import { type Checkpoint, fromFloat32, toFloat32, toInt32 } from '@dalle-mini/weights';
import { afterAll, describe, expect, test } from 'vitest';
import { minilm, reference } from './minilm.js';
import { tinyBert } from './tiny-bert.js';

const runtime = new OnnxRuntime();
afterAll(() => runtime.dispose());

const load = (files: Partial<HuggingFaceFiles> = {}, options: { maxLength?: number; batchSize?: number } = {}) =>
  loadTextEncoder({ ...tinyBert, ...files }, { runtime, maxLength: 6, ...options });

const renamed = (rename: (name: string) => string): Checkpoint =>
  new Map([...tinyBert.weights].map(([name, tensor]) => [rename(name), tensor]));

describe('the bundled MiniLM', () => {
  test('agrees with the Python model, token by token, within the precision of 8 bits', async () => {
    const { maxLength, captions, hiddenStatesOf, tensors } = reference;
    const files = { config: minilm.config, tokenizer: minilm.tokenizer, weights: minilm.readWeights() };
    const encoder = await load(files, { maxLength });
    const { width } = encoder;
    const text = await encoder.encode(hiddenStatesOf.map((index) => captions[index]!));
    await encoder.dispose();

    const expected = toFloat32(tensors.get('hiddenStates')!);
    const mask = toInt32(tensors.get('attentionMask')!);
    const cosines: number[] = [];
    hiddenStatesOf.forEach((caption, row) => {
      for (let token = 0; token < maxLength; token++) {
        // No token attends to padding.
        if (mask[caption * maxLength + token] === 0) continue;
        const start = (row * maxLength + token) * width;
        const of = (values: Float32Array) => values.subarray(start, start + width);
        cosines.push(cosine(of(text.hiddenStates), of(expected)));
      }
    });
    expect(cosines).toHaveLength(61);
    expect(Math.min(...cosines)).toBeGreaterThan(0.999);
  });
});

describe('encode', () => {
  test('returns the shape of the hidden states', async () => {
    const encoder = await load();
    expect(encoder).toMatchObject({ width: 32, maxLength: 6 });
    const text = await encoder.encode(['a red cat', '']);
    expect(text).toMatchObject({ batch: 2, length: 6, width: 32 });
    expect(text.hiddenStates).toHaveLength(2 * 6 * 32);
    expect([...text.attentionMask]).toEqual([1, 1, 1, 1, 1, 0, 1, 1, 0, 0, 0, 0]);
    await encoder.dispose();
  });

  // One caption, a full batch, one more, and none: the encoding of a caption must not depend on the others.
  test.each([0, 1, 2, 3, 5])('encodes %i captions in batches of two as one by one', async (count) => {
    const encoder = await load({}, { batchSize: 2 });
    const captions = ['a red cat', 'cats', '', 'red red red red red red', 'a cats'].slice(0, count);
    const together = await encoder.encode(captions);
    const apart = await Promise.all(captions.map((caption) => encoder.encode([caption])));
    expect(together.batch).toBe(count);
    // The position in the batch may change the order of sums, and so the last bits.
    const alone = apart.flatMap(({ hiddenStates }) => [...hiddenStates]);
    expect(together.hiddenStates).toHaveLength(alone.length);
    expect(together.hiddenStates.every((value, i) => Math.abs(value - alone[i]!) < 1e-4)).toBe(true);
    expect([...together.attentionMask]).toEqual(apart.flatMap(({ attentionMask }) => [...attentionMask]));
    await encoder.dispose();
  });

  test('stops between two batches when the signal aborts', async () => {
    const encoder = await load({}, { batchSize: 1 });
    const abort = new AbortController();
    const encoding = encoder.encode(Array(1000).fill('cat'), { signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(encoding).rejects.toThrow('enough');
    await expect(encoder.encode(['cat'])).resolves.toMatchObject({ batch: 1 });
    await encoder.dispose();
  });
});

describe('loadTextEncoder', () => {
  test.each([
    ['the names of models with a head', (name: string) => `bert.${name}`],
    [
      "TensorFlow's names for norms",
      (name: string) => name.replace('Norm.weight', 'Norm.gamma').replace('Norm.bias', 'Norm.beta'),
    ],
  ])('accepts %s', async (_, rename) => {
    const [plain, other] = await Promise.all([load(), load({ weights: renamed(rename) })]);
    expect(await other.encode(['a red cat'])).toEqual(await plain.encode(['a red cat']));
    await Promise.all([plain.dispose(), other.dispose()]);
  });

  const one = fromFloat32(Float32Array.of(1), [1]);

  test.each([
    ['', 'pooler.dense.bias'],
    ['', 'cls.predictions.bias'],
    ['', 'embeddings.position_ids'],
    ['bert.', 'cls.predictions.decoder.weight'],
    ['bert.', 'any_head.weight'],
    ['0.auto_model.', '2.linear.weight'],
  ])('ignores what the hidden states do not need: with %j before the names, %s', async (prefix, name) => {
    const weights = new Map([...renamed((own) => prefix + own), [name, one] as const]);
    const encoder = await load({ weights });
    await encoder.dispose();
  });

  test.each([
    'encoder.layer.0.attention.self.distance_embedding.weight',
    'encoder.layer.0.attention.self.query.lora_A.weight',
    'encoder.layer.1.output.adapters.bias',
    'embeddings.projection.weight',
    'adapter.weight',
  ])('refuses a tensor that may change the hidden states: %s', async (name) => {
    for (const prefix of ['', 'bert.']) {
      if (prefix !== '' && name === 'adapter.weight') continue;
      const weights = new Map([...renamed((own) => prefix + own), [prefix + name, one] as const]);
      await expect(load({ weights })).rejects.toThrow(`${prefix}${name} is not a tensor of this model`);
    }
  });

  test.each([0, 17, 2.5])('refuses %d tokens for a model with 16 positions', async (maxLength) => {
    await expect(load({}, { maxLength })).rejects.toThrow(
      `maxLength must be a whole number from 1 to 16, not ${maxLength}.`,
    );
  });

  test.each([0, 1.5])('refuses batches of %d', async (batchSize) => {
    await expect(load({}, { batchSize })).rejects.toThrow(
      `batchSize must be a whole number of at least 1, not ${batchSize}.`,
    );
  });

  test('names a weight that is missing or of another shape', async () => {
    const missing = renamed((name) => (name.includes('layer.1.output.dense.bias') ? 'other' : name));
    await expect(load({ weights: missing })).rejects.toThrow('encoder.layer.1.output.dense.bias is missing');
    const wrong = new Map([
      ...tinyBert.weights,
      ['embeddings.LayerNorm.bias', fromFloat32(new Float32Array(8), [8])] as const,
    ]);
    await expect(load({ weights: wrong })).rejects.toThrow('embeddings.LayerNorm.bias must have shape [32], not [8]');
  });
});

function cosine(a: Float32Array, b: Float32Array): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += a[i]! * b[i]!;
    aa += a[i]! ** 2;
    bb += b[i]! ** 2;
  }
  return ab / Math.sqrt(aa * bb);
}

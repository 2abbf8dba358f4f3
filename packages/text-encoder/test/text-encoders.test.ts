import { readFileSync } from 'node:fs';
import { ConfigError, type TextEncoding } from '@dalle-mini/core';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { loadTextEncoder, parseT5Config } from '@dalle-mini/text-encoder';
import { ClipTextEncoder, parseClipTextConfig } from '@dalle-mini/text-encoder/clip';
import { openTextEncoder } from '@dalle-mini/text-encoder/node';
import {
  type Checkpoint,
  CheckpointError,
  readCheckpoint,
  type StoredTensor,
  toFloat32,
  toInt32,
} from '@dalle-mini/weights';
import { afterAll, describe, expect, test } from 'vitest';
import { relativeBucket } from '../src/relative-position-bias.js';

/** Models as transformers saves them, and what it computes: see scripts/reference/text_encoders.py. */
const folderOf = (name: string) => new URL(`fixtures/text-encoders/${name}`, import.meta.url).pathname;
const read = (path: string) => readFileSync(folderOf(path));
const readJson = (path: string) => JSON.parse(read(path).toString());
const { captions, maxLength } = readJson('captions.json') as { captions: string[]; maxLength: number };

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const outputsOf = (name: string): Checkpoint => readCheckpoint(read(`${name}/outputs.safetensors`)).tensors;
const open = (name: string, layer?: 'last' | 'penultimate') =>
  openTextEncoder(folderOf(name), { runtime, maxLength, layer });

async function encode(name: string, layer?: 'last' | 'penultimate'): Promise<TextEncoding> {
  const encoder = await open(name, layer);
  const text = await encoder.encode(captions);
  await encoder.dispose();
  return text;
}

/** The largest difference relative to the largest value, at tokens: nothing attends to padding. */
function relativeError(actual: Float32Array, expected: StoredTensor, isCounted: (place: number) => boolean): number {
  const wanted = toFloat32(expected);
  expect(actual).toHaveLength(wanted.length);
  let [worst, peak] = [0, 0];
  for (const [i, value] of wanted.entries()) {
    if (!isCounted(i)) continue;
    worst = Math.max(worst, Math.abs(value - actual[i]!));
    peak = Math.max(peak, Math.abs(value));
  }
  return worst / peak;
}

// The order of float32 sums differs: a few units of 2⁻²⁴ for each of some tens of operations.
const tolerance = 1e-5;

describe.each(['t5', 'flan', 'xlm-roberta', 'mpnet', 'clip', 'clip-text', 'clip-bare'])('the folder of %s', (name) => {
  const expected = outputsOf(name);

  test('gives the tokens and the hidden states of transformers', async () => {
    const { hiddenStates, attentionMask, width } = await encode(name);
    expect(attentionMask).toEqual(toInt32(expected.get('attentionMask')!));
    const isToken = (place: number) => attentionMask[Math.floor(place / width)] === 1;
    expect(relativeError(hiddenStates, expected.get('hiddenStates')!, isToken)).toBeLessThan(tolerance);
  });

  test('refuses a tensor that it does not know, by its name', async () => {
    const files = {
      config: readJson(`${name}/config.json`),
      tokenizer: readJson(`${name}/tokenizer.json`),
      tokenizerConfig: readJson(`${name}/tokenizer_config.json`),
    };
    const weights = new Map(readCheckpoint(read(`${name}/model.safetensors`)).tensors);
    const some = [...weights.keys()].find((tensor) => /^(text_model|encoder)\..*(layers?|block)\.0\./.test(tensor))!;
    const adapter = some.replace(/[^.]+$/, 'adapter');
    weights.set(adapter, weights.get(some)!);
    const loading = loadTextEncoder({ ...files, weights }, { runtime, maxLength });
    await expect(loading).rejects.toThrow(CheckpointError);
    await expect(loading).rejects.toThrow(adapter);
  });
});

describe.each(['clip', 'clip-text', 'clip-bare'])('the CLIP of the folder %s', (name) => {
  const expected = outputsOf(name);
  const always = () => true;

  test('gives the states before the last layer, also at padding, to which diffusers attends', async () => {
    const text = await encode(name, 'penultimate');
    expect(relativeError(text.hiddenStates, expected.get('penultimate')!, always)).toBeLessThan(tolerance);
  });

  test('gives the embedding of each caption', async () => {
    const encoder = await open(name);
    expect(encoder).toBeInstanceOf(ClipTextEncoder);
    // One more caption than a batch.
    const { pooled } = await encoder.encode(captions);
    await encoder.dispose();
    expect(relativeError(pooled!, expected.get('pooled')!, always)).toBeLessThan(tolerance);
  });
});

describe.each(['t5', 'mpnet'])('the relative positions of %s', (name) => {
  test('do not depend on the padding', async () => {
    const encoder = await open(name);
    const padded = await encoder.encode(['a cat']);
    const text = await encoder.encode(['a cat'], { padding: 'longest' });
    await encoder.dispose();
    expect(text.length).toBeLessThan(maxLength);
    const wanted = padded.hiddenStates.subarray(0, text.hiddenStates.length);
    expect(Math.max(...text.hiddenStates.map((value, i) => Math.abs(value - wanted[i]!)))).toBeLessThan(tolerance);
  });
});

describe('the buckets of relative positions', () => {
  const rows = readJson('buckets.json') as { buckets: number; maxDistance: number; expected: number[] }[];

  test.each(rows)("are T5's: $buckets up to $maxDistance", ({ buckets, maxDistance, expected }) => {
    expect(expected.map((_, i) => relativeBucket(i - 300, buckets, maxDistance))).toEqual(expected);
  });
});

describe('config.json', () => {
  const t5 = readJson('flan/config.json') as object;
  const clip = readJson('clip-text/config.json') as object;

  test.each([
    ['feed_forward_proj', 'gated-silu'],
    ['relative_attention_num_buckets', 6],
    ['relative_attention_max_distance', 2],
    ['is_gated_act', false],
    ['use_rope', true],
  ])('of a T5 is refused with %s: %j', (field, value) => {
    expect(() => parseT5Config({ ...t5, [field]: value })).toThrow(ConfigError);
    expect(() => parseT5Config({ ...t5, [field]: value })).toThrow(field);
  });

  test.each([
    ['eos_token_id', 5],
    ['hidden_act', 'relu'],
    ['use_rope', true],
  ])('of a CLIP is refused with %s: %j', (field, value) => {
    expect(() => parseClipTextConfig({ ...clip, [field]: value })).toThrow(ConfigError);
    expect(() => parseClipTextConfig({ ...clip, [field]: value })).toThrow(field);
  });

  test('of another model is refused with the models that are known', async () => {
    const files = { config: { model_type: 'gpt2' }, tokenizer: {}, weights: new Map() };
    await expect(loadTextEncoder(files, { runtime })).rejects.toThrow(/model_type must be .*"t5".*, not "gpt2"/);
  });

  test('of a model other than CLIP leaves no choice of the layer', async () => {
    await expect(open('t5', 'penultimate')).rejects.toThrow('layer');
  });
});

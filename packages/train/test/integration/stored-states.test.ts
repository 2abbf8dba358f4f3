import { encodeCaptions, openTokenShards, type TokenDataset, writeTokenShards } from '@dalle-mini/data';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { contentOf, temporaryFolder } from '@dalle-mini/testing/folders';
import { captionBert, decoderModel, pictures, size } from '@dalle-mini/testing/tiny-training';
import { loadTextEncoder } from '@dalle-mini/text-encoder';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { recordingRuntime } from '../recording-runtime.js';
import { decoderTrainer } from '../tiny-trainers.js';

// One thread, because rounding differs with several threads.
const runtime = new OnnxRuntime({ threads: 1 });
const train = decoderTrainer(runtime);
const open = (maxLength = 6) => loadTextEncoder(captionBert.files, { runtime, maxLength });
let folder: string;
let encoder: Awaited<ReturnType<typeof open>>;

beforeAll(async () => {
  const { gridSize, vocabularySize } = decoderModel;
  const tokenizer = {
    imageSize: size,
    gridSize,
    vocabularySize,
    encode: async (images: readonly { data: Uint8Array | Uint8ClampedArray }[]) =>
      images.map(({ data }) => Int32Array.from({ length: gridSize ** 2 }, (_, i) => data[48 * i]! % vocabularySize)),
    decode: () => Promise.reject(new Error('unused')),
    dispose: async () => undefined,
  };
  folder = await temporaryFolder();
  await writeTokenShards(pictures(48), tokenizer, folder, { shardSize: 20 });
  encoder = await open();
  await encodeCaptions(folder, encoder);
});
afterAll(async () => {
  await encoder.dispose();
  await runtime.dispose();
});

/** Ten steps on the shards, evaluations included. */
async function tenSteps(
  hiddenStates: 'stored' | 'computed',
  more: { runtime?: ReturnType<typeof recordingRuntime> } = {},
) {
  const dataset = await openTokenShards(folder, { hiddenStates });
  return train({ ...run(dataset), textEncoder: { kind: 'frozen', encoder }, ...more });
}

const run = (dataset: TokenDataset) => ({
  steps: 10,
  evaluateEvery: 5,
  checkpointEvery: 5,
  dataset,
  evaluation: dataset,
  order: (position: number) => (position * 7) % 48,
  config: { captionDropout: 0.2 },
});

test('training on stored hidden states is that with the text encoder, to the rounding of 16 bits', async () => {
  const [computed, stored] = [await tenSteps('computed'), await tenSteps('stored')];
  expect(stored.metrics.length).toBe(10);
  for (const [i, { loss, evaluationLoss }] of stored.metrics.entries()) {
    // Hidden states are rounded by up to 2⁻¹², and losses are about 2.7.
    expect(Math.abs(loss! - computed.metrics[i]!.loss!)).toBeLessThan(2e-3);
    expect(evaluationLoss === undefined).toBe(computed.metrics[i]!.evaluationLoss === undefined);
    if (evaluationLoss !== undefined)
      expect(Math.abs(evaluationLoss - computed.metrics[i]!.evaluationLoss!)).toBeLessThan(2e-3);
  }
  // They are read: their rounding is to be seen.
  expect(stored.metrics.map(({ loss }) => loss)).not.toEqual(computed.metrics.map(({ loss }) => loss));
});

test('the captions of each step, and those that are dropped, are the same', async () => {
  const masks = async (hiddenStates: 'stored' | 'computed') => {
    const recording = recordingRuntime();
    await tenSteps(hiddenStates, { runtime: recording });
    return recording.runs.flatMap(({ attentionMask, tokens }) => [[...attentionMask!.data], [...tokens!.data]]);
  };
  expect(await masks('stored')).toEqual(await masks('computed'));
});

test('a run on stored hidden states that was stopped ends with the same bytes', async () => {
  const expected = await contentOf((await tenSteps('stored')).folder);
  const stopped = await temporaryFolder();
  const dataset = await openTokenShards(folder);
  const stop = new AbortController();
  const options = { ...run(dataset), folder: stopped, textEncoder: { kind: 'frozen', encoder } as const };
  const onProgress = ({ done }: { done: number }) => done === 5 && stop.abort(new Error('enough'));
  await expect(train({ ...options, signal: stop.signal, onProgress })).rejects.toThrow('enough');
  await train(options);
  expect(await contentOf(stopped)).toEqual(expected);
});

test('stored hidden states of another text encoder, or of another length, are refused by name', async () => {
  const dataset = await openTokenShards(folder);
  const shorter = await open(4);
  await expect(train({ ...run(dataset), textEncoder: { kind: 'frozen', encoder: shorter } })).rejects.toThrow(
    /dataset must have hidden states of a text encoder \(.*, 4 tokens, width 8\), the text encoder of this training, not of .*, 6 tokens.*set hiddenStates to "computed"/,
  );
  await shorter.dispose();
  const changed = new Map(captionBert.files.weights);
  const [name, tensor] = [...changed][0]!;
  changed.set(name, { ...tensor, bytes: tensor.bytes.map((byte, i) => (i === 0 ? byte ^ 1 : byte)) });
  const other = await loadTextEncoder({ ...captionBert.files, weights: changed }, { runtime, maxLength: 6 });
  expect(await other.fingerprint()).not.toBe(await encoder.fingerprint());
  await expect(train({ ...run(dataset), textEncoder: { kind: 'frozen', encoder: other } })).rejects.toThrow(
    /dataset must have hidden states of/,
  );
  await other.dispose();
  // A text encoder that is trained changes: nothing stored is read.
  const { config, tokenizer, parameters } = captionBert;
  const trained = { kind: 'trained', config, tokenizer, maxLength: 6, parameters } as const;
  expect((await train({ ...run(dataset), textEncoder: trained })).metrics.length).toBe(10);
});

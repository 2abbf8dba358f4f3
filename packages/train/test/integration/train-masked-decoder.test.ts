import { createDecoder, type MaskedDecoderConfig } from '@dalle-mini/decoder';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { decoderModel, grids, wordEncoder } from '@dalle-mini/testing/tiny-training';
import { afterAll, expect, test } from 'vitest';
import { recordingRuntime } from '../recording-runtime.js';
import { decoderTrainer } from '../tiny-trainers.js';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const train = decoderTrainer(runtime);
const model: MaskedDecoderConfig = { ...decoderModel, kind: 'masked' };
const maskToken = model.vocabularySize;

test('a share of the tokens, which follows the cosine, is masked in each image', async () => {
  const recording = recordingRuntime();
  await train({ runtime: recording, steps: 200, evaluateEvery: 200, config: { model } });
  const shares = recording.runs.flatMap(({ tokens, given }) => {
    const length = tokens!.shape.at(-1)!;
    return Array.from({ length: given!.data.length / length }, (_, grid) => {
      const places = Array.from({ length }, (_, i) => grid * length + i);
      const masked = places.filter((i) => given!.data[i] === maskToken);
      const others = places.filter((i) => given!.data[i] !== maskToken);
      for (const i of others) expect(given!.data[i]).toBe(tokens!.data[i]);
      return masked.length / length;
    });
  });
  expect(Math.min(...shares)).toBeGreaterThan(0);
  // The mean of cos(π/2 · r) is 2/π, of which rounding up adds half a sixteenth. 1,600 shares have a standard error of 0.008.
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
  expect(Math.abs(mean - (2 / Math.PI + 1 / 32))).toBeLessThan(0.03);
});

test('a masked decoder learns what captions tell, and generates it', async () => {
  const { parameters, metrics } = await train({
    steps: 300,
    evaluateEvery: 100,
    checkpointEvery: 300,
    config: { model },
  });
  const losses = metrics.flatMap(({ evaluationLoss }) => (evaluationLoss === undefined ? [] : [evaluationLoss]));
  expect(losses).toHaveLength(3);
  // The caption tells half of the tokens: ln 16 / 2 = 1.39 nats remain. Without the caption it would be ln 16 = 2.77.
  expect(losses.at(-1)).toBeLessThan(1.6);

  const encoder = wordEncoder();
  const decoder = createDecoder(model, parameters, { runtime });
  const sample = await grids(1).get(0);
  const text = await encoder.encode([sample.captions[0]!]);
  const unconditional = await encoder.encode(['']);
  const [grid] = await decoder.generate(text, { passes: 4, seed: 1, guidanceScale: 1.5, unconditional });
  expect([...grid!.subarray(0, 8)]).toEqual([...sample.tokens.subarray(0, 8)]);

  // The lower half is chance: given tokens of it stay as they are.
  const initial = { grids: [sample.tokens], keep: new Uint8Array(16).fill(1, 10) };
  const [completed] = await decoder.generate(text, { passes: 4, seed: 1, initial });
  expect([...completed!.subarray(10)]).toEqual([...sample.tokens.subarray(10)]);
  expect([...completed!.subarray(0, 8)]).toEqual([...sample.tokens.subarray(0, 8)]);
  await decoder.dispose();
});

import { join } from 'node:path';
import { DalleMiniDecoder } from '@dalle-mini/decoder';
import type { TensorData } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { decoderModel, decoderRun, wordEncoder } from '@dalle-mini/testing/tiny-training';
import type { MetricsRecord } from '@dalle-mini/train';
import { readCheckpointFile } from '@dalle-mini/weights/node';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decoderTrainer, grayTokenizer, meanLoss } from '../tiny-trainers.js';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const train = decoderTrainer(runtime);

describe('a trained decoder', () => {
  const prompts = ['red circle', 'green square', 'blue stripe', 'yellow circle'];
  let folder: string;
  let parameters: Map<string, TensorData>;
  let metrics: MetricsRecord[];
  beforeAll(async () => {
    const samples = { prompts, imageTokenizer: grayTokenizer, sampling: { temperature: 0 } };
    ({ folder, parameters, metrics } = await train({ steps: 150, evaluateEvery: 50, samples }));
  });

  test('predicts the tokens of training and of evaluation better than before', () => {
    expect(meanLoss(metrics.slice(-10))).toBeLessThan(0.7 * meanLoss(metrics.slice(0, 10)));
    const losses = metrics.flatMap(({ evaluationLoss }) => evaluationLoss ?? []);
    expect(losses).toHaveLength(3);
    expect(losses[2]).toBeLessThan(losses[0]!);
  });

  test('generates the described images', async () => {
    const decoder = new DalleMiniDecoder(decoderModel, parameters, { runtime });
    const told = await Promise.all(Array.from({ length: 12 }, (_, i) => decoderRun.dataset.get(i)));
    const text = await wordEncoder().encode(told.map(({ captions }) => captions[0]!));
    const drawn = await decoder.generate(text, { temperature: 0 });
    const right = drawn.filter((tokens, i) => tokens.slice(0, 8).join() === told[i]!.tokens.slice(0, 8).join());
    // By chance one would be right.
    expect(right.length).toBeGreaterThanOrEqual(9);
    await decoder.dispose();
  });

  test('has a metrics file with one line per step, and with the loss of each evaluation', () => {
    expect(metrics.map(({ step }) => step)).toEqual(Array.from({ length: 150 }, (_, i) => i + 1));
    for (const record of metrics) {
      const evaluated = record.step % 50 === 0 ? ['evaluationLoss'] : [];
      expect(Object.keys(record)).toEqual(['step', 'loss', 'gradientNorm', 'learningRate', ...evaluated]);
    }
  });

  test('writes a sheet of the sample prompts at each evaluation', async () => {
    for (const step of ['00000050', '00000100', '00000150']) {
      const { format, width, height } = await sharp(join(folder, `samples-${step}.png`)).metadata();
      // Eight images per row, with 2 pixels around each.
      expect({ format, width, height }).toEqual({ format: 'png', width: 8 * 6 + 2, height: 8 });
    }
  });

  test('can be fine-tuned', async () => {
    const tuned = await train({ parameters, steps: 10, evaluateEvery: 10, config: { learningRate: 1e-4 } });
    expect(tuned.metrics[0]!.loss).toBeLessThan(0.7 * metrics[0]!.loss!);
  });
});

test('two accumulated batches of four give the result of one batch of eight', async () => {
  const run = { steps: 10, evaluateEvery: 10 };
  const one = await train({ ...run, config: { batchSize: 8, accumulation: 1 } });
  const two = await train({ ...run, config: { batchSize: 4, accumulation: 2 } });
  for (const [i, { loss, gradientNorm }] of one.metrics.entries()) {
    // Only the order of sums differs. Adam divides by gradients, some near zero, which increases rounding errors at
    // each step.
    expect(two.metrics[i]!.loss! / loss!).toBeCloseTo(1, 4);
    expect(two.metrics[i]!.gradientNorm! / gradientNorm!).toBeCloseTo(1, 3);
  }
});

test('adafactor lowers the loss, and has only squares of gradients as state', async () => {
  const { folder, metrics } = await train({ config: { optimizer: 'adafactor' } });
  expect(meanLoss(metrics.slice(-10))).toBeLessThan(0.85 * meanLoss(metrics.slice(0, 10)));
  const { tensors } = await readCheckpointFile(join(folder, 'checkpoint-00000060.safetensors'));
  const shape = (slot: string) => tensors.get(`optimizer/${slot}/lm_head.weight`)?.shape;
  // Axes of fewer than 128 elements are not factored.
  expect([shape('square'), shape('mean'), shape('row')]).toEqual([[17, 16], undefined, undefined]);
});

test.each(['shampoo', 'muon'] as const)('%s lowers the loss', async (optimizer) => {
  const shampoo = { preconditionEvery: 5, preconditionFrom: 10, exclude: 'embed_*' };
  const { metrics } = await train({ config: { optimizer, ...(optimizer === 'shampoo' ? { shampoo } : {}) } });
  expect(meanLoss(metrics.slice(-10))).toBeLessThan(0.85 * meanLoss(metrics.slice(0, 10)));
});

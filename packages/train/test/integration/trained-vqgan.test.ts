import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TensorData } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { size, vqganRun } from '@dalle-mini/testing/tiny-training';
import type { MetricsRecord } from '@dalle-mini/train';
import { toFloat32 } from '@dalle-mini/weights';
import { readCheckpointFile } from '@dalle-mini/weights/node';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recordingRuntime } from '../recording-runtime.js';
import { vqganTrainer } from '../tiny-trainers.js';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const train = vqganTrainer(runtime);

const mean = (records: readonly MetricsRecord[], name: string) =>
  records.reduce((sum, record) => sum + record[name]!, 0) / records.length;

describe('a trained VQ-GAN', () => {
  let folder: string;
  let parameters: Map<string, TensorData>;
  let metrics: MetricsRecord[];
  beforeAll(async () => {
    ({ folder, parameters, metrics } = await train());
  });

  test('reconstructs the images of training and of evaluation better than before', () => {
    expect(mean(metrics.slice(-10), 'squaredError')).toBeLessThan(0.4 * mean(metrics.slice(0, 10), 'squaredError'));
    const ratios = metrics.flatMap(({ evaluationPsnr }) => evaluationPsnr ?? []);
    expect(ratios).toHaveLength(2);
    expect(ratios[1]).toBeGreaterThan(ratios[0]!);
  });

  test('has a metrics file with one line per step, and with the metrics of each evaluation', () => {
    expect(metrics.map(({ step }) => step)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
    const always = ['step', 'loss', 'squaredError', 'absoluteError', 'codebookLoss', 'gradientNorm', 'learningRate'];
    for (const record of metrics) {
      const evaluated = record.step % 30 === 0 ? ['evaluationPsnr', 'evaluationCodesUsed'] : [];
      expect(Object.keys(record).sort()).toEqual([...always, ...evaluated].sort());
    }
  });

  test('was trained with a learning rate that rises over the warm-up and falls to a twentieth', () => {
    const rates = metrics.map(({ learningRate }) => learningRate!);
    expect(rates.slice(0, 5)).toEqual([1, 2, 3, 4, 5].map((step) => expect.closeTo((step / 5) * 4e-3, 9)));
    expect(rates.slice(5)).toEqual(rates.slice(5).sort((a, b) => b - a));
    // The last step is one before the end of the cosine, which is nearly flat there.
    expect(rates.at(-1)).toBeCloseTo(4e-3 / 20, 5);
  });

  test('is the moving average of its parameters', async () => {
    const { tensors } = await readCheckpointFile(join(folder, 'checkpoint-00000060.safetensors'));
    for (const [name, { data }] of parameters) {
      expect(data).toEqual(toFloat32(tensors.get(`average/${name}`)!));
      expect(data).not.toEqual(toFloat32(tensors.get(name)!));
    }
  });

  test('writes the last two checkpoints, the best parameters as of each, the metrics and a sheet for each evaluation', async () => {
    expect((await readdir(folder)).sort()).toEqual([
      'best-00000030.safetensors',
      'best-00000060.safetensors',
      'checkpoint-00000050.safetensors',
      'checkpoint-00000060.safetensors',
      'metrics.jsonl',
      'reconstructions-00000030.png',
      'reconstructions-00000060.png',
      'run-log.jsonl',
    ]);
  });

  test('shows each image next to its reconstruction, eight pairs per row', async () => {
    const sheet = sharp(join(folder, 'reconstructions-00000060.png'));
    const { format, width, height } = await sheet.metadata();
    // Two rows of sixteen images, with 2 pixels around each.
    expect({ format, width, height }).toEqual({ format: 'png', width: 16 * 18 + 2, height: 2 * 18 + 2 });
    for (const [i, left, top] of [
      [0, 0, 0],
      [9, 2, 1],
    ] as const) {
      const area = { left: 2 + left * 18, top: 2 + top * 18, width: size, height: size };
      const pixels = await sheet.clone().extract(area).raw().toBuffer();
      expect(new Uint8Array(pixels)).toEqual((await vqganRun.evaluation.get(i)).image.data);
    }
  });

  test('is returned at once, with the same parameters, by a second call', async () => {
    const untouched = recordingRuntime();
    const again = await train({ folder, runtime: untouched });
    expect(again.parameters).toEqual(parameters);
    expect(again.metrics).toEqual(metrics);
    expect(untouched.runs).toHaveLength(0);
  });

  test('can be fine-tuned', async () => {
    const tuned = await train({ parameters, steps: 10, evaluateEvery: 10, config: { learningRate: 1e-4 } });
    expect(tuned.metrics[0]!.squaredError).toBeLessThan(0.5 * metrics[0]!.squaredError!);
  });

  test('uses codes that were unused at first, because they restart from vectors of images', async () => {
    const codebook = 'quantize.embedding.weight';
    const { shape, data } = parameters.get(codebook)! as TensorData & { data: Float32Array };
    // Codes are less than 2 from the origin. The last 24 of 32 are now too far away to be nearest to any vector.
    const lame = new Map(parameters).set(codebook, {
      dtype: 'float32',
      shape,
      data: data.map((value, i) => (i < 8 * shape[1]! ? value : 50)),
    });
    const used = async (restartEvery: number) => {
      const run = { parameters: lame, steps: 25, evaluateEvery: 25, config: { restartEvery, learningRate: 1e-4 } };
      return (await train(run)).metrics.at(-1)!.evaluationCodesUsed! * 32;
    };
    expect(await used(0)).toBeLessThanOrEqual(8);
    expect(await used(10)).toBeGreaterThan(16);
  });
});

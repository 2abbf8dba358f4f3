import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TensorData } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { type MetricsRecord, readMetrics, trainVqgan, type VqganTraining } from '@dalle-mini/train';
import { toFloat32 } from '@dalle-mini/weights';
import { readCheckpointFile } from '@dalle-mini/weights/node';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from './folders.js';
import { recordingRuntime } from './recording-runtime.js';
import { pictures, size, vqganRun } from './tiny.mjs';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

type Changes = Partial<Omit<VqganTraining, 'config'>> & { config?: Partial<VqganTraining['config']> };

/** Trains as `vqganRun` says, but for the changes. */
async function train({ config, ...changes }: Changes = {}) {
  const folder = changes.folder ?? (await temporaryFolder());
  const parameters = await trainVqgan({
    ...vqganRun,
    runtime,
    ...changes,
    folder,
    config: { ...vqganRun.config, ...config },
  });
  return { folder, parameters, metrics: await readMetrics(join(folder, 'metrics.jsonl')) };
}

const mean = (records: readonly MetricsRecord[], name: string) =>
  records.reduce((sum, record) => sum + record[name]!, 0) / records.length;

describe('a trained VQ-GAN', () => {
  let folder: string;
  let parameters: Map<string, TensorData>;
  let metrics: MetricsRecord[];
  beforeAll(async () => {
    ({ folder, parameters, metrics } = await train());
  });

  test('gives back pictures better than at first, those of training and others', () => {
    expect(mean(metrics.slice(-10), 'squaredError')).toBeLessThan(0.4 * mean(metrics.slice(0, 10), 'squaredError'));
    const ratios = metrics.flatMap(({ evaluationPsnr }) => evaluationPsnr ?? []);
    expect(ratios).toHaveLength(2);
    expect(ratios[1]).toBeGreaterThan(ratios[0]!);
  });

  test('has a metrics file of a line a step, with evaluation figures where it was evaluated', () => {
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
    // The last step is one before the end of the cosine, where it is nearly flat.
    expect(rates.at(-1)).toBeCloseTo(4e-3 / 20, 5);
  });

  test('is the moving average of its parameters', async () => {
    const { tensors } = await readCheckpointFile(join(folder, 'checkpoint-00000060.safetensors'));
    for (const [name, { data }] of parameters) {
      expect(data).toEqual(toFloat32(tensors.get(`average/${name}`)!));
      expect(data).not.toEqual(toFloat32(tensors.get(name)!));
    }
  });

  test('leaves the last two checkpoints, the metrics and a sheet for each evaluation', async () => {
    expect((await readdir(folder)).sort()).toEqual([
      'checkpoint-00000050.safetensors',
      'checkpoint-00000060.safetensors',
      'metrics.jsonl',
      'reconstructions-00000030.png',
      'reconstructions-00000060.png',
    ]);
  });

  test('shows each picture beside its reconstruction, eight pairs a row', async () => {
    const sheet = sharp(join(folder, 'reconstructions-00000060.png'));
    const { format, width, height } = await sheet.metadata();
    // Two rows of sixteen pictures, with 2 pixels around each.
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

  test('is returned at once, with the same parameters, when it is asked for again', async () => {
    const untouched = recordingRuntime();
    const again = await train({ folder, runtime: untouched });
    expect(again.parameters).toEqual(parameters);
    expect(again.metrics).toEqual(metrics);
    expect(untouched.runs).toHaveLength(0);
  });

  test('is where fine-tuning starts', async () => {
    const tuned = await train({ parameters, steps: 10, evaluateEvery: 10, config: { learningRate: 1e-4 } });
    expect(tuned.metrics[0]!.squaredError).toBeLessThan(0.5 * metrics[0]!.squaredError!);
  });

  test('gets codes that no picture uses back: they start again where pictures are', async () => {
    const codebook = 'quantize.embedding.weight';
    const { shape, data } = parameters.get(codebook)! as TensorData & { data: Float32Array };
    // Codes are less than 2 from the origin: the last 24 of 32 are now so far off that no vector is nearest to them.
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

describe('batches', () => {
  test('take pictures in the given order, [3, 16, 16] with values from −1 to 1', async () => {
    const recording = recordingRuntime();
    await train({ runtime: recording, config: { mirror: false } });
    const { shape, data } = recording.runs[1]!.images!;
    expect(shape).toEqual([5, 1, 8, 3, 16, 16]);
    // The second run of the graph takes steps 6 to 10. Its seventh picture is the one at position 5 · 8 + 6.
    const { image } = await vqganRun.dataset.get(vqganRun.order(46));
    const given = data.subarray(6 * 3 * 256, 7 * 3 * 256);
    const expected = Float32Array.from(given, (_, i) => image.data[3 * (i % 256) + Math.floor(i / 256)]! / 127.5 - 1);
    expect(given).toEqual(expected);
  });

  test('mirror about half of the pictures if asked to', async () => {
    const [plain, mirroring] = [recordingRuntime(), recordingRuntime()];
    await train({ runtime: plain, config: { mirror: false } });
    await train({ runtime: mirroring, config: { mirror: true } });
    let mirrored = 0;
    for (const [run, { images }] of plain.runs.entries()) {
      const others = mirroring.runs[run]!.images!.data;
      for (let start = 0; start < images!.data.length; start += 3 * 256) {
        const original = images!.data.subarray(start, start + 3 * 256);
        const other = others.subarray(start, start + 3 * 256);
        const flipped = original.map((_, i) => original[i - (i % 16) + 15 - (i % 16)]!);
        if (other.every((value, i) => value === original[i])) continue;
        expect(other).toEqual(flipped);
        mirrored++;
      }
    }
    // Of 480 pictures, 240 ± 11 (one standard deviation), less the few that are symmetric: five deviations to either side.
    expect(mirrored).toBeGreaterThan(140);
    expect(mirrored).toBeLessThan(295);
  });
});

describe('refuses', () => {
  const refused: [string, Changes, RegExp][] = [
    [
      'pictures of another size',
      { config: { model: { ...vqganRun.config.model, resolution: 32 } } },
      /shape-\d+ is 16×16, and the model reads 32×32: .*imageSize 32/,
    ],
    [
      'pictures without color',
      { config: { model: { ...vqganRun.config.model, inChannels: 1 } } },
      /inChannels must be 3/,
    ],
    ['an empty evaluation', { evaluation: pictures(0) }, /evaluation has no pictures/],
    [
      'a warm-up as long as the run',
      { config: { warmUpSteps: 60 } },
      /warmUpSteps must be a whole number from 0 to 59/,
    ],
    ['a batch of none', { config: { batchSize: 0 } }, /batchSize must be a positive whole number, not 0/],
    ['a negative learning rate', { config: { learningRate: -1 } }, /learningRate must be a number above 0, not -1/],
    ['an average that never moves', { config: { averageDecay: 1 } }, /averageDecay must be .* below 1, not 1/],
    [
      'restarts within a run of the graph',
      { config: { restartEvery: 12 } },
      /restartEvery must be a multiple of stepsPerRun, 5, or 0, not 12/,
    ],
    [
      'steps that runs of the graph do not divide',
      { steps: 62 },
      /steps must be a positive multiple of stepsPerRun, 5, not 62/,
    ],
    ['checkpoints within a run of the graph', { checkpointEvery: 3 }, /checkpointEvery must be a positive multiple/],
    ['a seed that is no whole number', { seed: 0.5 }, /seed must be a whole number/],
    ['parameters of another model', { parameters: new Map() }, /parameter \S+ has no value/],
  ];
  test.each(refused)('%s, by name', async (_, changes, message) => {
    await expect(train({ runtime: recordingRuntime(), ...changes })).rejects.toThrow(message);
  });

  test('parameters of another shape, by name', async () => {
    const { parameters } = await train({ runtime: recordingRuntime() });
    const name = 'quantize.embedding.weight';
    parameters.set(name, { dtype: 'float32', shape: [4, 32], data: new Float32Array(128) });
    await expect(train({ runtime: recordingRuntime(), parameters })).rejects.toThrow(`parameter ${name} must be`);
  });
});

import { join } from 'node:path';
import type { TensorData } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { adversarialRun } from '@dalle-mini/testing/tiny-training';
import type { VqganTrainingConfig } from '@dalle-mini/train';
import { discriminatorPrefix } from '@dalle-mini/vqgan';
import { readCheckpointFile } from '@dalle-mini/weights/node';
import { afterAll, describe, expect, test } from 'vitest';
import { vqganTrainer } from '../tiny-trainers.js';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const train = vqganTrainer(runtime);
const { config } = adversarialRun;
const { discriminator } = config;
const short = { steps: 10, checkpointEvery: 10, evaluateEvery: 10 };

describe('training against a discriminator', () => {
  const run = (changes: Partial<VqganTrainingConfig>, parameters?: Map<string, TensorData>) =>
    train({ ...short, parameters, config: { ...config, ...changes } });
  const weightsOf = (parameters: ReadonlyMap<string, TensorData>, part: RegExp) =>
    [...parameters].filter(([name]) => part.test(name) && !/running_|num_batches/.test(name));

  test('leaves it as it is before trainedFrom, and the VQ-GAN without it before start', async () => {
    // The defaults are others with a discriminator.
    const decays = { beta1: 0.5, beta2: 0.9 };
    const plain = await run({ ...decays, discriminator: undefined });
    const waiting = { ...discriminator!, trainedFrom: 10, start: 10 };
    const { parameters, metrics } = await run({ ...decays, discriminator: waiting });
    for (const [name, { data }] of plain.parameters) {
      const own = parameters.get(name)!.data;
      // The same gradients, of which the errors of rounding differ.
      for (const [i, value] of data.entries()) expect(Math.abs(own[i]! - value), name).toBeLessThan(5e-3);
    }
    expect(metrics.map(({ adversarialWeight }) => adversarialWeight)).toEqual(new Array(10).fill(0));
    const trainedLater = await run({ discriminator: waiting }, parameters);
    const isOf = /^loss\./;
    expect(weightsOf(trainedLater.parameters, isOf)).toEqual(weightsOf(parameters, isOf));
    const trained = await run({ discriminator: { ...waiting, trainedFrom: 5 } }, parameters);
    expect(weightsOf(trained.parameters, isOf)).not.toEqual(weightsOf(parameters, isOf));
  });

  test('has the weight as it is given if it is not adaptive', async () => {
    const { metrics } = await run({
      discriminator: { ...discriminator!, trainedFrom: 0, start: 4, adaptive: false, weight: 0.5 },
    });
    expect(metrics.map(({ adversarialWeight }) => adversarialWeight)).toEqual([0, 0, 0, 0, ...new Array(6).fill(0.5)]);
  });

  test('reports each term of the losses', async () => {
    const { metrics } = await run({ quantizer: { entropyWeight: 0.1 } });
    expect(Object.keys(metrics[0]!).sort()).toEqual(
      [
        ...[
          'step',
          'loss',
          'squaredError',
          'absoluteError',
          'codebookLoss',
          'entropyLoss',
          'gradientNorm',
          'learningRate',
        ],
        ...[
          'adversarialLoss',
          'adversarialWeight',
          'discriminatorLoss',
          'discriminatorGradientNorm',
          'realLogits',
          'fakeLogits',
        ],
      ].sort(),
    );
  });

  test('results in the discriminator too, from which a later run starts', async () => {
    const { parameters } = await run({});
    const names = [...parameters.keys()].filter((name) => name.startsWith('loss.'));
    expect(names.every((name) => name.startsWith(discriminatorPrefix))).toBe(true);
    expect(names).toContain('loss.discriminator.main.3.running_mean');
    // Three batches a step: reconstructions for both networks, and images.
    expect(parameters.get('loss.discriminator.main.3.num_batches_tracked')!.data[0]).toBe(30);
    const more = await run({}, parameters);
    expect(more.parameters.get('loss.discriminator.main.3.num_batches_tracked')!.data[0]).toBe(60);
    // Without it, one with new values is trained.
    const without = new Map([...parameters].filter(([name]) => !name.startsWith('loss.')));
    const fresh = await run({}, without);
    expect(fresh.parameters.get('loss.discriminator.main.3.num_batches_tracked')!.data[0]).toBe(30);
  });

  test('trains codes that are averages of their vectors', async () => {
    const average = { quantizer: { averageCodes: 0.9, gradient: 'rotation' }, averageDecay: undefined } as const;
    const { parameters } = await run({});
    const { parameters: trained, metrics } = await run(average, parameters);
    const codebook = 'quantize.embedding.weight';
    expect(trained.get(codebook)!.data.every(Number.isFinite)).toBe(true);
    expect(trained.get(codebook)).not.toEqual(parameters.get(codebook));
    // What only training needs is not in the result.
    expect([...trained.keys()].sort()).toEqual([...parameters.keys()].sort());
    for (const { codebookLoss } of metrics) expect(codebookLoss).toBeLessThan(2 * metrics[0]!.codebookLoss!);
  });

  test('with a perceptual term measures it, and chooses the best evaluation by it', async () => {
    const { parameters, metrics, folder } = await run({ perceptual: { weight: 0.5 } });
    for (const { perceptualLoss } of metrics) expect(perceptualLoss).toBeGreaterThan(0);
    expect(metrics.at(-1)!.evaluationLpips).toBeGreaterThan(0);
    // Its network is not trained: neither the result nor the checkpoint has it.
    expect([...parameters.keys()].filter((name) => name.startsWith('loss.perceptual'))).toEqual([]);
    const { tensors } = await readCheckpointFile(join(folder, 'checkpoint-00000010.safetensors'));
    expect([...tensors.keys()].filter((name) => name.includes('perceptual'))).toEqual([]);
    const { metrics: without } = await run({});
    expect(metrics[0]!.loss! - without[0]!.loss!).toBeCloseTo(0.5 * metrics[0]!.perceptualLoss!, 4);
  });
});

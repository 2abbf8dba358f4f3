import type { RgbImage } from '@dalle-mini/core';
import { input, ParameterScope, type Tensor, type TensorData } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { grad } from '@dalle-mini/graph/training';
import { LpipsMetric } from '@dalle-mini/perceptual';
import { readPerceptualWeights } from '@dalle-mini/perceptual/node';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { adversarialRun } from '@dalle-mini/testing/tiny-training';
import { float32, int32, Values } from '@dalle-mini/testing/values';
import { trainVqgan } from '@dalle-mini/train';
import { afterAll, describe, expect, test } from 'vitest';
import { adaptiveWeight, discriminatorLosses, leCamLoss } from '../src/losses/adversarial.js';
import { perceptualDistance, perceptualPrefix } from '../src/losses/vqgan.js';
import { recordingRuntime } from './recording-runtime.js';
import { vqganTrainer } from './tiny-trainers.js';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

async function run(outputs: Record<string, Tensor>, given: Record<string, TensorData>, inputs: Record<string, Tensor>) {
  const executable = await runtime.compile(
    { inputs, outputs },
    { parameters: new Map(Object.entries(given).filter(([name]) => !(name in inputs))) },
  );
  const values = Object.entries(given).filter(([name]) => name in inputs);
  const results = await executable.run(Object.fromEntries(values));
  await executable.dispose();
  return results;
}

const real = [-3, 0.5, 2, 90];
const fake = [-2, -0.5, 1.5, 80];
const logits = { real: input('real', [4]), fake: input('fake', [4]) };
const given = { real: float32([4], real), fake: float32([4], fake) };
const mean = (values: readonly number[]) => values.reduce((a, b) => a + b) / values.length;

describe('the loss of a discriminator', () => {
  test.each([
    ['hinge', (x: number) => Math.max(0, 1 + x)],
    ['vanilla', (x: number) => Math.log1p(Math.exp(x))],
  ] as const)('is %s, with its derivatives', async (name, loss) => {
    const total = discriminatorLosses[name](logits);
    const [byReal, byFake] = grad(total, [logits.real, logits.fake]);
    const results = await run({ total, byReal: byReal!, byFake: byFake! }, given, logits);
    const expected = (mean(real.map((x) => loss(-x))) + mean(fake.map(loss))) / 2;
    expect(results.total!.data[0]).toBeCloseTo(expected, 5);
    const slope = (x: number) => (loss(x + 1e-4) - loss(x - 1e-4)) / 2e-4 / 8;
    for (const i of real.keys()) {
      expect(results.byReal!.data[i]).toBeCloseTo(-slope(-real[i]!), 4);
      expect(results.byFake!.data[i]).toBeCloseTo(slope(fake[i]!), 4);
    }
  });

  test('is regularized by the distance of logits from the moving averages of the others', async () => {
    const scope = new ParameterScope();
    const inputs = { ...logits, step: input('step', [], 'int32') };
    const total = leCamLoss(scope, logits, { decay: 0.9, step: inputs.step, since: 5 });
    const [byReal] = grad(total, [logits.real]);
    const outputs = { total, byReal: byReal!, ...Object.fromEntries(scope.assignments) };
    const before = { logits_real_ema: float32([], [1]), logits_fake_ema: float32([], [-1]) };
    const at = (step: number) => run(outputs, { ...given, ...before, step: int32([], [step]) }, inputs);

    const expected = (averageReal: number, averageFake: number) =>
      mean(real.map((x) => Math.max(0, x - averageFake) ** 2)) +
      mean(fake.map((x) => Math.max(0, averageReal - x) ** 2));
    // The first step has no averages but its own means.
    const first = await at(5);
    expect(first.total!.data[0]).toBeCloseTo(expected(mean(real), mean(fake)), 2);
    const later = await at(6);
    const averages = [0.9 * 1 + 0.1 * mean(real), 0.9 * -1 + 0.1 * mean(fake)] as const;
    expect(later.logits_real_ema!.data[0]).toBeCloseTo(averages[0], 5);
    expect(later.logits_fake_ema!.data[0]).toBeCloseTo(averages[1], 5);
    expect(later.total!.data[0]).toBeCloseTo(expected(...averages), 2);
    for (const [i, x] of real.entries()) expect(later.byReal!.data[i]).toBeCloseTo(Math.max(0, x - averages[1]) / 2, 4);
  });
});

test('the adaptive weight is the ratio of the norms, at most 1e4', async () => {
  const weight = adaptiveWeight(logits.real, logits.fake);
  const ratio = async (a: number[], b: number[]) =>
    (await run({ weight }, { real: float32([4], a), fake: float32([4], b) }, logits)).weight!.data[0];
  expect(await ratio([3, 4, 0, 0], [0, 0, 0, 2])).toBeCloseTo(2.5, 3);
  expect(await ratio([3, 4, 0, 0], [0, 0, 0, 0])).toBe(10_000);
});

test('the perceptual term is the LPIPS distance of images in [−1, 1], whatever the pixels of the model', async () => {
  const shape = [2, 3, 16, 16];
  const [a, b] = [new Values(1).floats(shape), new Values(2).floats(shape)];
  const inputs = { a: input('a', shape), b: input('b', shape) };
  const weights = await readPerceptualWeights('vgg16');
  const parameters = new Map([...weights].map(([name, value]) => [perceptualPrefix + name, value]));
  const measure = async (pixelRange: readonly [number, number], x: TensorData, y: TensorData) => {
    const scope = new ParameterScope();
    const distance = perceptualDistance(scope, [inputs.a, inputs.b], {}, { ...config.model, pixelRange });
    const executable = await runtime.compile({ inputs, outputs: { distance } }, { parameters });
    return (await executable.run({ a: x, b: y })).distance!.data[0]!;
  };
  const half = ({ data }: TensorData) =>
    float32(
      shape,
      [...data].map((x) => (x + 1) / 2),
    );
  const expected = await new LpipsMetric('vgg16', weights, { runtime }).compare(
    [imageOf(a, 0), imageOf(a, 1)],
    [imageOf(b, 0), imageOf(b, 1)],
  );
  const distance = await measure([-1, 1], a, b);
  // The pixels of images are rounded to 8 bits.
  expect(Math.abs(distance - mean([...expected.distances]))).toBeLessThan(0.005);
  expect(await measure([0, 1], half(a), half(b))).toBeCloseTo(distance, 5);
});

/** An image of a batch in [−1, 1], as bytes. */
function imageOf({ data }: TensorData, index: number): RgbImage {
  const start = 3 * 256 * index;
  const bytes = Uint8Array.from({ length: 3 * 256 }, (_, i) =>
    Math.round((data[start + (i % 3) * 256 + Math.floor(i / 3)]! + 1) * 127.5),
  );
  return { width: 16, height: 16, data: bytes };
}

const train = vqganTrainer(recordingRuntime());
const { config } = adversarialRun;
const { discriminator } = config;

describe('refuses', () => {
  test.each([
    [
      { ...discriminator!, layers: 3 },
      'config.discriminator.layers must be at most 2, for images of 16 pixels, not 3.',
    ],
    [{ ...discriminator!, trainedFrom: 30 }, 'config.discriminator.trainedFrom must be at most start, 28, not 30.'],
  ])('a discriminator that does not fit: %j', async (given, message) => {
    const options = { ...adversarialRun, runtime: recordingRuntime(), folder: await temporaryFolder() };
    await expect(trainVqgan({ ...options, config: { ...config, discriminator: given } })).rejects.toThrow(message);
  });

  test('a perceptual term for images that are too small', async () => {
    const perceptual = { network: 'alexnet' } as const;
    await expect(train({ config: { ...config, perceptual } })).rejects.toThrow(
      'config.perceptual must be left out for images of fewer than 31 pixels with alexnet',
    );
  });

  test('the weights of a discriminator of another size, by name', async () => {
    const { parameters } = await train({ config });
    const wider = { ...config, discriminator: { ...discriminator!, width: 16 } };
    await expect(train({ config: wider, parameters })).rejects.toThrow(
      /loss\.discriminator\.main\.0\.weight must be float32\[16, 3, 4, 4\]/,
    );
  });
});

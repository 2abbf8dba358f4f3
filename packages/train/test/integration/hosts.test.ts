import { readdir } from 'node:fs/promises';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { grids } from '@dalle-mini/testing/tiny-training';
import { afterAll, describe, expect, test } from 'vitest';
import { hostTrainers, type Trained } from '../host-trainers.js';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const { trainers, trainOn } = hostTrainers(runtime);

/** Returns the results of hosts that all must succeed. */
async function results(...given: Parameters<typeof trainOn>): Promise<Trained[]> {
  return (await trainOn(...given)).map((one) => {
    if (one.status === 'rejected') throw one.reason;
    return one.value;
  });
}

const short = { steps: 15, checkpointEvery: 5, evaluateEvery: 15 };
const losses = ({ metrics }: Trained) => metrics.map(({ loss, gradientNorm }) => [loss, gradientNorm]);
/** All that the steps of a run report. */
const allMetrics = ({ metrics }: Trained) => metrics.map((record) => Object.values(record));

/** Expects numbers that differ by the rounding of sums in another order. */
function expectClose(actual: readonly (number | undefined)[][], expected: readonly (number | undefined)[][]): void {
  expect(actual.length).toBe(expected.length);
  for (const [i, row] of actual.entries())
    for (const [j, value] of row.entries()) {
      const other = expected[i]![j]!;
      expect(Math.abs(value! - other) / Math.max(1, Math.abs(other)), `${i}, ${j}`).toBeLessThan(1e-4);
    }
}

describe('training on several hosts', () => {
  test.each([2, 3])('of %i gives the losses of one host, for a decoder', async (size) => {
    const changes = { ...short, config: { accumulation: 2, tokenNoise: 0.3 } };
    const alone = await trainers.decoder(changes);
    const [first, ...others] = await results(size, 'decoder', changes);
    expectClose(losses(first!), losses(alone));
    // All hosts have the same parameters, bit for bit.
    for (const other of others) expect(other.parameters).toEqual(first!.parameters);
  });

  test('gives the losses of one host, for a VQ-GAN whose unused codes restart', async () => {
    const changes = { ...short, config: { restartEvery: 5 } };
    const alone = await trainers.vqgan(changes);
    const [first, second] = await results(3, 'vqgan', changes);
    expectClose(losses(first!), losses(alone));
    expect(second!.parameters).toEqual(first!.parameters);
  });

  const discriminator = { layers: 2, width: 8, trainedFrom: 2, start: 5 };
  test.each([
    ['a discriminator with LeCam', { discriminator: { ...discriminator, leCam: { weight: 0.1 } } }],
    ['a discriminator without an adaptive weight', { discriminator: { ...discriminator, adaptive: false } }],
    ['codes that are averages', { quantizer: { averageCodes: 0.9 }, restartEvery: 5 }],
    ['a discriminator with actnorm', { discriminator: { ...discriminator, norm: 'actnorm' as const } }],
    ['the entropy of codes', { quantizer: { entropyWeight: 0.1 } }],
  ])('of a VQ-GAN with %s gives the losses of one host', async (_, config) => {
    // The discriminator and the entropy of near codes amplify rounding, more with each step.
    const changes = { steps: 10, checkpointEvery: 5, evaluateEvery: 10, config };
    const alone = await trainers.vqgan(changes);
    // The hosts have 3, 3 and 2 samples.
    const [first, second] = await results(3, 'vqgan', changes);
    expectClose(allMetrics(first!), allMetrics(alone));
    expect(second!.parameters).toEqual(first!.parameters);
  });

  test('with Adafactor, frozen parameters and a moving average gives those of one host', async () => {
    const learningRates = [{ match: 'layers.0.*', factor: 0 }];
    const changes = { ...short, config: { optimizer: 'adafactor', learningRates, averageDecay: 0.9 } as const };
    const alone = await trainers.decoder(changes);
    const [first] = await results(2, 'decoder', changes);
    expectClose(losses(first!), losses(alone));
  });

  test('resumes on another number of hosts with the same samples', async () => {
    const alone = await trainers.decoder(short);
    const folder = await temporaryFolder();
    const controller = new AbortController();
    const onProgress = ({ done }: { done: number }) => {
      if (done === 10) controller.abort(new Error('stopped'));
    };
    await trainOn(2, 'decoder', { ...short, folder, onProgress, signal: controller.signal });
    const read: number[] = [];
    const all = grids(96);
    const get: typeof all.get = (index) => {
      read.push(index);
      return all.get(index);
    };
    const dataset = { ...all, get };
    const [resumed] = await results(3, 'decoder', { ...short, folder, dataset });
    expectClose(losses(resumed!), losses(alone));
    // Each host lists all samples first. Then they read 5 steps of 8.
    const order = Array.from({ length: 40 }, (_, i) => ((80 + i) * 7) % 96);
    expect(read.slice(3 * 96).sort((a, b) => a - b)).toEqual(order.sort((a, b) => a - b));
  });

  test('writes on rank 0 alone', async () => {
    const folder = await temporaryFolder();
    await trainers.decoder({ ...short, folder });
    const [first, second] = await results(2, 'decoder', short);
    expect((await readdir(first!.folder)).sort()).toEqual((await readdir(folder)).sort());
    await expect(readdir(second!.folder)).rejects.toThrow('ENOENT');
  });

  test('stops all hosts after a checkpoint when one is asked to', async () => {
    const folder = await temporaryFolder();
    const controller = new AbortController();
    const onProgress = ({ done }: { done: number }) => {
      if (done === 5) controller.abort(new Error('asked'));
    };
    const ended = await trainOn(2, 'decoder', { ...short, folder }, (rank) =>
      rank === 1 ? { signal: controller.signal, onProgress } : {},
    );
    const messages = ended.map((one) => (one.status === 'rejected' ? (one.reason as Error).message : 'trained'));
    expect(messages).toEqual(['All hosts stopped after a checkpoint, because of rank 1: it was asked to.', 'asked']);
    expect(await readdir(folder)).toContain('checkpoint-00000005.safetensors');
  });

  test('stops all hosts after a checkpoint when one cannot read a sample', async () => {
    const folder = await temporaryFolder();
    const all = grids(96);
    const fails = (rank: number) => ({
      ...all,
      // After the list of all samples, and some steps.
      get: ((reads) => async (index: number) => {
        if (rank === 1 && ++reads > 96 + 40) throw new Error('The file is gone.');
        return all.get(index);
      })(0),
    });
    const ended = await trainOn(2, 'decoder', { ...short, folder }, (rank) => ({ dataset: fails(rank) }));
    const messages = ended.map((one) => (one.status === 'rejected' ? (one.reason as Error).message : 'trained'));
    expect(messages[0]).toContain('because of rank 1: Error: The file is gone.');
    expect(messages[1]).toBe('The file is gone.');
    expect((await readdir(folder)).join()).toContain('checkpoint-');
  });

  test('stops early on all hosts when evaluations on rank 0 no longer improve', async () => {
    const changes = { steps: 200, evaluateEvery: 5, earlyStopping: { patience: 1 }, config: { learningRate: 1 } };
    const [first, second] = await results(2, 'decoder', changes);
    expect(first!.metrics.length).toBeLessThan(200);
    expect(second!.parameters).toEqual(first!.parameters);
  });
});

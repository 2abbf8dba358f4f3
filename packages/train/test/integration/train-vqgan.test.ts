import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { pictures, vqganRun } from '@dalle-mini/testing/tiny-training';
import type { VqganTraining } from '@dalle-mini/train';
import { afterAll, describe, expect, test } from 'vitest';
import { recordingRuntime } from '../recording-runtime.js';
import { type Changes, vqganTrainer } from '../tiny-trainers.js';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const train = vqganTrainer(runtime);

describe('codes', () => {
  const codebook = 'quantize.embedding.weight';
  /** The codes are sevens after each run of the graph (5 steps), and the vectors of images are threes. */
  const runtimeWhere = (chosen: (run: number) => number[]) =>
    recordingRuntime((outputs, run) => {
      for (const name of [codebook, `average/${codebook}`]) outputs[name]?.data.fill(7);
      for (const slot of ['mean', 'square']) outputs[`optimizer/${slot}/${codebook}`]!.data.fill(1);
      outputs.vectors!.data.fill(3);
      for (const code of chosen(run)) outputs.codeCounts!.data[code] = 1;
    });
  /** Returns the first numbers of some codes at the start of each run of the graph except the first. */
  const firstNumbers = ({ runs }: ReturnType<typeof recordingRuntime>, name: string, codes: number[]) =>
    runs.slice(1).map((inputs) => codes.map((code) => inputs[name]!.data[4 * code]!));

  test('restart from a vector every restartEvery steps if they are unused', async () => {
    // Code 0 is always used, code 1 in steps 1 to 5, code 2 in steps 16 to 20, code 3 never.
    const recording = runtimeWhere((run) => [0, ...(run === 0 ? [1] : []), ...(run === 3 ? [2] : [])]);
    await train({ runtime: recording, steps: 30, evaluateEvery: 30 });
    const expected = [
      [7, 7, 7, 7],
      [7, 7, 3, 3], // after step 10
      [7, 7, 7, 7],
      [7, 3, 7, 3], // after step 20
      [7, 7, 7, 7],
    ];
    expect(firstNumbers(recording, codebook, [0, 1, 2, 3])).toEqual(expected);
    expect(firstNumbers(recording, `average/${codebook}`, [0, 1, 2, 3])).toEqual(expected);
  });

  test('that restart have no momentum', async () => {
    const recording = runtimeWhere(() => [0]);
    await train({ runtime: recording, steps: 20, evaluateEvery: 20 });
    for (const slot of ['mean', 'square'])
      expect(firstNumbers(recording, `optimizer/${slot}/${codebook}`, [0, 1])).toEqual([
        [1, 1],
        [1, 0],
        [1, 1],
      ]);
  });

  test('do not restart in the last fifth of a run', async () => {
    const recording = runtimeWhere(() => []);
    const { parameters } = await train({
      runtime: recording,
      steps: 40,
      evaluateEvery: 40,
      config: { averageDecay: undefined },
    });
    const restarted = firstNumbers(recording, codebook, [0]).map(([first]) => first === 3);
    // After steps 10, 20 and 30, and not after 40.
    expect(restarted).toEqual([false, true, false, true, false, true, false]);
    expect(parameters.get(codebook)!.data[0]).toBe(7);
  });

  test('never restart if restartEvery is 0', async () => {
    const recording = runtimeWhere(() => []);
    await train({ runtime: recording, config: { restartEvery: 0 } });
    expect(new Set(firstNumbers(recording, codebook, [0]).flat())).toEqual(new Set([7]));
  });

  test('that were used before an interruption count as used after it', async () => {
    const folder = await temporaryFolder();
    const controller = new AbortController();
    const onProgress = () => controller.abort(new Error('stopped'));
    const before = runtimeWhere(() => [0]);
    const run = { folder, steps: 20, evaluateEvery: 20 };
    await expect(train({ ...run, runtime: before, signal: controller.signal, onProgress })).rejects.toThrow('stopped');
    const after = runtimeWhere(() => []);
    await train({ ...run, runtime: after });
    expect(firstNumbers(after, codebook, [0, 1])[0]).toEqual([7, 3]);
  });
});

describe('batches', () => {
  const order = vqganRun.order as (position: number) => number;

  test('have images in the given order, [3, 16, 16] with values from −1 to 1', async () => {
    const recording = recordingRuntime();
    await train({ runtime: recording, config: { flip: false } });
    const { shape, data } = recording.runs[1]!.images!;
    expect(shape).toEqual([5, 1, 8, 3, 16, 16]);
    // The second run of the graph takes steps 6 to 10. Its seventh image is at position 5 · 8 + 6.
    const { image } = await vqganRun.dataset.get(order(46));
    const given = data.subarray(6 * 3 * 256, 7 * 3 * 256);
    const expected = Float32Array.from(given, (_, i) => image.data[3 * (i % 256) + Math.floor(i / 256)]! / 127.5 - 1);
    expect(given).toEqual(expected);
  });

  test('vary between epochs, which follow from the position or from the sampler', async () => {
    const { dataset } = vqganRun;
    const variations = async (changes: Changes<VqganTraining>) => {
      const seen = new Set<string>();
      const get = (index: number, variation = 0) => {
        seen.add(`${index} ${variation}`);
        return dataset.get(index);
      };
      const run = { steps: 30, evaluateEvery: 30, runtime: recordingRuntime() };
      await train({ ...run, dataset: { length: dataset.length, get }, ...changes });
      return seen;
    };
    // 240 positions of 96 images: epochs 0, 1 and half of epoch 2.
    expect((await variations({ order })).size).toBe(240);
    const byEpochs = await variations({ order: { epochLength: 48, at: (position) => position % 48 } });
    expect(byEpochs).toEqual(new Set(Array.from({ length: 240 }, (_, i) => `${i % 48} ${Math.floor(i / 48)}`)));
  });

  test('have about half of the images flipped with flip', async () => {
    const [plain, flipping] = [recordingRuntime(), recordingRuntime()];
    await train({ runtime: plain, config: { flip: false } });
    await train({ runtime: flipping, config: { flip: true } });
    let flipped = 0;
    for (const [run, { images }] of plain.runs.entries()) {
      const others = flipping.runs[run]!.images!.data;
      for (let start = 0; start < images!.data.length; start += 3 * 256) {
        const original = images!.data.subarray(start, start + 3 * 256);
        const other = others.subarray(start, start + 3 * 256);
        const mirrorImage = original.map((_, i) => original[i - (i % 16) + 15 - (i % 16)]!);
        if (other.every((value, i) => value === original[i])) continue;
        expect(other).toEqual(mirrorImage);
        flipped++;
      }
    }
    // Of 480 images, 240 ± 11 (one standard deviation) are flipped; a few are symmetric. The tolerance is five
    // deviations.
    expect(flipped).toBeGreaterThan(140);
    expect(flipped).toBeLessThan(295);
  });
});

describe('refuses', () => {
  const refused: [string, Changes<VqganTraining>, RegExp][] = [
    [
      'images of another size',
      { config: { model: { ...vqganRun.config.model, resolution: 32 } } },
      /shape-\d+ must be an image of 32×32 pixels, not 16×16\. .*imageSize 32/,
    ],
    [
      'images without color',
      { config: { model: { ...vqganRun.config.model, inChannels: 1 } } },
      /config.model.inChannels must be 3, for RGB images, not 1\./,
    ],
    ['an empty evaluation', { evaluation: pictures(0) }, /evaluation.length must be at least 1, not 0\./],
    [
      'a warm-up as long as the run',
      { config: { warmUpSteps: 60 } },
      /config.warmUpSteps must be less than steps, 60, not 60\./,
    ],
    ['a batch of 0', { config: { batchSize: 0 } }, /config.batchSize must be a whole number of at least 1, not 0\./],
    [
      'a negative learning rate',
      { config: { learningRate: -1 } },
      /config.learningRate must be a number above 0, not -1\./,
    ],
    [
      'an average that never changes',
      { config: { averageDecay: 1 } },
      /config.averageDecay must be .* below 1, not 1\./,
    ],
    [
      'restarts within a run of the graph',
      { config: { restartEvery: 12 } },
      /config.restartEvery must be a multiple of stepsPerRun, 5, or 0, not 12\./,
    ],
    [
      'steps that are not a multiple of the steps per run',
      { steps: 62 },
      /steps must be a multiple of config.stepsPerRun, 5, not 62\./,
    ],
    ['checkpoints within a run of the graph', { checkpointEvery: 3 }, /checkpointEvery must be a multiple/],
    ['a seed that is not a whole number', { seed: 0.5 }, /seed must be a whole number/],
    ['parameters of another model', { parameters: new Map() }, /\S+ and \d+ more are missing/],
  ];
  test.each(refused)('%s, by name', async (_, changes, message) => {
    await expect(train({ runtime: recordingRuntime(), ...changes })).rejects.toThrow(message);
  });

  test('parameters of another shape, by name', async () => {
    const { parameters } = await train({ runtime: recordingRuntime() });
    const name = 'quantize.embedding.weight';
    parameters.set(name, { dtype: 'float32', shape: [4, 32], data: new Float32Array(128) });
    await expect(train({ runtime: recordingRuntime(), parameters })).rejects.toThrow(`${name} must be float32[32, 4]`);
  });
});

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TensorData } from '@dalle-mini/graph';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { decoderRun } from '@dalle-mini/testing/tiny-training';
import { type DecoderTraining, readMetrics, trainDecoder } from '@dalle-mini/train';
import { describe, expect, test } from 'vitest';
import { recordingRuntime } from '../recording-runtime.js';

/** The parameter that shows of which step a result is. */
const parameter = 'lm_head.weight';

/**
 * Returns a runtime whose averages are the number of steps taken, and whose evaluations have the given losses.
 *
 * @param losses The loss of each evaluation, by its step.
 */
function runtimeWithLosses(losses: Readonly<Record<number, number>>) {
  let step = 0;
  const training = recordingRuntime((outputs) => {
    step += decoderRun.config.stepsPerRun!;
    outputs[`average/${parameter}`]!.data.fill(step);
  });
  return {
    ...training,
    compile: async (...args: Parameters<typeof training.compile>) => {
      const executable = await training.compile(...args);
      if ('learningRate' in args[0].inputs) return { ...executable, run: taking(executable.run) };
      return {
        ...executable,
        run: async (...values: Parameters<typeof executable.run>) => {
          const outputs = await executable.run(...values);
          outputs.loss!.data.fill(losses[step] ?? Number.NaN);
          return outputs;
        },
      };
    },
  };
  /** Takes the number of steps from the inputs, for a run that resumes. */
  function taking(run: (inputs: never) => Promise<Record<string, TensorData>>) {
    return (inputs: { readonly step: TensorData }) => {
      step = inputs.step.data[0]!;
      return run(inputs as never);
    };
  }
}

const resultOf = (parameters: ReadonlyMap<string, TensorData>) => parameters.get(parameter)!.data[0];

interface Changes extends Partial<DecoderTraining> {
  readonly losses: Readonly<Record<number, number>>;
}

function train(folder: string, { losses, ...changes }: Changes) {
  const run = { ...decoderRun, steps: 50, evaluateEvery: 10, checkpointEvery: 10, folder, ...changes };
  return trainDecoder({ ...run, runtime: runtimeWithLosses(losses) as never });
}

const losses = { 10: 3, 20: 1, 30: 2, 40: 2, 50: 1.5, 60: 0.5 };

describe('the result of a run', () => {
  test('has the parameters of the best evaluation, also when it is asked for again', async () => {
    const folder = await temporaryFolder();
    expect(resultOf(await train(folder, { losses }))).toBe(20);
    expect((await readdir(folder)).filter((name) => name.startsWith('best'))).toEqual(['best-00000020.safetensors']);
    expect(resultOf(await train(folder, { losses }))).toBe(20);
  });

  test('has the last parameters on request', async () => {
    const folder = await temporaryFolder();
    expect(resultOf(await train(folder, { losses, result: 'last' }))).toBe(50);
    expect((await readdir(folder)).filter((name) => name.startsWith('best'))).toEqual([]);
  });

  test('has the best of all steps if more are taken', async () => {
    const folder = await temporaryFolder();
    await train(folder, { losses });
    expect(resultOf(await train(folder, { losses, steps: 60 }))).toBe(60);
    const worse = await temporaryFolder();
    await train(worse, { losses });
    expect(resultOf(await train(worse, { losses: { ...losses, 60: 9 }, steps: 60 }))).toBe(20);
  });

  test('is the same after an interruption between the best evaluation and its checkpoint', async () => {
    const folder = await temporaryFolder();
    const onProgress = ({ done }: { done: number }) => {
      if (done === 25) throw new Error('killed');
    };
    const run = { losses, checkpointEvery: 50 };
    await expect(train(folder, { ...run, onProgress })).rejects.toThrow('killed');
    expect(await readdir(folder)).toContain('best-00000020.safetensors');
    // Without a checkpoint, all is computed again, and the best parameters so far are those of the new run.
    const result = await train(folder, { ...run, losses: { 10: 3, 20: 4, 30: 2, 40: 2, 50: 5 } });
    expect(resultOf(result)).toBe(30);
    expect((await readdir(folder)).filter((name) => name.startsWith('best'))).toEqual(['best-00000030.safetensors']);
  });

  test('comes from the last step if the run has no best parameters', async () => {
    const folder = await temporaryFolder();
    await train(folder, { losses, result: 'last' });
    expect(resultOf(await train(folder, { losses }))).toBe(50);
  });
});

describe('early stopping', () => {
  test('ends a run after the given number of evaluations that are not better', async () => {
    const folder = await temporaryFolder();
    const run = { losses, earlyStopping: { patience: 2 } };
    expect(resultOf(await train(folder, run))).toBe(20);
    const metrics = await readMetrics(join(folder, 'metrics.jsonl'));
    expect(metrics.at(-1)!.step).toBe(40);
    expect(await readdir(folder)).toContain('checkpoint-00000040.safetensors');
    // Again, no step is taken.
    expect(resultOf(await train(folder, { ...run, losses: {} }))).toBe(20);
    // With more patience, the run continues.
    await train(folder, { losses, earlyStopping: { patience: 3 } });
    expect((await readMetrics(join(folder, 'metrics.jsonl'))).at(-1)!.step).toBe(50);
  });

  test.each([0, 1.5])('refuses the patience %d', async (patience) => {
    await expect(train('unused', { losses, earlyStopping: { patience } })).rejects.toThrow(
      'earlyStopping.patience must be a whole number of at least 1',
    );
  });
});

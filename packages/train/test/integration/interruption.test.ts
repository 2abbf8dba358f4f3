import { appendFile, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { contentOf, temporaryFolder } from '@dalle-mini/testing/folders';
import { adversarialRun, decoderRun, vqganRun } from '@dalle-mini/testing/tiny-training';
import { ResumeError, trainDecoder, trainVqgan } from '@dalle-mini/train';
import { readCheckpointFile, writeCheckpointFile } from '@dalle-mini/weights/node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recordingRuntime } from '../recording-runtime.js';

// One thread, because rounding differs with several threads.
const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

/** A run and the options that a test may change. */
interface Changes {
  readonly runtime?: OnnxRuntime | ReturnType<typeof recordingRuntime>;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { done: number }) => void;
  readonly seed?: number;
  readonly steps?: number;
  readonly learningRate?: number;
}

const kinds = {
  vqgan: (folder: string, { learningRate = 4e-3, ...changes }: Changes = {}) =>
    trainVqgan({ ...vqganRun, runtime, folder, ...changes, config: { ...vqganRun.config, learningRate } }),
  /** Stopped after step 25: the discriminator has learned, and its term does not count yet. */
  adversarial: (folder: string, { learningRate = 4e-3, ...changes }: Changes = {}) =>
    trainVqgan({ ...adversarialRun, runtime, folder, ...changes, config: { ...adversarialRun.config, learningRate } }),
  decoder: (folder: string, { learningRate = 1e-2, ...changes }: Changes = {}) =>
    trainDecoder({ ...decoderRun, runtime, folder, ...changes, config: { ...decoderRun.config, learningRate } }),
  /** Stopped between two computations of the preconditioners, which have been applied for some steps. */
  shampoo: (folder: string, { learningRate = 1e-2, ...changes }: Changes = {}) => {
    const shampoo = { blockSize: 16, preconditionEvery: 10, preconditionFrom: 12 };
    const config = { ...decoderRun.config, optimizer: 'shampoo' as const, shampoo, learningRate };
    return trainDecoder({ ...decoderRun, runtime, folder, ...changes, config });
  },
};

describe.each(['vqgan', 'adversarial', 'decoder', 'shampoo'] as const)('an interrupted run of %s training', (kind) => {
  const train = kinds[kind];
  /** The result of an uninterrupted run. */
  let expected: Record<string, Buffer>;
  beforeAll(async () => {
    const folder = await temporaryFolder();
    await train(folder);
    expected = await contentOf(folder);
  });

  test('saves a checkpoint when a signal stops it, and later ends with the same bytes', async () => {
    const folder = await temporaryFolder();
    const controller = new AbortController();
    const reason = new Error('enough for today');
    const onProgress = ({ done: step }: { done: number }) => {
      if (step === 25) controller.abort(reason);
    };
    await expect(train(folder, { signal: controller.signal, onProgress })).rejects.toBe(reason);
    expect(await readdir(folder)).toContain('checkpoint-00000025.safetensors');
    const steps: number[] = [];
    await train(folder, { onProgress: ({ done }) => steps.push(done) });
    expect(steps).toEqual([30, 35, 40, 45, 50, 55, 60]);
    expect(await contentOf(folder)).toEqual(expected);
  });

  test('is refused if its newest checkpoint is damaged, and resumes from the one before if that is deleted', async () => {
    const folder = await temporaryFolder();
    for (const [name, bytes] of Object.entries(expected)) await writeFile(join(folder, name), bytes);
    const newest = join(folder, 'checkpoint-00000060.safetensors');
    await truncate(newest, 10_000);
    const resumed = train(folder);
    await expect(resumed).rejects.toThrow(ResumeError);
    await expect(resumed).rejects.toThrow(
      `Delete ${newest} and run again: training then resumes from checkpoint-00000050`,
    );
    await rm(newest);
    await train(folder);
    expect(await contentOf(folder)).toEqual(expected);
  });
});

describe('a run that resumes', () => {
  /** Makes a folder with a run that stopped at step 20 without computing. */
  async function stoppedRun(): Promise<string> {
    const folder = await temporaryFolder();
    const controller = new AbortController();
    const onProgress = ({ done: step }: { done: number }) => {
      if (step === 20) controller.abort(new Error('stopped'));
    };
    const stopped = kinds.decoder(folder, { runtime: recordingRuntime(), signal: controller.signal, onProgress });
    await expect(stopped).rejects.toThrow('stopped');
    return folder;
  }

  test('is refused with other settings, which the error lists', async () => {
    const folder = await stoppedRun();
    const before = await contentOf(folder);
    const resumed = kinds.decoder(folder, { runtime: recordingRuntime(), learningRate: 0.5, seed: 4 });
    await expect(resumed).rejects.toThrow(ResumeError);
    await expect(resumed).rejects.toThrow(
      `${join(folder, 'checkpoint-00000020.safetensors')} belongs to a run with other settings: ` +
        'config.learningRate is 0.01 there and 0.5 here; seed is 3 there and 4 here. ' +
        'Restore the previous settings, or train into another folder. To keep what this run has learned, start from its ' +
        'result there: `startFrom` in a settings file, `parameters` in a program.',
    );
    expect(await contentOf(folder)).toEqual(before);
  });

  test('may take more steps, with the learning rates of the new number', async () => {
    const folder = await stoppedRun();
    const longer = recordingRuntime();
    await kinds.decoder(folder, { runtime: longer, steps: 80 });
    expect(longer.runs).toHaveLength((80 - 20) / 5);
    const whole = recordingRuntime();
    await kinds.decoder(await temporaryFolder(), { runtime: whole, steps: 80 });
    const rates = ({ runs }: typeof whole) => runs.map(({ learningRate }) => learningRate!.data);
    expect(rates(longer)).toEqual(rates(whole).slice(20 / 5));
    // A finished run too.
    const more = recordingRuntime();
    await kinds.decoder(folder, { runtime: more, steps: 100 });
    expect(more.runs).toHaveLength((100 - 80) / 5);
  });

  test('may take fewer steps, but not fewer than it has taken', async () => {
    const folder = await stoppedRun();
    const before = await contentOf(folder);
    await expect(kinds.decoder(folder, { runtime: recordingRuntime(), steps: 15 })).rejects.toThrow(
      `steps must be at least 20, the steps that the run in ${folder} has taken, not 15.`,
    );
    expect(await contentOf(folder)).toEqual(before);
    await kinds.decoder(folder, { runtime: recordingRuntime(), steps: 40 });
    expect(await readdir(folder)).toContain('checkpoint-00000040.safetensors');
  });

  test('ends with the error that onProgress throws or rejects with', async () => {
    const run = async (onProgress: () => unknown) =>
      kinds.decoder(await temporaryFolder(), { runtime: recordingRuntime(), onProgress });
    const failure = new Error('no more room for a line of the log');
    await expect(
      run(() => {
        throw failure;
      }),
    ).rejects.toBe(failure);
    await expect(run(() => Promise.reject(failure))).rejects.toBe(failure);
  });

  test('is refused as another kind of training', async () => {
    const folder = await stoppedRun();
    await expect(kinds.vqgan(folder, { runtime: recordingRuntime() })).rejects.toThrow(
      /kind is "decoder" there and "vqgan" here/,
    );
  });

  test('is refused with other initial parameters', async () => {
    const folder = await temporaryFolder();
    const run = { ...vqganRun, runtime: recordingRuntime(), folder };
    const parameters = await trainVqgan(run);
    await expect(trainVqgan({ ...run, parameters })).rejects.toThrow(/start is "random" there and "[0-9a-f]+" here/);
  });

  test('uses the default of a missing option', async () => {
    const folder = await stoppedRun();
    const config = { ...decoderRun.config, captionDropout: 0.1, accumulation: undefined, optimizer: 'adamw' } as const;
    await trainDecoder({ ...decoderRun, folder, runtime: recordingRuntime(), config });
  });

  test('uses the default of a setting that its checkpoint lacks', async () => {
    const folder = await stoppedRun();
    const path = join(folder, 'checkpoint-00000020.safetensors');
    const { tensors, metadata } = await readCheckpointFile(path);
    const settings = JSON.parse(metadata.settings!);
    delete settings.config.captionDropout;
    await writeCheckpointFile(path, tensors, { ...metadata, settings: JSON.stringify(settings) });
    const resume = (captionDropout: number) =>
      trainDecoder({
        ...decoderRun,
        folder,
        runtime: recordingRuntime(),
        config: { ...decoderRun.config, captionDropout },
      });
    await expect(resume(0.2)).rejects.toThrow('config.captionDropout is 0.1 there and 0.2 here');
    await resume(0.1);
  });

  test('is refused if a tensor is missing from the checkpoint', async () => {
    const folder = await stoppedRun();
    const path = join(folder, 'checkpoint-00000020.safetensors');
    const bytes = await readFile(path);
    // Names are plain text in the file, so another one of the same length fits.
    bytes.write('lm_tail', bytes.indexOf('lm_head'));
    await writeFile(path, bytes);
    await expect(kinds.decoder(folder, { runtime: recordingRuntime() })).rejects.toThrow(
      /damaged: .*lm_head\S* is missing.*Delete \S+checkpoint-00000020.safetensors and run again/,
    );
  });

  test.each([
    ['from after the checkpoint', '{"step":21,"loss":1,"gradientNorm":1,"learningRate":1}\n'],
    ['cut off', '{"step":21,"lo'],
  ])('drops lines of metrics that are %s', async (_, line) => {
    const folder = await stoppedRun();
    const path = join(folder, 'metrics.jsonl');
    const before = await readFile(path, 'utf8');
    await appendFile(path, line);
    await kinds.decoder(folder, { runtime: recordingRuntime() });
    const lines = (await readFile(path, 'utf8')).split('\n');
    expect(lines.slice(0, 20)).toEqual(before.split('\n').slice(0, 20));
    const steps = lines.slice(0, -1).map((text) => JSON.parse(text).step);
    expect(steps).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
    expect(JSON.parse(lines[20]!).loss).toBe(0);
  });

  test('names the damaged line of the metrics', async () => {
    const folder = await stoppedRun();
    const path = join(folder, 'metrics.jsonl');
    await writeFile(path, `not JSON\n${await readFile(path, 'utf8')}`);
    await expect(kinds.decoder(folder, { runtime: recordingRuntime() })).rejects.toThrow(
      `${path}, line 1: the text must be JSON`,
    );
  });

  test('deletes the file that a killed process was writing, and nothing else', async () => {
    const folder = await stoppedRun();
    await writeFile(join(folder, '.4f1cdb6c-1b1c-4c8f-9a51-0d2d1cf1c7a5.tmp'), 'half a checkpoint');
    await writeFile(join(folder, 'notes.tmp'), 'mine');
    await kinds.decoder(folder, { runtime: recordingRuntime() });
    const names = await readdir(folder);
    expect(names).toContain('notes.tmp');
    expect(names.filter((name) => name.startsWith('.'))).toEqual([]);
  });
});

test('a run that is aborted before it starts leaves no folder', async () => {
  const folder = join(await temporaryFolder(), 'run');
  await expect(kinds.decoder(folder, { signal: AbortSignal.abort(new Error('no')) })).rejects.toThrow('no');
  await expect(readdir(folder)).rejects.toThrow('ENOENT');
});

test('does not read after its end, even if a pending batch fails', async () => {
  let started = 0;
  let reading = 0;
  const controller = new AbortController();
  const dataset = {
    ...decoderRun.dataset,
    get: async (index: number) => {
      if (!controller.signal.aborted) return decoderRun.dataset.get(index);
      started++;
      reading++;
      // Longer than saving the checkpoint takes.
      await sleep(500);
      reading--;
      throw new Error('the dataset is closed');
    },
  };
  // The batches of steps 6 to 10 are requested when the first run of the graph has started, and the abort ends the run.
  const aborting = recordingRuntime(() => controller.abort(new Error('stopped')));
  const folder = await temporaryFolder();
  const options = { ...decoderRun, dataset, folder, runtime: aborting, signal: controller.signal };
  await expect(trainDecoder(options)).rejects.toThrow('stopped');
  expect(started).toBeGreaterThan(0);
  expect(reading).toBe(0);
});

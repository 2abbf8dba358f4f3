import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FileError } from '@dalle-mini/core/node';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { contentOf, temporaryFolder } from '@dalle-mini/testing/folders';
import { decoderRun, vqganRun } from '@dalle-mini/testing/tiny-training';
import { type DecoderTraining, DivergenceError, readMetrics, trainDecoder, trainVqgan } from '@dalle-mini/train';
import { toFloat32 } from '@dalle-mini/weights';
import { readCheckpointFile } from '@dalle-mini/weights/node';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { recordingRuntime } from './recording-runtime.js';

/** The system call that fails, and its error code; `files` limits it to writes of some files. */
const fault = vi.hoisted((): { open?: string; write?: string; files?: RegExp } => ({}));

vi.mock('node:fs/promises', async (original) => {
  const actual = await original<typeof import('node:fs/promises')>();
  const { fail } = await import('@dalle-mini/testing/system-error');
  return {
    ...actual,
    async open(...args: Parameters<typeof actual.open>) {
      const [path, flags] = args;
      if (flags === 'r' || !fault.files?.test(String(path))) return actual.open(...args);
      if (fault.open !== undefined) fail(fault.open, 'open');
      const file = await actual.open(...args);
      // Like a real device, it fills up after the first bytes.
      const writeSome = async (content: Uint8Array | string) => {
        await file.appendFile(content.slice(0, 5));
        fail(fault.write!, 'write');
      };
      if (fault.write !== undefined) Object.assign(file, { write: writeSome, writeFile: writeSome });
      return file;
    },
  };
});

afterEach(() => {
  for (const field of ['open', 'write', 'files'] as const) delete fault[field];
});

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const train = (folder: string, changes: Partial<DecoderTraining> = {}) =>
  trainDecoder({ ...decoderRun, runtime: recordingRuntime(), folder, ...changes });

/** Temporary files of `writeFileAtomically`, which are then renamed to a checkpoint or a sheet. */
const temporaryFiles = /\.tmp$/;
const metricsFile = /metrics\.jsonl$/;

describe('a folder that cannot be written to', () => {
  test('is refused if it is a file', async () => {
    const folder = join(await temporaryFolder(), 'file');
    await writeFile(folder, '');
    await expect(train(join(folder, 'run'))).rejects.toThrow(FileError);
    await expect(train(join(folder, 'run'))).rejects.toThrow(`Cannot write ${join(folder, 'run')}: a part of its path`);
  });

  test('is refused without permission', async () => {
    Object.assign(fault, { open: 'EACCES', files: metricsFile });
    const folder = await temporaryFolder();
    await expect(train(folder)).rejects.toThrow(/Cannot write \S+metrics.jsonl: permission is denied/);
  });

  test('is refused if metrics.jsonl is a folder', async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'metrics.jsonl'));
    await expect(train(folder)).rejects.toThrow(/Cannot read \S+metrics.jsonl: it is a folder/);
  });
});

describe('a full disk', () => {
  test('leaves no half-written checkpoint, and the run resumes when there is space', async () => {
    const whole = await temporaryFolder();
    // Without evaluations before the end, whose best parameters would be written before a checkpoint.
    const run = { runtime, evaluateEvery: 60 };
    await train(whole, run);
    const folder = await temporaryFolder();
    const onProgress = ({ done: step }: { done: number }) => {
      if (step === 20) Object.assign(fault, { write: 'ENOSPC', files: temporaryFiles });
    };
    const full = train(folder, { ...run, onProgress });
    await expect(full).rejects.toThrow(FileError);
    await expect(full).rejects.toThrow(/checkpoint-00000030.safetensors: the disk is full/);
    delete fault.files;
    expect((await readdir(folder)).sort()).toEqual([
      'checkpoint-00000010.safetensors',
      'checkpoint-00000020.safetensors',
      'dataset.jsonl',
      'metrics.jsonl',
      'run-log.jsonl',
    ]);
    await train(folder, run);
    expect(await contentOf(folder)).toEqual(await contentOf(whole));
  });

  test('leaves no half-written best parameters, and the run resumes when there is space', async () => {
    const whole = await temporaryFolder();
    await train(whole, { runtime });
    const folder = await temporaryFolder();
    const onProgress = ({ done: step }: { done: number }) => {
      if (step === 25) Object.assign(fault, { write: 'ENOSPC', files: temporaryFiles });
    };
    await expect(train(folder, { runtime, onProgress })).rejects.toThrow(/best-00000030.safetensors: the disk is full/);
    delete fault.files;
    expect((await readdir(folder)).filter((name) => /best|tmp/.test(name))).toEqual([]);
    await train(folder, { runtime });
    expect(await contentOf(folder)).toEqual(await contentOf(whole));
  });

  test('leaves no half-written line of metrics', async () => {
    const folder = await temporaryFolder();
    const onProgress = ({ done: step }: { done: number }) => {
      if (step === 15) Object.assign(fault, { write: 'ENOSPC', files: metricsFile });
    };
    await expect(train(folder, { onProgress })).rejects.toThrow(/metrics.jsonl: the disk is full/);
    const text = await readFile(join(folder, 'metrics.jsonl'), 'utf8');
    expect(text.endsWith('}\n')).toBe(true);
    expect(await readMetrics(join(folder, 'metrics.jsonl'))).toHaveLength(15);
  });

  test('leaves no half-written sheet', async () => {
    const folder = await temporaryFolder();
    Object.assign(fault, { write: 'ENOSPC', files: temporaryFiles });
    const run = { ...vqganRun, checkpointEvery: 60, runtime: recordingRuntime(), folder };
    await expect(trainVqgan(run)).rejects.toThrow(/reconstructions-00000030.png: the disk is full/);
    expect((await readdir(folder)).sort()).toEqual(['metrics.jsonl', 'run-log.jsonl']);
  });
});

describe('training that diverges', () => {
  test('ends with an error, and writes no checkpoint with NaN', async () => {
    const folder = await temporaryFolder();
    // After one step of 1e30, products of weights overflow float32.
    const config = { ...decoderRun.config, learningRate: 1e30, warmUpSteps: 12, stepsPerRun: 1 };
    const diverging = train(folder, { runtime, config, checkpointEvery: 1 });
    await expect(diverging).rejects.toThrow(DivergenceError);
    await expect(diverging).rejects.toThrow(
      /Training diverged: \w+ is (NaN|Infinity) at step \d+. Lower the learning rate or warm up over more steps, and train into a new folder\./,
    );
    for (const record of await readMetrics(join(folder, 'metrics.jsonl'))) {
      for (const value of Object.values(record)) expect(Number.isFinite(value)).toBe(true);
    }
    for (const name of await readdir(folder)) {
      if (!name.startsWith('checkpoint')) continue;
      for (const tensor of (await readCheckpointFile(join(folder, name))).tensors.values()) {
        expect(toFloat32(tensor).every(Number.isFinite)).toBe(true);
      }
    }
  });

  test.each(['loss', 'gradientNorm'])('is detected by the %s of any step, not only of the last one', async (name) => {
    const folder = await temporaryFolder();
    const broken = recordingRuntime((outputs) => {
      outputs[name]!.data[1] = Number.NaN;
    });
    await expect(train(folder, { runtime: broken })).rejects.toThrow(`Training diverged: ${name} is NaN at step 2.`);
    expect((await readdir(folder)).sort()).toEqual(['dataset.jsonl', 'run-log.jsonl']);
  });
});

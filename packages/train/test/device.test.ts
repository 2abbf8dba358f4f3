import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { decoderRun, vqganRun } from '@dalle-mini/testing/tiny-training';
import { trainDecoder, trainVqgan } from '@dalle-mini/train';
import { describe, expect, test } from 'vitest';
import { checkDevice } from '../src/run/device.js';
import { decoderSettingsField } from '../src/settings/settings.js';
import { recordingRuntime } from './recording-runtime.js';

describe('the device of a run', () => {
  test.each([
    [{ device: 'gpu' }, 'device must be "cpu", "xla-cpu", "cuda" or "tpu", not "gpu"'],
    [{ mesh: { data: 2 } }, 'mesh must be left out for the device cpu (the devices xla-cpu, cuda and tpu take it)'],
    [{ device: 'cpu', compute: 'bfloat16' }, 'compute must be left out for the device cpu'],
    [{ device: 'xla-cpu', mesh: { data: 3 } }, 'config.batchSize must be a multiple of mesh.data, 3, not 8'],
    [{ device: 'xla-cpu', mesh: { rows: 3 } }, 'mesh.rows of train'],
    [
      { device: 'tpu', sharding: 'none' },
      'sharding must be "replicated", "fsdp", "rules" or a list of partition rules, not "none"',
    ],
    [{ device: 'tpu', sharding: [{ match: '*', axes: ['rows'] }] }, 'sharding[0].axes[0] must be "data", "model" or'],
  ])('%j is refused by name', async (options, message) => {
    const run = { ...options, folder: await temporaryFolder() } as object;
    await expect(trainDecoder({ ...decoderRun, ...run } as Parameters<typeof trainDecoder>[0])).rejects.toThrow(
      message,
    );
    await expect(trainVqgan({ ...vqganRun, ...run } as Parameters<typeof trainVqgan>[0])).rejects.toThrow(message);
  });

  test('is left out if there is a runtime', () => {
    const runtime = recordingRuntime();
    expect(() => checkDevice({ runtime, device: 'cpu' }, 8, 'batchSize')).toThrow('device must be left out');
    expect(() => checkDevice({ runtime, mesh: { data: 2 } }, 8, 'batchSize')).toThrow(
      'mesh must be left out if runtime is set: it is an option of the runtime',
    );
  });

  test('is the processor with ONNX Runtime by default', async () => {
    const run = {
      ...decoderRun,
      steps: 5,
      checkpointEvery: 5,
      evaluateEvery: 5,
      config: { ...decoderRun.config, warmUpSteps: 1 },
    };
    const parameters = await trainDecoder({ ...run, folder: await temporaryFolder() });
    await using runtime = new OnnxRuntime();
    const expected = await trainDecoder({ ...run, runtime, folder: await temporaryFolder() });
    expect([...parameters.keys()]).toEqual([...expected.keys()]);
  });

  test('is a setting, which is checked with the batch size', () => {
    const settings = {
      steps: 10,
      dataset: { type: 'folder', path: 'pictures' },
      model: { width: 16, layers: 1, heads: 2, feedForwardWidth: 16 },
      device: 'tpu',
      mesh: { data: 8 },
      sharding: 'fsdp',
      compute: 'bfloat16',
    };
    const read = (batchSize: number) =>
      decoderSettingsField('.').read({ ...settings, training: { batchSize, learningRate: 1, warmUpSteps: 0 } }, '');
    expect(read(16)).toMatchObject({ device: 'tpu', mesh: { data: 8 }, sharding: 'fsdp', compute: 'bfloat16' });
    expect(() => read(12)).toThrow(expect.objectContaining({ path: 'training.batchSize' }));
  });
});

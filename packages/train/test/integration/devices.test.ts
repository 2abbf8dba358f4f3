import { execFile } from 'node:child_process';
import { cp, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Runtime } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { contentOf, temporaryFolder } from '@dalle-mini/testing/folders';
import { localHosts } from '@dalle-mini/testing/local-hosts';
import { decoderModel, decoderRun, vqganRun } from '@dalle-mini/testing/tiny-training';
import { cpuPlugin, describeXla } from '@dalle-mini/testing/xla';
import { type RunOptions, readMetrics, trainDecoder, trainVqgan } from '@dalle-mini/train';
import { partitionRules } from '@dalle-mini/transformer';
import { XlaRuntime, type XlaRuntimeOptions } from '@dalle-mini/xla';
import { expect, test } from 'vitest';

/** Large enough that `fsdp` and the partition rules divide some of the parameters. */
const model = { ...decoderModel, width: 64, feedForwardWidth: 512, layers: 1 };
const once = { steps: 20, checkpointEvery: 20, evaluateEvery: 20, evaluationSize: 8 };

const shortRun = { steps: 6, checkpointEvery: 3, evaluateEvery: 6 };

type Changes = Partial<typeof once> &
  Pick<Partial<RunOptions>, 'folder' | 'signal' | 'onProgress' | 'hosts'> & { readonly config?: object };
type Train = (runtime: Runtime, changes?: Changes) => Promise<string>;

const trainings: Record<'decoder' | 'VQ-GAN', Train> = {
  decoder: async (runtime, { config, ...changes } = {}) => {
    const folder = changes.folder ?? (await temporaryFolder());
    const all = { ...decoderRun.config, model, stepsPerRun: 5, learningRate: 1e-3, ...config };
    await trainDecoder({ ...decoderRun, ...once, runtime, ...changes, folder, config: all });
    return folder;
  },
  'VQ-GAN': async (runtime, { config, ...changes } = {}) => {
    const folder = changes.folder ?? (await temporaryFolder());
    const wide = { ...vqganRun.config.model, ch: 32, zChannels: 64 };
    const all = { ...vqganRun.config, model: wide, batchSize: 4, learningRate: 1e-3, ...config };
    await trainVqgan({ ...vqganRun, ...once, runtime, ...changes, folder, config: all });
    return folder;
  },
};

const meshes: Readonly<Record<string, Omit<XlaRuntimeOptions, 'plugin'>>> = {
  'one device': {},
  '4 devices': { mesh: { data: 4 } },
  '4 devices with fsdp': { mesh: { data: 4 }, sharding: 'fsdp' },
  '2 × 2 devices with partition rules': { mesh: { data: 2, model: 2 }, sharding: partitionRules },
};

const openXla = (options: Omit<XlaRuntimeOptions, 'plugin'>) =>
  XlaRuntime.open({ plugin: cpuPlugin, cache: { maxBytes: 0 }, ...options });

const lossesIn = async (folder: string) => (await readMetrics(join(folder, 'metrics.jsonl'))).map(({ loss }) => loss!);

const computed = new Map<string, Promise<number[]>>();

/** Returns the losses of ONNX Runtime, which are computed once. */
async function expectedLosses(kind: keyof typeof trainings): Promise<number[]> {
  const compute = async () => {
    await using runtime = new OnnxRuntime({ threads: 1 });
    return lossesIn(await trainings[kind](runtime));
  };
  const losses = computed.get(kind) ?? compute();
  computed.set(kind, losses);
  return losses;
}

/** Trains until a signal stops the run with a checkpoint. Returns its folder. */
async function stopAfterThreeSteps(train: Train, runtime: Runtime, changes: Changes) {
  const folder = await temporaryFolder();
  const controller = new AbortController();
  const onProgress: RunOptions['onProgress'] = ({ done }) => {
    if (done === 3) controller.abort(new Error('stopped'));
  };
  const run = train(runtime, { ...changes, folder, signal: controller.signal, onProgress });
  await expect(run).rejects.toThrow('stopped');
  return folder;
}

function expectClose(actual: readonly number[], expected: readonly number[], tolerance: number) {
  expect(actual).toHaveLength(expected.length);
  const differences = actual.map((loss, i) => Math.abs(loss - expected[i]!));
  expect(Math.max(...differences), `differences ${differences}`).toBeLessThan(tolerance);
}

describeXla('training on XLA', () => {
  const kinds = ['decoder', 'VQ-GAN'] as const;

  test.each(kinds.flatMap((kind) => Object.keys(meshes).map((mesh) => [kind, mesh] as const)))(
    'of a %s on %s has the losses of ONNX Runtime',
    async (kind, mesh) => {
      await using runtime = await openXla(meshes[mesh]!);
      expectClose(await lossesIn(await trainings[kind](runtime)), await expectedLosses(kind), 1e-4);
    },
  );

  test.each(kinds)(
    'of a %s saves what each device has, and resumes on other devices',
    { timeout: 600_000 },
    async (kind) => {
      const changes = { ...shortRun, config: { stepsPerRun: 3, ...(kind === 'VQ-GAN' ? { restartEvery: 3 } : {}) } };
      const train = trainings[kind];
      const cache = { folder: await temporaryFolder() };
      await using onnx = new OnnxRuntime({ threads: 1 });
      await using one = await openXla({ ...meshes['one device']!, cache });
      await using four = await openXla({ ...meshes['4 devices with fsdp']!, cache });
      const whole = await train(four, changes);
      const stopped = await stopAfterThreeSteps(train, four, changes);
      const files = (await readdir(stopped)).filter((name) => name.startsWith('checkpoint-')).sort();
      expect(files).toEqual([1, 2, 3, 4].map((part) => `checkpoint-00000003-0000${part}-of-00004.safetensors`));
      const sizes = await Promise.all(files.map(async (name) => (await stat(join(stopped, name))).size));
      // The first device has the small tensors too.
      expect(new Set(sizes.slice(1)).size).toBe(1);
      expect(Math.max(...sizes)).toBeLessThan(0.5 * sizes.reduce((sum, size) => sum + size));
      const resumed = async (runtime: Runtime) => {
        const folder = await temporaryFolder();
        await cp(stopped, folder, { recursive: true });
        return train(runtime, { ...changes, folder });
      };
      const expected = await lossesIn(whole);
      for (const runtime of [onnx, one]) expectClose(await lossesIn(await resumed(runtime)), expected, 1e-4);
      // On the same devices, the bytes of all files are those of the uninterrupted run.
      expect(await contentOf(await resumed(four))).toEqual(await contentOf(whole));
    },
  );

  test('on two hosts with two devices each has the losses of one, and each host writes what its devices have', async () => {
    const changes = { ...shortRun, config: { stepsPerRun: 3 } };
    await using onnx = new OnnxRuntime({ threads: 1 });
    const expected = await lossesIn(await trainings.decoder(onnx, changes));
    const folder = await temporaryFolder();
    const cache = { folder: await temporaryFolder() };
    const two = { mesh: { data: 2 }, sharding: 'fsdp', cache } as const;
    const runtimes = [await openXla(two), await openXla(two)];
    await Promise.all(
      localHosts(2).map((hosts, rank) => trainings.decoder(runtimes[rank]!, { ...changes, folder, hosts })),
    );
    for (const runtime of runtimes) await runtime.dispose();
    expectClose(await lossesIn(folder), expected, 1e-4);
    const files = (await readdir(folder)).filter((name) => name.startsWith('checkpoint-00000006')).sort();
    expect(files).toEqual([1, 2].map((part) => `checkpoint-00000006-0000${part}-of-00002.safetensors`));
    // One host resumes from the parts of both.
    const longer = { ...changes, steps: 9 };
    await expect(trainings.decoder(onnx, { ...longer, folder })).resolves.toBe(folder);
    expect(await lossesIn(folder)).toHaveLength(9);
  });

  test('goes on from a checkpoint of ONNX Runtime', async () => {
    const changes = { ...shortRun, config: { stepsPerRun: 3 } };
    await using onnx = new OnnxRuntime({ threads: 1 });
    await using xla = await openXla(meshes['4 devices with fsdp']!);
    const expected = await lossesIn(await trainings.decoder(onnx, changes));
    const folder = await stopAfterThreeSteps(trainings.decoder, onnx, changes);
    expectClose(await lossesIn(await trainings.decoder(xla, { ...changes, folder })), expected, 1e-4);
  });

  test('that computes layers again has the same losses', async () => {
    await using runtime = await openXla({ mesh: { data: 2 } });
    for (const train of Object.values(trainings)) {
      const expected = await lossesIn(await train(runtime));
      expectClose(await lossesIn(await train(runtime, { config: { rematerialize: true } })), expected, 1e-4);
    }
  });

  test('in bfloat16 keeps float32 parameters, and learns as in float32 at first', async () => {
    await using exact = await openXla({});
    await using rounded = await openXla({ compute: 'bfloat16' });
    const [expected, actual] = [await trainings.decoder(exact), await trainings.decoder(rounded)];
    expectClose(await lossesIn(actual), await lossesIn(expected), 0.05);
    const checkpoint = await readFile(join(actual, 'checkpoint-00000020.safetensors'));
    const header = JSON.parse(String(checkpoint.subarray(8, 8 + Number(checkpoint.readBigUInt64LE(0)))));
    const types = Object.entries<{ dtype?: string }>(header).flatMap(([name, { dtype }]) =>
      name === '__metadata__' ? [] : [dtype],
    );
    expect(new Set(types)).toEqual(new Set(['F32']));
  });
});

/** Makes packages look as if they were not installed. */
const without = (names: readonly string[]) => {
  const hook = `export const resolve = (name, context, next) => {
    if (${JSON.stringify(names)}.includes(name)) throw Object.assign(new Error('Cannot find package ' + name), { code: 'ERR_MODULE_NOT_FOUND' });
    return next(name, context);
  };`;
  const source = `import { register } from 'node:module'; register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(hook)}`)});`;
  return `data:text/javascript,${encodeURIComponent(source)}`;
};

test.each([
  [['@dalle-mini/xla'], 'run "npm install @dalle-mini/xla"'],
  [['koffi'], 'Run "npm install koffi".'],
])('a device of XLA without %j is refused with what to install', async (names, advice) => {
  const settings = {
    folder: join(await temporaryFolder(), 'run'),
    steps: 10,
    dataset: { type: 'folder', path: 'pictures' },
    startFrom: 'emoji',
    training: { batchSize: 4, learningRate: 1e-3, warmUpSteps: 0 },
    device: 'xla-cpu',
  };
  const program = `import { trainVqganFromSettings } from '@dalle-mini/train/settings';
    await trainVqganFromSettings(${JSON.stringify(settings)}).catch(({ message }) => console.log(message));`;
  // An existing file: koffi is loaded before the library.
  const env = { ...process.env, PJRT_PLUGIN_LIBRARY_PATH: process.execPath };
  const options = { cwd: import.meta.dirname, env };
  const command = ['--import', without(names), '--input-type=module', '--eval', program];
  const { stdout } = await promisify(execFile)(process.execPath, command, options);
  expect(stdout).toContain(advice);
});

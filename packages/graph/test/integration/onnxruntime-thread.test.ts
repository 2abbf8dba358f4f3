import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import * as g from '@dalle-mini/graph';
import * as initializers from '@dalle-mini/graph/initializers';
import { emitOnnx } from '@dalle-mini/graph/onnx';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { runModule } from '@dalle-mini/testing/processes';
import { float32 } from '@dalle-mini/testing/values';
import { afterAll, describe, expect, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'graph-thread-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Lets the main thread of a program end its workers from inside. */
const preload = join(folder, 'preload.cjs');
writeFileSync(
  preload,
  `if (!require('node:worker_threads').isMainThread) {
    const channel = new BroadcastChannel('end');
    channel.onmessage = ({ data }) => {
      if (data === 'exit') process.exit(7);
      throw new Error('out of paper');
    };
    channel.unref();
  }`,
);

/** Runs a program in a child process, and fails if the process does not end in time. */
function program(source: string) {
  const imports = `
    import * as g from '@dalle-mini/graph';
    import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
    const x = g.input('x', [3]);
    const graph = { inputs: { x }, outputs: { y: g.neg(x) } };
    const feeds = { x: { dtype: 'float32', shape: [3], data: Float32Array.of(1, 2, 3) } };
    const runtime = new OnnxRuntime({ threads: 1 });
    const print = (error) => console.log(error.message);
    /** Blocks the main thread while the workers continue, so that their replies arrive after the next statement. */
    const block = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
  `;
  return runModule(imports + source, import.meta.dirname, [], {
    timeout: 20_000,
    env: { ...process.env, NODE_OPTIONS: `--require ${preload}` },
  });
}

describe('dispose settles, and the process stays alive until then,', () => {
  const disposed = 'the ONNX runtime was disposed of while it worked\n';

  test('if the reply of a run arrives after it', async () => {
    const source = `
      const executable = await runtime.compile(graph);
      executable.run(feeds).catch(print);
      block();
      await runtime.dispose();
      console.log('end');
    `;
    expect(await program(source)).toEqual({ code: 0, stdout: `${disposed}end\n`, stderr: '' });
  });

  test('if the reply of opening a model arrives after it', async () => {
    const source = `
      runtime.compile(graph).catch(print);
      await new Promise(setImmediate);
      block();
      await runtime.dispose();
      console.log('end');
    `;
    expect(await program(source)).toEqual({ code: 0, stdout: `${disposed}end\n`, stderr: '' });
  });
});

const x = g.input('x', [3]);
const graph: g.Graph = { inputs: { x }, outputs: { y: g.neg(x) } };
const feeds = () => ({ x: float32([3], [1, 2, 3]) });

/** Starts a runtime, calls `use` with it, and returns the workers that it started. */
async function withWorkers(work: (runtime: OnnxRuntime, workers: readonly Worker[]) => Promise<void>): Promise<void> {
  const workers: Worker[] = [];
  const add = (worker: Worker) => void workers.push(worker);
  process.on('worker', add);
  const runtime = new OnnxRuntime({ threads: 1 });
  try {
    await work(runtime, workers);
  } finally {
    process.off('worker', add);
    await runtime.dispose();
  }
}

test('a second dispose waits for the first', () =>
  withWorkers(async (runtime, workers) => {
    runtime.start();
    void runtime.dispose();
    await runtime.dispose();
    expect(workers.map(({ threadId }) => threadId)).toEqual([-1, -1]);
  }));

test('a runtime is disposed of by Symbol.asyncDispose', () =>
  withWorkers(async (runtime, workers) => {
    const executable = await runtime.compile(graph);
    await runtime[Symbol.asyncDispose]();
    expect(workers.map(({ threadId }) => threadId)).toEqual([-1]);
    await expect(executable.run(feeds())).rejects.toThrow('this executable was disposed of');
  }));

test('runs after an executable’s dispose are refused', () =>
  withWorkers(async (runtime) => {
    const executable = await runtime.compile(graph);
    const first = executable.run(feeds());
    const disposal = executable.dispose();
    await expect(executable.run(feeds())).rejects.toThrow('this executable was disposed of');
    expect([...(await first).y!.data]).toEqual([-1, -2, -3]);
    await disposal;
  }));

describe('after its worker stopped', () => {
  const path = join(folder, 'model.onnx');
  writeFileSync(path, emitOnnx(graph));

  test('a model in a file, and one without parameters, are opened again', () =>
    withWorkers(async (runtime, workers) => {
      const executables = [await runtime.open(path, graph), await runtime.compile(graph)];
      await Promise.all(workers.map((worker) => worker.terminate()));
      for (const executable of [...executables, ...executables])
        expect([...(await executable.run(feeds())).y!.data]).toEqual([-1, -2, -3]);
      await executables[0]!.dispose();
      await expect(executables[0]!.run(feeds())).rejects.toThrow('this executable was disposed of');
    }));

  test('simultaneous runs open a model once', () =>
    withWorkers(async (runtime, workers) => {
      const executable = await runtime.compile(graph);
      await workers[0]!.terminate();
      const results = await Promise.all([1, 2, 3].map(() => executable.run(feeds())));
      expect(results.map(({ y }) => y!.data[0])).toEqual([-1, -1, -1]);
      expect(workers).toHaveLength(2);
    }));

  test('a model that was passed in memory reports why it is lost, and others can be opened', () =>
    withWorkers(async (runtime, workers) => {
      const w = new g.ParameterScope().parameter('w', [3], initializers.ones);
      const product: g.Graph = { inputs: { x }, outputs: { y: g.mul(x, w) } };
      const options = { parameters: new Map([['w', float32([3], [2, 2, 2])]]) };
      const executable = await runtime.compile(product, options);
      await workers[0]!.terminate();
      const message =
        'The worker thread of ONNX Runtime stopped: it exited with code 1. ' +
        'The model was passed in memory, which is lost. Compile or open it again.';
      await expect(executable.run(feeds())).rejects.toThrow(message);
      await expect(executable.bind({})).rejects.toThrow(message);
      await executable.dispose();
      const again = await runtime.compile(product, options);
      expect([...(await again.run(feeds())).y!.data]).toEqual([2, 4, 6]);
    }));

  test('its bound inputs are lost, and can be bound again', () =>
    withWorkers(async (runtime, workers) => {
      const executable = await runtime.compile(graph);
      const bound = await executable.bind(feeds());
      await workers[0]!.terminate();
      await expect(bound.run({})).rejects.toThrow(
        'The worker thread of ONNX Runtime stopped: it exited with code 1. Its bound inputs are lost. Call bind again.',
      );
      await bound.dispose();
      expect([...(await (await executable.bind(feeds())).run({})).y!.data]).toEqual([-1, -2, -3]);
    }));

  test.each([
    ['exit', 'it exited with code 7'],
    ['throw', 'out of paper'],
  ])('pending calls are rejected with the reason, and later ones work (%s)', async (how, why) => {
    const source = `
      const executable = await runtime.compile(graph);
      const runs = Promise.allSettled(Array.from({ length: 1000 }, () => executable.run(feeds)));
      new BroadcastChannel('end').postMessage('${how}');
      const { reason } = (await runs).at(-1);
      console.log(reason.message);
      console.log((await executable.run(feeds)).y.data.join());
      await runtime.dispose();
      process.exit();
    `;
    expect(await program(source)).toEqual({
      code: 0,
      stdout: `The worker thread of ONNX Runtime stopped: ${why}. Repeat the call, which starts a new thread.\n-1,-2,-3\n`,
      stderr: '',
    });
  });
});

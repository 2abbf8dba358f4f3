import { object, readOptions } from '@dalle-mini/core';
import * as g from '@dalle-mini/graph';
import { OnnxRuntimeWeb, onnxRuntimeWebFields } from '@dalle-mini/graph/onnxruntime-web';
import {
  decodeParameter,
  type InMemory,
  quantizeBlocks,
  quantizeColumns,
  quantizeRows,
  type StoredParameter,
} from '@dalle-mini/graph/stored';
import { testRuntime } from '@dalle-mini/testing/runtime-tests';
import { float32, Values } from '@dalle-mini/testing/values';
import { afterEach, describe, expect, test, vi } from 'vitest';

// The WebAssembly build computes in Node.js as it does in browsers.
testRuntime('ONNX Runtime Web', async () => new OnnxRuntimeWeb({ threads: 1 }));

const x = g.input('x', [3]);
const negation: g.Graph = { inputs: { x }, outputs: { y: g.neg(x) } };
const feeds = { x: float32([3], [1, 2, 3]) };

describe('OnnxRuntimeWeb', () => {
  afterEach(() => vi.unstubAllGlobals());

  test('computes with parameters of every kind, from views of larger buffers', async () => {
    await using runtime = new OnnxRuntimeWeb({ threads: 1 });
    const [out, width] = [16, 32];
    const weight = new g.ParameterScope().parameter('weight', [out, width], { kind: 'zeros', scale: 0 });
    const input = g.input('input', [1, width]);
    const graph: g.Graph = { inputs: { input }, outputs: { y: g.matmul(input, weight, { transposeB: true }) } };
    const shape = [out, width];
    const values = new Values(1);
    const given = values.floats([1, width]).data as Float32Array;
    const matrix = values.floats(shape).data as Float32Array;
    const view = new Float32Array([9, ...matrix, 9]).subarray(1, -1);
    const kinds: readonly InMemory<StoredParameter>[] = [
      { dtype: 'float32', shape, data: view },
      quantizeRows(matrix, shape),
      quantizeColumns(matrix, shape),
      quantizeBlocks(matrix, shape, { bits: 8 }),
      quantizeBlocks(matrix, shape, { bits: 4 }),
    ];
    for (const stored of kinds) {
      const executable = await runtime.compile(graph, { parameters: new Map([['weight', stored]]) });
      const { y } = await executable.run({ input: { dtype: 'float32', shape: [1, width], data: given } });
      const decoded = decodeParameter(stored);
      // Kinds of 8 bits that are multiplied as such round the input to 8 bits too: to 1/127 of the largest element, 1.
      const tolerance = stored.kind === 'columns' || stored.kind === 'blocks' ? width / 127 : 1e-5;
      for (let row = 0; row < out; row++) {
        const product = given.reduce((sum, value, i) => sum + value * decoded[row * width + i]!, 0);
        expect(Math.abs(y!.data[row]! - product), stored.kind).toBeLessThan(tolerance);
      }
    }
  });

  test('gives the event loop a turn after each run', async () => {
    await using runtime = new OnnxRuntimeWeb({ threads: 1 });
    const executable = await runtime.compile(negation);
    const { port1, port2 } = new MessageChannel();
    let stopped = false;
    port1.addEventListener('message', () => {
      stopped = true;
    });
    port1.start();
    port2.postMessage('stop');
    let runs = 0;
    for (; !stopped && runs < 100; runs++) await executable.run(feeds);
    port1.close();
    expect(runs).toBeLessThan(100);
  });

  test('computes one run after the other', async () => {
    await using runtime = new OnnxRuntimeWeb({ threads: 1 });
    const [a, b] = await Promise.all([runtime.compile(negation), runtime.compile(negation)]);
    const results = await Promise.all([a.run(feeds), b.run(feeds), a.run(feeds)]);
    expect(results.map(({ y }) => [...y!.data])).toEqual([1, 2, 3].map(() => [-1, -2, -3]));
  });

  test('ends its executables with dispose, those that are compiling too', async () => {
    const runtime = new OnnxRuntimeWeb({ threads: 1 });
    const executable = await runtime.compile(negation);
    const compiling = runtime.compile(negation);
    const running = executable.run(feeds);
    await Promise.all([
      runtime.dispose(),
      expect(running).rejects.toThrow('this executable was disposed of'),
      expect(compiling).rejects.toThrow('the runtime was disposed of while it compiled'),
    ]);
    await expect(executable.run(feeds)).rejects.toThrow('this executable was disposed of');
  });

  test('refuses WebGPU where there is none, and unknown options', async () => {
    await expect(new OnnxRuntimeWeb({ device: 'webgpu' }).compile(negation)).rejects.toThrow(
      'This browser has no WebGPU, or no GPU that it allows. Use device "wasm"',
    );
    expect(() => readOptions(object(onnxRuntimeWebFields), { device: 'tpu' }, 'open')).toThrow(
      'device must be "auto", "wasm" or "webgpu", not "tpu".',
    );
    expect(() => new OnnxRuntimeWeb({ threads: 0 })).toThrow('threads must be');
    expect(() => new OnnxRuntimeWeb({ wasmPaths: 1 as never })).toThrow('wasmPaths must be a URL, or { mjs, wasm }');
  });

  test('names a GPU that is lost, and computes on where there is another', async () => {
    const { InferenceSession } = (await import('onnxruntime-web/wasm')) as unknown as {
      InferenceSession: { prototype: { run(): Promise<unknown> } };
    };
    await using runtime = new OnnxRuntimeWeb({ threads: 1 });
    const executable = await runtime.compile(negation);
    const run = vi.spyOn(InferenceSession.prototype, 'run').mockRejectedValueOnce(new Error('The GPU device was lost'));
    const error = await executable.run(feeds).catch((error: unknown) => error);
    run.mockRestore();
    expect(g.DeviceLostError.isInstance(error)).toBe(true);
    expect((error as Error).message).toBe(
      'A run failed, because the browser lost the GPU: The GPU device was lost. Reload the page, or use device "wasm".',
    );
    expect([...(await executable.run(feeds)).y!.data]).toEqual([-1, -2, -3]);
  });

  test('refuses other threads than those that ONNX Runtime was initialized with', async () => {
    await new OnnxRuntimeWeb({ threads: 1 }).compile(negation);
    await expect(new OnnxRuntimeWeb({ threads: 2 }).compile(negation)).rejects.toThrow(
      'threads must be 1, as in the first OnnxRuntimeWeb of this page or worker, not 2.',
    );
  });

  test('refuses parameters in files', async () => {
    const w = new g.ParameterScope().parameter('w', [3], { kind: 'zeros', scale: 0 });
    const parameters = new Map([
      ['w', { dtype: 'float32', shape: [3], data: { folder: 'model', file: 'model.safetensors', offset: 0 } }],
    ] as const);
    const graph = { inputs: { x }, outputs: { y: g.add(x, w) } };
    await expect(new OnnxRuntimeWeb({ threads: 1 }).compile(graph, { parameters })).rejects.toThrow(
      new g.GraphError(
        'compile: w must be in memory, not in the file model.safetensors: OnnxRuntimeWeb reads no files. Read the file first.',
      ),
    );
  });

  test('names the lack of WebAssembly', async () => {
    vi.stubGlobal('WebAssembly', undefined);
    const compiling = new OnnxRuntimeWeb({ threads: 1 }).compile(negation);
    await expect(compiling).rejects.toThrow(g.RuntimeUnavailableError);
    await expect(compiling).rejects.toThrow('OnnxRuntimeWeb needs WebAssembly');
  });

  test('names the lack of memory, and computes on', async () => {
    await using runtime = new OnnxRuntimeWeb({ threads: 1 });
    // Just less than 4 GB, which WebAssembly cannot have besides its program.
    const size = 2 ** 30 - 2048;
    const large: g.Graph = { inputs: { x }, outputs: { y: g.sum(g.exp(g.broadcastTo(g.sum(x), [size]))) } };
    const executable = await runtime.compile(large);
    const running = executable.run(feeds);
    await expect(running).rejects.toThrow(g.OutOfMemoryError);
    await expect(running).rejects.toThrow('A run needs more memory than WebAssembly can have, 4 GB at most');
    const { y } = await (await runtime.compile(negation)).run(feeds);
    expect([...y!.data]).toEqual([-1, -2, -3]);
  });
});

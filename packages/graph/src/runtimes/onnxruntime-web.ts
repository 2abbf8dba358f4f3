import { DisposedError, type Fields, field, integer, object, oneOf, optional, readOptions } from '@dalle-mini/core';
import { GraphError } from '../graph-error.js';
import { emitOnnx } from '../onnx/emit.js';
import { outputName } from '../onnx/output-name.js';
import { checkParameters } from '../stored/check-parameters.js';
import { bytesOf } from '../stored/part.js';
import { fileRegionsOf, type StoredParameter } from '../stored/stored-parameter.js';
import type { Graph, TensorData } from '../tensor.js';
import { parametersOf } from '../traversal.js';
import { bindInputs } from './bound-inputs.js';
import { detach } from './detach.js';
import { checkWebSize, createWebSession, placeOutside, tensorsOf, type VirtualFile } from './onnxruntime-session.js';
import {
  inTurn,
  loadOnnxRuntimeWeb,
  type WasmPaths,
  type WebDevice,
  type WebSettings,
  watchDevice,
} from './onnxruntime-web-module.js';
import {
  type CompileOptions,
  checkInputs,
  type Executable,
  expectedInputs,
  type RunOptions,
  type Runtime,
  type TensorValues,
} from './runtime.js';

export type { WasmPaths } from './onnxruntime-web-module.js';

export interface OnnxRuntimeWebOptions {
  /**
   * What computes: `wasm`, the processor, or `webgpu`, the GPU. `auto` is `wasm`, because WebGPU was only tested on a GPU that the
   * processor emulates, and the bundled model is too small to gain. Default `auto`.
   */
  readonly device?: 'auto' | 'wasm' | 'webgpu' | undefined;
  /**
   * Number of threads per operator. Default: half of the processor's cores, 4 at most. It is 1 on pages that are not isolated from other
   * origins (`crossOriginIsolated`), since only isolated pages may share memory.
   */
  readonly threads?: number | undefined;
  /**
   * Where the files `ort-wasm-simd-threaded.mjs` and `ort-wasm-simd-threaded.wasm` of `onnxruntime-web/dist` are served. Default: the place
   * where the bundler put them.
   */
  readonly wasmPaths?: WasmPaths | undefined;
}

/** The fields of {@link OnnxRuntimeWebOptions}, for the options of calls that open a runtime. */
export const onnxRuntimeWebFields: Fields<OnnxRuntimeWebOptions> = {
  device: optional(oneOf(['auto', 'wasm', 'webgpu'])),
  threads: optional(integer({ min: 1, max: 1024 })),
  wasmPaths: optional(
    field<WasmPaths>('a URL, or { mjs, wasm } with the URL of each file', (value) =>
      typeof value === 'object' ? value !== null : typeof value === 'string' && value !== '',
    ),
  ),
};

const optionFields = object(onnxRuntimeWebFields);

/**
 * Computes graphs in browsers, with the WebAssembly build of ONNX Runtime, which is the package `onnxruntime-web`. All operators, their
 * gradients and all kinds of stored parameters work, and results agree with `OnnxRuntime` except for rounding.
 *
 * It computes on the thread that calls it, so that a page should use it in a module worker. After each run the event loop gets a turn: a
 * worker can receive a message that stops it. A page or worker initializes ONNX Runtime once, so that all runtimes in it must have the same
 * `threads` and `wasmPaths`.
 *
 * `compile` rejects with `RuntimeUnavailableError` if there is no WebAssembly or WebGPU, if `onnxruntime-web` or its files cannot be loaded,
 * or if the parameters have more than 2 GB. It and runs reject with `OutOfMemoryError` if they need more memory than there is, and with
 * `DeviceLostError` if the GPU is lost.
 *
 * @example
 * ```ts
 * import { input, matmul } from '@dalle-mini/graph';
 * import { OnnxRuntimeWeb } from '@dalle-mini/graph/onnxruntime-web';
 *
 * const x = input('x', [2, 2]);
 * const runtime = new OnnxRuntimeWeb({ threads: 1 });
 * const executable = await runtime.compile({ inputs: { x }, outputs: { y: matmul(x, x) } });
 * const { y } = await executable.run({ x: { dtype: 'float32', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) } });
 * console.log(y?.data); // Float32Array [ 7, 10, 15, 22 ]
 * await runtime.dispose();
 * ```
 */
export class OnnxRuntimeWeb implements Runtime, AsyncDisposable {
  readonly name = 'onnxruntime-web';
  private readonly settings: WebSettings;
  private open = new Set<Executable>();

  /** @throws OptionError if an option is unknown or out of its range. */
  constructor(options: OnnxRuntimeWebOptions = {}) {
    const { device, ...settings } = readOptions(optionFields, options, 'new OnnxRuntimeWeb');
    this.settings = { ...settings, device: device === 'webgpu' ? 'webgpu' : 'wasm' };
  }

  /**
   * Compiles a graph. Parameters must be in memory, in any kind of `StoredParameter`.
   *
   * @throws GraphError if the parameters are not those of the graph, or if one is in a file.
   */
  async compile(graph: Graph, options: CompileOptions = {}): Promise<Executable> {
    const { open } = this;
    const expected = expectedInputs(graph, options);
    const declared = parametersOf(Object.values(graph.outputs));
    const { device } = this.settings;
    const { model, contents } = emit(graph, options.parameters, device);
    const ort = await loadOnnxRuntimeWeb(this.settings);
    const session = await inTurn('Opening a model', () => createWebSession(ort, model, contents, device));
    if (device === 'webgpu') await watchDevice(ort);
    if (this.open !== open) {
      await inTurn('Closing a model', () => session.release());
      throw new DisposedError('compile: the runtime was disposed of while it compiled. Compile the graph again.');
    }
    const checkOpen = () => {
      if (!open.has(executable))
        throw new DisposedError('run: this executable was disposed of. Compile the graph again.');
    };
    const executable: Executable = {
      bind: async (inputs) => bindInputs(graph, expected, executable, inputs),
      async run(inputs: TensorValues, { transfer = false }: RunOptions = {}) {
        checkOpen();
        checkInputs(expected, inputs);
        const results = await inTurn('A run', async () => {
          checkOpen();
          return session.run(tensorsOf(ort, inputs));
        });
        if (transfer) detach(inputs);
        const outputs = Object.entries(graph.outputs).map(([name, { dtype }]) => {
          const { dims, data } = results[outputName(graph, declared, name)]!;
          return [name, { dtype, shape: dims, data } as TensorData];
        });
        return Object.fromEntries(outputs);
      },
      async dispose() {
        if (open.delete(executable)) await inTurn('Closing a model', () => session.release());
      },
    };
    open.add(executable);
    return executable;
  }

  /** Frees everything, after the computation that is running. Runs that wait reject with `DisposedError`. */
  async dispose(): Promise<void> {
    const { open } = this;
    this.open = new Set();
    await Promise.all([...open].map((executable) => executable.dispose()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

/** Emits a graph, with the values of its parameters outside the model. */
function emit(
  graph: Graph,
  parameters: ReadonlyMap<string, StoredParameter> | undefined,
  device: WebDevice,
): { readonly model: Uint8Array; readonly contents: readonly VirtualFile[] } {
  const options = { provider: device === 'webgpu' ? 'webgpu' : 'cpu' } as const;
  if (!parameters) return { model: emitOnnx(graph, { kind: 'inputs' }, options), contents: [] };
  const declared = parametersOf(Object.values(graph.outputs));
  checkParameters(declared, parameters);
  const given = [...declared.keys()].map((name) => [name, parameters.get(name)!] as const);
  for (const [name, value] of given) {
    const [region] = fileRegionsOf(value);
    if (region)
      throw new GraphError(
        `compile: ${name} must be in memory, not in the file ${region.file}: OnnxRuntimeWeb reads no files. Read the file first.`,
      );
  }
  const { values, contents } = placeOutside(given, bytesOf);
  checkWebSize(contents.reduce((sum, { data }) => sum + data.byteLength, 0));
  return { model: emitOnnx(graph, { kind: 'initializers', values }, options), contents };
}

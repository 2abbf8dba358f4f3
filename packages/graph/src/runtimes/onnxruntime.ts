import { DisposedError, type Fields, integer, optional } from '@dalle-mini/core';
import { GraphError } from '../graph-error.js';
import type { ParameterPlacement } from '../onnx/emit.js';
import { outputName } from '../onnx/output-name.js';
import { isOperation } from '../operation.js';
import { loopBody } from '../operators.js';
import { checkParameters } from '../stored/check-parameters.js';
import { bytesOf } from '../stored/part.js';
import { fileRegionsOf, type StoredParameter } from '../stored/stored-parameter.js';
import type { Graph, Operation, TensorData } from '../tensor.js';
import { parametersOf, topologicalOrder } from '../traversal.js';
import { appendedInputs, checkBound } from './bound-inputs.js';
import type { CompiledModelCache } from './compiled-models.js';
import { newLock } from './locks.js';
import type { ExternalValues } from './onnxruntime-builds.js';
import { placeOutside } from './onnxruntime-session.js';
import { disposedOf, OnnxThread } from './onnxruntime-thread.js';
import type { GraphToEmit, Request } from './onnxruntime-worker.js';
import {
  type BoundInputs,
  type CompileOptions,
  checkInputs,
  type Executable,
  expectedInputs,
  type RunOptions,
  type Runtime,
  type RuntimeOwnership,
  runtimeField,
  type TensorValues,
} from './runtime.js';

export type { CompiledModelCache } from './compiled-models.js';

export interface OnnxRuntimeOptions {
  /** Number of threads per operator. Default: the number of processor cores. */
  readonly threads?: number | undefined;
  /** ONNX Runtime's execution providers, best first, such as `['cuda', 'cpu']`. Default `['cpu']`. */
  readonly executionProviders?: readonly string[] | undefined;
  /**
   * Stores compiled models whose parameters are in files, for CPUs, so that the next process only maps them into memory. A promise may
   * resolve while the threads start. Default: no cache.
   */
  readonly cache?: CompiledModelCache | Promise<CompiledModelCache | undefined> | undefined;
}

type OpenRequest = Extract<Request, { kind: 'open' }>;

/** An open model. */
interface SessionOnThread {
  readonly thread: OnnxThread;
  readonly session: number;
}

/** Inputs that are bound to a model on its thread. */
interface BoundOnThread extends SessionOnThread {
  readonly id: number;
}

/** Ends the threads of runtimes that nothing refers to any more: a server that reloads its modules may lose some without disposing of them. */
const abandoned = new FinalizationRegistry<OnnxThread[]>((threads) => {
  for (const thread of [...threads]) void thread.dispose();
});

/** Opening a model uses one core, so two threads can open two models at once. */
const mostThreads = 2;

/**
 * Computes graphs with ONNX Runtime, on worker threads, so that the event loop is never blocked.
 *
 * It uses `onnxruntime-node`. If that cannot be loaded, such as on Alpine Linux, and `onnxruntime-web` is installed, it uses the slower
 * WebAssembly build of the latter. If neither can be loaded, all calls reject with `RuntimeUnavailableError`.
 *
 * @example
 * ```ts
 * import { input, matmul } from '@dalle-mini/graph';
 * import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
 *
 * const x = input('x', [2, 2]);
 * const runtime = new OnnxRuntime({ threads: 1 });
 * const executable = await runtime.compile({ inputs: { x }, outputs: { y: matmul(x, x) } });
 * const { y } = await executable.run({ x: { dtype: 'float32', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) } });
 * console.log(y?.data); // Float32Array [ 7, 10, 15, 22 ]
 * await runtime.dispose();
 * ```
 */
export class OnnxRuntime implements Runtime, AsyncDisposable {
  readonly name = 'onnxruntime-node';
  private running: OnnxThread[] = [];
  private disposal: Promise<unknown> = Promise.resolve();
  private readonly locks = { computing: newLock(), compiling: newLock() };

  constructor(private readonly options: OnnxRuntimeOptions = {}) {
    abandoned.register(this, this.running, this);
  }

  async compile(graph: Graph, options: CompileOptions = {}): Promise<Executable> {
    const { parameters } = options;
    if (!parameters) return this.load(toEmit(graph, { kind: 'inputs' }), graph, options);
    const { values, external } = placeParameters(graph, parameters);
    return this.load(toEmit(graph, { kind: 'initializers', values }), graph, options, external);
  }

  /**
   * Opens a model that was emitted from the graph, from its bytes or the path of its file.
   *
   * @param options `parameters` must be set if the model contains its parameters. Their values are not read.
   */
  async open(model: Uint8Array | string, graph: Graph, options: CompileOptions = {}): Promise<Executable> {
    return this.load(model, graph, options);
  }

  private async load(
    model: Uint8Array | string | GraphToEmit,
    graph: Graph,
    options: CompileOptions,
    external?: ExternalValues,
  ): Promise<Executable> {
    // If the runtime is disposed of while the model is opening, this array is no longer `this.running`.
    const { running } = this;
    const expected = expectedInputs(graph, options);
    const parameters = parametersOf(Object.values(graph.outputs));
    const outputs = Object.entries(graph.outputs).map(([name, tensor]) => ({
      ...tensor,
      name,
      emitted: outputName(graph, parameters, name),
    }));
    const { runsOnce = false } = options;
    const request: OpenRequest = { kind: 'open', model, external, cache: await this.options.cache, runsOnce };
    // A model that was passed in memory is not kept, so it cannot be opened again.
    const requestAgain = model instanceof Uint8Array || external?.contents.length ? undefined : request;
    // A session ends with its thread.
    let current = await this.openSession(request, running);
    let reopening: Promise<void> | undefined;
    let closing: Promise<void> | undefined;
    const checkOpen = (call: 'run' | 'bind') => {
      if (closing || this.running !== running)
        throw new DisposedError(`${call}: this executable was disposed of. Compile the graph again.`);
    };
    /** Opens the model again after its thread has stopped. */
    const reopen = async (call: 'run' | 'bind') => {
      if (!requestAgain) {
        throw new Error(
          `${current.thread.failure} The model was passed in memory, which is lost. Compile or open it again.`,
        );
      }
      reopening ??= this.openSession(requestAgain, running)
        .then((opened) => {
          current = opened;
        })
        .finally(() => {
          reopening = undefined;
        });
      await reopening;
      checkOpen(call);
      return current;
    };
    const compute = async (
      wanted: typeof expected,
      inputs: TensorValues,
      { transfer = false, bound }: RunOptions & { readonly bound?: BoundOnThread } = {},
      returned = outputs,
    ) => {
      checkOpen('run');
      checkInputs(wanted, inputs);
      if (bound && !bound.thread.isAlive)
        throw new Error(`${bound.thread.failure} Its bound inputs are lost. Call bind again.`);
      const { thread, session } = bound ?? (current.thread.isAlive ? current : await reopen('run'));
      const reply = await thread.request(
        { kind: 'run', session, bound: bound?.id, inputs: transfer ? inputs : compact(inputs) },
        transfer ? [...new Set(Object.values(inputs).map(({ data }) => data.buffer as ArrayBuffer))] : [],
      );
      const results: Record<string, TensorData> = {};
      for (const { name, emitted, dtype } of returned)
        results[name] = { dtype, ...reply.outputs![emitted]! } as TensorData;
      return results;
    };
    const bind = async (inputs: TensorValues): Promise<BoundInputs> => {
      checkOpen('bind');
      const appended = appendedInputs(graph);
      const others = checkBound(expected, appended, inputs);
      const given = appended.map((input) => ({ ...input, output: outputName(graph, parameters, input.name) }));
      const returned = outputs.filter(({ name }) => !appended.some((input) => input.name === name));
      const { thread, session } = current.thread.isAlive ? current : await reopen('bind');
      const { bound } = await thread.request({ kind: 'bind', inputs: compact(inputs), appended: given });
      return {
        run: (rest) => compute(others, rest, { bound: { thread, session, id: bound! } }, returned),
        dispose: () => thread.free({ kind: 'unbind', bound: bound! }),
      };
    };
    const dispose = () => {
      closing ??= (async () => {
        await reopening?.catch(() => undefined);
        await current.thread.free({ kind: 'close', session: current.session });
      })();
      return closing;
    };
    return { run: (inputs, options) => compute(expected, inputs, options), bind, dispose };
  }

  private async openSession(request: OpenRequest, running: OnnxThread[]): Promise<SessionOnThread> {
    const thread = await this.idleThread(running);
    const transfer = request.external?.contents.map(({ data }) => data.buffer as ArrayBuffer);
    const { session } = await thread.request(request, transfer);
    return { thread, session: session! };
  }

  /** Starts the threads, each of which loads ONNX Runtime, so that the first models need not wait for them. */
  start(): void {
    while (this.running.length < mostThreads) this.startThread();
  }

  /** Frees everything and rejects pending runs. A running computation cannot be canceled, so it waits for it. */
  async dispose(): Promise<void> {
    const ended = [...this.running];
    this.running = [];
    abandoned.unregister(this);
    // A second call while the threads are ending waits for them too.
    this.disposal = Promise.all([this.disposal, ...ended.map((thread) => thread.dispose())]);
    await this.disposal;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  /** Returns an idle thread to open a model on. Waits for one if all threads are busy. */
  private async idleThread(running: OnnxThread[]): Promise<OnnxThread> {
    while (this.running === running) {
      const idle = running.find(({ isIdle }) => isIdle);
      if (idle) return idle;
      if (running.length < mostThreads) return this.startThread();
      await Promise.race(running.map((thread) => thread.untilIdle()));
    }
    throw new Error(disposedOf);
  }

  private startThread(): OnnxThread {
    const { threads, executionProviders = ['cpu'] } = this.options;
    const { running } = this;
    // Must not refer to this runtime: the thread would keep it in memory.
    const thread = new OnnxThread(this.locks, { threads, executionProviders }, (ended) => {
      const place = running.indexOf(ended);
      if (place >= 0) running.splice(place, 1);
    });
    running.push(thread);
    return thread;
  }
}

/** Converts a graph to the form that is sent to a thread. */
function toEmit(graph: Graph, parameters: ParameterPlacement): GraphToEmit {
  return { operations: everyOperation(topologicalOrder(Object.values(graph.outputs))), graph, parameters };
}

/** Returns the operations, with those of each loop's body before the loop. */
function everyOperation(operations: readonly Operation[]): Operation[] {
  return operations.flatMap((operation) => {
    if (!isOperation(operation, 'loop')) return [operation];
    return [...everyOperation(loopBody(operation).operations), operation];
  });
}

/**
 * Places parameters outside the model, which is limited to 2 GB. Parameters in files stay there; parameters in memory are copied and
 * transferred to the thread. ONNX Runtime supports only one of the two: if some are in files, those in memory become part of the model.
 */
function placeParameters(
  graph: Graph,
  parameters: ReadonlyMap<string, StoredParameter>,
): { readonly values: ReadonlyMap<string, StoredParameter>; readonly external: ExternalValues } {
  const declared = parametersOf(Object.values(graph.outputs));
  checkParameters(declared, parameters);
  const values = [...declared.keys()].map((name) => [name, parameters.get(name)!] as const);
  const regions = values.flatMap(([name, value]) =>
    fileRegionsOf(value).map(({ folder, file }) => ({ name, folder, file })),
  );
  const [first, ...others] = regions;
  if (first) {
    const elsewhere = others.find(({ folder }) => folder !== first.folder);
    if (elsewhere) {
      throw new GraphError(
        `The files of a graph's parameters must be in the same folder: ${first.name} is in ${first.folder}, ${elsewhere.name} in ${elsewhere.folder}.`,
      );
    }
    const files = new Set(regions.map(({ file }) => file));
    return { values: new Map(values), external: { folder: first.folder, files: [...files], contents: [] } };
  }
  const outside = placeOutside(values, (elements) => bytesOf(elements.slice()));
  return { values: outside.values, external: { contents: outside.contents } };
}

/** Copies views of larger buffers, because a message to a thread copies the whole buffer. */
function compact(inputs: TensorValues): TensorValues {
  const entries = Object.entries(inputs).map(([name, value]) => {
    const { data } = value;
    return [name, data.byteLength < data.buffer.byteLength ? { ...value, data: data.slice() } : value];
  });
  return Object.fromEntries(entries);
}

/** Options of all that opens a model: what computes it. */
export interface RuntimeOptions {
  /** Computes the model. The caller disposes of it. Default: an `OnnxRuntime`, which is disposed of with the model. */
  readonly runtime?: Runtime | undefined;
  /** Threads of the default runtime, 1 to 1024. Default: the number of processor cores. */
  readonly threads?: number | undefined;
}

export const runtimeFields: Fields<RuntimeOptions> = {
  runtime: optional(runtimeField),
  threads: optional(integer({ min: 1, max: 1024 })),
};

/**
 * Returns the given runtime, or creates an `OnnxRuntime` that the model then owns: it disposes of the runtime when it is disposed of.
 */
export function chooseRuntime({ runtime, threads }: RuntimeOptions): RuntimeOwnership {
  return { runtime: runtime ?? new OnnxRuntime({ threads }), ownsRuntime: runtime === undefined };
}

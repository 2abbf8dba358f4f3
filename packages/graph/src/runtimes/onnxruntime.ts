import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type FilePlace, type InitialValue, outputName, type ParameterPlacement } from '../onnx/emit.js';
import { loopBody } from '../operators.js';
import { checkParameters } from '../parameters.js';
import type { QuantizedMatrix } from '../quantization.js';
import {
  fileRegionsOf,
  type Graph,
  GraphError,
  isOperation,
  type Operation,
  type ParameterValue,
  parametersOf,
  type TensorData,
  topologicalOrder,
} from '../tensor.js';
import type { CompiledModelCache } from './compiled-models.js';
import { checkHeld, growingInputs } from './held-inputs.js';
import type { ExternalValues, GraphToEmit, Reply, Request, SessionOptions, Signals } from './onnxruntime-worker.js';
import {
  type CompileOptions,
  checkInputs,
  type Executable,
  expectedInputs,
  type HeldInputs,
  type RunOptions,
  type Runtime,
  type TensorValues,
} from './runtime.js';

export { writeOnnx } from '../onnx/write.js';
export type { CompiledModelCache } from './compiled-models.js';

export interface OnnxRuntimeOptions {
  /** Threads that one operator may use. Default: the number of processor cores. */
  readonly threads?: number;
  /** ONNX Runtime's execution providers, best first, such as `['cuda', 'cpu']`. Default `['cpu']`. */
  readonly executionProviders?: readonly string[];
  /**
   * Keeps what it compiles of parameters in files, for processors, so that the next process only maps it into memory. Default: nothing
   * is kept.
   */
  readonly cache?: CompiledModelCache;
}

/** The threads that live, with what each shares with this one. */
const threads = new Map<Worker, Signals>();

/** Lets every thread finish what it computes before the process, at its exit, terminates it. */
function stopAll(): void {
  for (const { stop, busy } of threads.values()) {
    Atomics.store(stop, 0, 1);
    Atomics.wait(busy, 0, 1);
  }
}

/** Computes graphs with ONNX Runtime (`onnxruntime-node`), on a worker thread, so that the event loop is never blocked. */
export class OnnxRuntime implements Runtime {
  readonly name = 'onnxruntime-node';
  private worker: Worker | undefined;
  private readonly pending = new Map<number, { resolve: (reply: Reply) => void; reject: (error: Error) => void }>();
  private nextId = 0;

  constructor(private readonly options: OnnxRuntimeOptions = {}) {}

  async compile(graph: Graph, options: CompileOptions = {}): Promise<Executable> {
    const { parameters } = options;
    if (!parameters) return this.load(toEmit(graph, { kind: 'inputs' }), graph, options);
    const { values, external } = placeParameters(graph, parameters);
    return this.load(toEmit(graph, { kind: 'initializers', values }), graph, options, external);
  }

  /**
   * Opens a model that was emitted from the graph before: from its bytes, or by the path of its file.
   *
   * @param options its `parameters`, which are not read, say that the model has them.
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
    const expected = expectedInputs(graph, options);
    const parameters = parametersOf(Object.values(graph.outputs));
    const outputs = Object.entries(graph.outputs).map(([name, tensor]) => ({
      ...tensor,
      name,
      emitted: outputName(graph, parameters, name),
    }));
    const sessionOptions: SessionOptions = {
      intraOpNumThreads: this.options.threads,
      executionProviders: this.options.executionProviders ?? ['cpu'],
      cache: this.options.cache,
    };
    const { session } = await this.request(
      { kind: 'open', model, external, options: sessionOptions },
      external?.contents.map(({ data }) => data.buffer as ArrayBuffer) ?? [],
    );
    // A session lives and ends with its thread.
    const { worker } = this;
    let open = true;
    const compute = async (
      wanted: typeof expected,
      inputs: TensorValues,
      { transfer = false, held }: RunOptions & { readonly held?: number } = {},
      returned = outputs,
    ) => {
      if (!open || this.worker !== worker) throw new Error('run: what was compiled was disposed of');
      checkInputs(wanted, inputs);
      const reply = await this.request(
        { kind: 'run', session: session!, held, inputs: transfer ? inputs : compact(inputs) },
        transfer ? [...new Set(Object.values(inputs).map(({ data }) => data.buffer as ArrayBuffer))] : [],
      );
      const results: Record<string, TensorData> = {};
      for (const { name, emitted, dtype } of returned)
        results[name] = { dtype, ...reply.outputs![emitted]! } as TensorData;
      return results;
    };
    const hold = async (inputs: TensorValues): Promise<HeldInputs> => {
      if (!open || this.worker !== worker) throw new Error('hold: what was compiled was disposed of');
      const growing = growingInputs(graph);
      const others = checkHeld(expected, growing, inputs);
      const given = growing.map((input) => ({ ...input, output: outputName(graph, parameters, input.name) }));
      const returned = outputs.filter(({ name }) => !growing.some((input) => input.name === name));
      const { held } = await this.request({ kind: 'hold', inputs: compact(inputs), growing: given }, []);
      return {
        run: (rest) => compute(others, rest, { held: held! }, returned),
        release: async () => {
          if (this.worker === worker) await this.request({ kind: 'release', held: held! }, []);
        },
      };
    };
    const dispose = async () => {
      if (open && this.worker === worker) await this.request({ kind: 'close', session: session! }, []);
      open = false;
    };
    return { run: (inputs, options) => compute(expected, inputs, options), hold, dispose };
  }

  /** Frees everything. Runs that wait are rejected; the one that is computed cannot be cut short, and is waited for. */
  async dispose(): Promise<void> {
    const { worker } = this;
    if (!worker) return;
    this.worker = undefined;
    this.fail(new Error('the ONNX runtime was disposed of while it worked'));
    Atomics.store(threads.get(worker)!.stop, 0, 1);
    worker.ref();
    worker.postMessage({ kind: 'end' } satisfies Request);
    await once(worker, 'exit');
  }

  private request(request: Request, transfer: ArrayBuffer[]): Promise<Reply> {
    this.worker ??= this.start();
    const { worker } = this;
    const id = this.nextId++;
    return new Promise<Reply>((resolve, reject) => {
      worker.postMessage({ id, ...request }, transfer);
      // Work under way keeps the process alive, an idle runtime does not.
      worker.ref();
      this.pending.set(id, { resolve, reject });
    });
  }

  private start(): Worker {
    // ONNX Runtime's builds report to their maker otherwise, and crash where the process's command line is very long.
    process.env.ORT_DISABLE_TELEMETRY ??= '1';
    // Not the process's own flags: some, such as --input-type, are refused where a file is run.
    const url = new URL('./onnxruntime-worker.js', import.meta.url);
    const flag = () => new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
    const signals: Signals = { stop: flag(), busy: flag() };
    const worker = new Worker(url, { execArgv: [], workerData: signals });
    worker.unref();
    if (threads.size === 0) process.on('exit', stopAll);
    threads.set(worker, signals);
    worker.on('message', (reply: Reply) => {
      if (this.worker !== worker) return;
      const waiting = this.pending.get(reply.id);
      this.pending.delete(reply.id);
      if (this.pending.size === 0) worker.unref();
      const { error } = reply;
      if (!error) waiting?.resolve(reply);
      else
        waiting?.reject(
          error.isGraphError ? new GraphError(error.message) : new Error(`ONNX Runtime: ${error.message}`),
        );
    });
    const end = (error: Error) => {
      if (this.worker !== worker) return;
      this.worker = undefined;
      this.fail(error);
    };
    worker.on('error', end);
    worker.on('exit', () => {
      threads.delete(worker);
      if (threads.size === 0) process.off('exit', stopAll);
      end(new Error('the thread of ONNX Runtime ended while it worked, perhaps for want of memory'));
    });
    return worker;
  }

  private fail(error: Error): void {
    for (const { reject } of this.pending.values()) reject(error);
    this.pending.clear();
  }
}

/** A graph as its thread takes it. */
function toEmit(graph: Graph, parameters: ParameterPlacement): GraphToEmit {
  return { operations: everyOperation(topologicalOrder(Object.values(graph.outputs))), graph, parameters };
}

/** Operations, and before each loop those of its body. */
function everyOperation(operations: readonly Operation[]): Operation[] {
  return operations.flatMap((operation) => {
    if (!isOperation(operation, 'loop')) return [operation];
    return [...everyOperation(loopBody(operation).operations), operation];
  });
}

/**
 * Leaves parameters outside of the model, so that it has no limit of 2 GB: those in files where they are, and those in memory as
 * copies that the thread takes over. ONNX Runtime takes one or the other: beside files, what is in memory goes into the model.
 */
function placeParameters(
  graph: Graph,
  parameters: ReadonlyMap<string, ParameterValue>,
): { readonly values: ReadonlyMap<string, InitialValue>; readonly external: ExternalValues } {
  const declared = parametersOf(Object.values(graph.outputs));
  checkParameters(declared, parameters);
  const values = [...declared.keys()].map((name) => [name, parameters.get(name)!] as const);
  const regions = values.flatMap(([name, value]) =>
    fileRegionsOf(value).map(({ folder, file }) => ({ name, folder, file })),
  );
  const [first, ...others] = regions;
  if (first) {
    const stray = others.find(({ folder }) => folder !== first.folder);
    if (stray) {
      throw new GraphError(
        `parameter ${stray.name} stands in ${stray.folder} and ${first.name} in ${first.folder}: a graph's files must be in one folder`,
      );
    }
    const files = new Set(regions.map(({ file }) => file));
    return { values: new Map(values), external: { folder: first.folder, files: [...files], contents: [] } };
  }
  const contents: ExternalValues['contents'] = [];
  const place = (data: TensorData['data']): FilePlace => {
    const file = `memory/${contents.length}`;
    contents.push({ path: file, data: new Uint8Array(data.slice().buffer) });
    return { file, offset: 0 };
  };
  const places = values.map(([name, value]): [string, InitialValue] => {
    if ('blocks' in value) {
      const { blocks, scales } = value as QuantizedMatrix;
      return [name, { ...value, blocks: place(blocks), scales: place(scales) }];
    }
    const { dtype, shape, data } = value as TensorData;
    return [name, { dtype, shape, ...place(data) }];
  });
  return { values: new Map(places), external: { contents } };
}

/** Copies views of larger buffers: a message to a thread would copy all of the buffer. */
function compact(inputs: TensorValues): TensorValues {
  const entries = Object.entries(inputs).map(([name, value]) => {
    const { data } = value;
    return [name, data.byteLength < data.buffer.byteLength ? { ...value, data: data.slice() } : value];
  });
  return Object.fromEntries(entries);
}

import { Worker } from 'node:worker_threads';
import { emitOnnx, outputName } from '../onnx/emit.js';
import { type Graph, parametersOf, type TensorData } from '../tensor.js';
import type { Reply, Request, SessionOptions } from './onnxruntime-worker.js';
import {
  type CompileOptions,
  checkInputs,
  type Executable,
  expectedInputs,
  type RunOptions,
  type Runtime,
  type TensorValues,
} from './runtime.js';

export interface OnnxRuntimeOptions {
  /** Threads that one operator may use. Default: the number of processor cores. */
  readonly threads?: number;
  /** ONNX Runtime's execution providers, best first, such as `['cuda', 'cpu']`. Default `['cpu']`. */
  readonly executionProviders?: readonly string[];
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
    const model = emitOnnx(graph, parameters ? { kind: 'initializers', values: parameters } : { kind: 'inputs' });
    return this.open(model, graph, options);
  }

  /** Opens a model that was emitted from the graph before: from its bytes, or by the path of its file. */
  async open(model: Uint8Array | string, graph: Graph, options: CompileOptions = {}): Promise<Executable> {
    const expected = expectedInputs(graph, options);
    const parameters = parametersOf(Object.values(graph.outputs));
    const outputs = Object.entries(graph.outputs).map(([name, tensor]) => ({
      ...tensor,
      name,
      emitted: outputName(graph, parameters, name),
    }));
    const transfer = typeof model === 'string' ? [] : [model.buffer as ArrayBuffer];
    const sessionOptions: SessionOptions = {
      intraOpNumThreads: this.options.threads,
      executionProviders: this.options.executionProviders ?? ['cpu'],
    };
    const { session } = await this.request({ kind: 'open', model, options: sessionOptions }, transfer);
    const run = async (inputs: TensorValues, { transfer = false }: RunOptions = {}) => {
      checkInputs(expected, inputs);
      const buffers = transfer ? [...new Set(Object.values(inputs).map(({ data }) => data.buffer as ArrayBuffer))] : [];
      const reply = await this.request({ kind: 'run', session: session!, inputs }, buffers);
      const results: Record<string, TensorData> = {};
      for (const { name, emitted, dtype, shape } of outputs)
        results[name] = { dtype, shape, data: reply.outputs![emitted]! } as TensorData;
      return results;
    };
    const dispose = async () => void (await this.request({ kind: 'close', session: session! }, []));
    return { run, dispose };
  }

  async dispose(): Promise<void> {
    const { worker } = this;
    this.worker = undefined;
    await worker?.terminate();
    this.fail(new Error('the ONNX runtime was disposed of while it worked'));
  }

  private request(request: Request, transfer: ArrayBuffer[]): Promise<Reply> {
    this.worker ??= this.start();
    const { worker } = this;
    const id = this.nextId++;
    return new Promise<Reply>((resolve, reject) => {
      // Work under way keeps the process alive, an idle runtime does not.
      worker.ref();
      this.pending.set(id, { resolve, reject });
      worker.postMessage({ id, ...request }, transfer);
    });
  }

  private start(): Worker {
    const worker = new Worker(new URL('./onnxruntime-worker.js', import.meta.url));
    worker.on('message', (reply: Reply) => {
      const waiting = this.pending.get(reply.id);
      this.pending.delete(reply.id);
      if (this.pending.size === 0) worker.unref();
      if (reply.error !== undefined) waiting?.reject(new Error(`ONNX Runtime: ${reply.error}`));
      else waiting?.resolve(reply);
    });
    worker.on('error', (error) => this.fail(error));
    worker.on('exit', () => {
      if (this.worker === worker) this.worker = undefined;
      this.fail(new Error('the thread of ONNX Runtime ended while it worked, perhaps for want of memory'));
    });
    return worker;
  }

  private fail(error: Error): void {
    for (const { reject } of this.pending.values()) reject(error);
    this.pending.clear();
  }
}

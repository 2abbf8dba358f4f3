/** The worker thread that owns the sessions of ONNX Runtime and computes, so that the main thread is not blocked. */
import { readFile } from 'node:fs/promises';
import { serialize } from 'node:v8';
import { parentPort, threadId, workerData } from 'node:worker_threads';
import type * as ort from 'onnxruntime-node';
import { GraphError } from '../graph-error.js';
import { emitOnnx, type ParameterPlacement } from '../onnx/emit.js';
import type { Graph, Operation } from '../tensor.js';
import { type AppendedInput, AppendedTensor } from './bound-inputs.js';
import { type CompiledModelCache, openCompiled } from './compiled-models.js';
import { type Lock, withLock } from './locks.js';
import {
  type BuildOptions,
  type ExternalValues,
  loadOnnxRuntime,
  type OnnxBuild,
  withSession,
} from './onnxruntime-builds.js';
import { sessionOptions, tensorsOf } from './onnxruntime-session.js';
import type { TensorValues } from './runtime.js';
import { RuntimeUnavailableError } from './runtime-unavailable-error.js';

/** A graph to emit on this thread. */
export interface GraphToEmit {
  /**
   * All operations of the graph in topological order. The structured clone for another thread copies them first, so that it never
   * recurses through a long chain of operands, which would overflow the call stack.
   */
  readonly operations: readonly Operation[];
  readonly graph: Graph;
  readonly parameters: ParameterPlacement;
}

export type Request =
  | {
      readonly kind: 'open';
      /** A model's bytes, the path of its file, or the graph to emit it from. */
      readonly model: Uint8Array | string | GraphToEmit;
      readonly external?: ExternalValues | undefined;
      readonly cache: CompiledModelCache | undefined;
      /** Whether to compute with parameters in files as they are. */
      readonly runsOnce: boolean;
    }
  | {
      readonly kind: 'run';
      readonly session: number;
      readonly bound: number | undefined;
      readonly inputs: TensorValues;
    }
  | {
      readonly kind: 'bind';
      readonly inputs: TensorValues;
      /** The inputs that runs append to, with the name of the output that is appended. */
      readonly appended: readonly (AppendedInput & { readonly output: string })[];
    }
  | { readonly kind: 'unbind'; readonly bound: number }
  | { readonly kind: 'close'; readonly session: number }
  /** Frees everything. The thread is terminated after the reply. */
  | { readonly kind: 'end' };

/**
 * Flags that both threads share, each 0 or 1. Terminating a thread while ONNX Runtime computes would abort the process. So the main
 * thread sets `stop`, and the worker finishes its computation and starts no other.
 */
export interface Signals {
  readonly stop: Int32Array;
  readonly busy: Int32Array;
  readonly locks: Locks;
}

/** Locks for work that only one thread of a runtime does at a time. */
export interface Locks {
  /** For runs: two simultaneous runs would only share the cores. */
  readonly computing: Lock;
  /** For compiling models for the cache: two large models at once would take the memory of both. */
  readonly compiling: Lock;
}

/** What the main thread passes to the worker. */
export interface WorkerData extends BuildOptions {
  readonly signals: Signals;
  /** The worker's program, by which compiled models are told from those of other releases: the URL of its file, or its source. */
  readonly program: { readonly file: string } | { readonly source: string };
}

type Data = Float32Array | Int32Array | Uint8Array;

export interface Reply {
  readonly id: number;
  readonly error?: { readonly message: string; readonly kind: 'graph' | 'unavailable' | 'other' } | undefined;
  readonly session?: number | undefined;
  readonly bound?: number | undefined;
  readonly outputs?: Record<string, { readonly shape: readonly number[]; readonly data: Data }> | undefined;
}

const given = workerData as WorkerData;
const { stop, busy, locks } = given.signals;

const loading = loadOnnxRuntime(given);
// Reported by the requests that need it.
loading.catch(() => undefined);

const sessions = new Map<number, ort.InferenceSession>();
let nextSession = 0;

/** Bound inputs: the values of the fixed ones, and the tensors that runs append outputs to. */
interface Bound {
  readonly fixed: Record<string, ort.Tensor>;
  readonly appended: readonly { readonly name: string; readonly output: string; readonly tensor: AppendedTensor }[];
}
const bound = new Map<number, Bound>();
let nextBound = 0;

async function open(
  build: OnnxBuild,
  { model, external, cache, runsOnce }: Extract<Request, { kind: 'open' }>,
): Promise<ort.InferenceSession> {
  const { executionProviders, threads } = given;
  const options = {
    ...sessionOptions,
    executionProviders,
    ...(threads ? { intraOpNumThreads: threads } : {}),
  } satisfies ort.InferenceSession.SessionOptions;
  if (typeof model === 'string') return build.create(model, options, external);
  const bytes = () => ('graph' in model ? emitOnnx(model.graph, model.parameters) : model);
  if (runsOnce && external?.folder !== undefined)
    return build.create(bytes(), { ...options, extra: withSession(options, { disable_prepacking: '1' }) }, external);
  if (cache && build.hasFiles && external?.folder !== undefined && executionProviders.join() === 'cpu') {
    const identity = 'graph' in model ? await identityOf(model).catch(bytes) : model;
    return openCompiled(
      build,
      { identity, bytes, external },
      { ...cache, alone: (work) => alone(locks.compiling, work) },
      options,
    );
  }
  return build.create(bytes(), options, external);
}

/** Returns all data that an emitted model depends on: the graph, the places of its parameters, and the code that emits it. */
async function identityOf(model: GraphToEmit): Promise<Uint8Array> {
  const { program } = given;
  const code = 'file' in program ? await readFile(new URL(program.file)) : Buffer.from(program.source);
  return Buffer.concat([code, serialize(model)]);
}

async function answer(request: Request): Promise<Omit<Reply, 'id'>> {
  if (request.kind === 'end') {
    for (const session of sessions.values()) await session.release();
    return {};
  }
  const build = await loading;
  switch (request.kind) {
    case 'open':
      sessions.set(nextSession, await open(build, request));
      return { session: nextSession++ };
    case 'run': {
      const { fixed = {}, appended = [] } = bound.get(request.bound ?? -1) ?? {};
      const values = Object.fromEntries(appended.map(({ name, tensor }) => [name, tensor.value]));
      const feeds = { ...fixed, ...tensorsOf(build, values), ...tensorsOf(build, request.inputs) };
      const results = await alone(locks.computing, () => sessions.get(request.session)!.run(feeds));
      const outputs = Object.fromEntries(
        Object.entries(results).map(([name, { dims, data }]) => [name, { shape: dims, data: data as Data }]),
      );
      for (const { output, tensor } of appended) {
        tensor.append(outputs[output]!.data);
        delete outputs[output];
      }
      return { outputs };
    }
    case 'bind': {
      const appended = request.appended.map(({ output, ...input }) => {
        return { name: input.name, output, tensor: new AppendedTensor(input) };
      });
      bound.set(nextBound, { fixed: tensorsOf(build, request.inputs), appended });
      return { bound: nextBound++ };
    }
    case 'unbind':
      for (const { tensor } of bound.get(request.bound)?.appended ?? []) tensor.free();
      bound.delete(request.bound);
      return {};
    case 'close':
      await sessions.get(request.session)?.release();
      sessions.delete(request.session);
      return {};
  }
}

/** Runs `work` while holding the lock, unless the runtime was disposed of in the meantime. */
const alone = <T>(lock: Lock, work: () => Promise<T>): Promise<T> =>
  withLock(lock, threadId, () => {
    if (Atomics.load(stop, 0) === 1) throw new Error('The runtime was disposed of.');
    return work();
  });

/** Tells the main thread that this thread is not computing. It waits for this before the process exits. */
function leave(): void {
  Atomics.store(busy, 0, 0);
  Atomics.notify(busy, 0);
}
process.on('exit', leave);

// Handle one request at a time, in order.
let last: Promise<void> = Promise.resolve();
parentPort!.on('message', ({ id, ...request }: Request & { id: number }) => {
  last = last.then(async () => {
    Atomics.store(busy, 0, 1);
    try {
      if (Atomics.load(stop, 0) === 1 && request.kind !== 'end') return;
      const reply = await answer(request);
      const buffers = Object.values(reply.outputs ?? {}).map(({ data }) => data.buffer as ArrayBuffer);
      parentPort!.postMessage({ id, ...reply }, [...new Set(buffers)]);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const kind =
        error instanceof GraphError ? 'graph' : error instanceof RuntimeUnavailableError ? 'unavailable' : 'other';
      parentPort!.postMessage({ id, error: { message, kind } });
    } finally {
      leave();
    }
  });
});
// The sender waits for a reply to the lost message. The error ends this thread, which rejects all pending requests.
parentPort!.on('messageerror', (error) => {
  throw error;
});

/** The thread that owns ONNX Runtime's sessions: it computes while the main thread stays free. */
import { parentPort, workerData } from 'node:worker_threads';
import * as ort from 'onnxruntime-node';
import type { DType, TensorData } from '../tensor.js';
import { type GrowingInput, GrowingTensor } from './held-inputs.js';
import type { TensorValues } from './runtime.js';

export interface SessionOptions {
  readonly intraOpNumThreads: number | undefined;
  readonly executionProviders: readonly string[];
}

/** Values that the model refers to and does not hold. */
export interface ExternalValues {
  /** Where its files are. */
  readonly folder?: string;
  /** Contents of files that are none: by the names that the model has for them. */
  readonly contents: { readonly path: string; readonly data: Uint8Array }[];
}

export type Request =
  | {
      readonly kind: 'open';
      readonly model: Uint8Array | string;
      readonly external?: ExternalValues;
      readonly options: SessionOptions;
    }
  | { readonly kind: 'run'; readonly session: number; readonly held: number | undefined; readonly inputs: TensorValues }
  | {
      readonly kind: 'hold';
      readonly inputs: TensorValues;
      /** Those that grow, each by the output of this name. */
      readonly growing: readonly (GrowingInput & { readonly output: string })[];
    }
  | { readonly kind: 'release'; readonly held: number }
  | { readonly kind: 'close'; readonly session: number }
  | { readonly kind: 'end' };

/**
 * What both threads see, each of one element that is 0 or 1. A thread that is terminated while ONNX Runtime computes aborts the
 * process; so it is asked to stop instead, finishes what it computes, and begins nothing more.
 */
export interface Signals {
  readonly stop: Int32Array;
  readonly busy: Int32Array;
}

type Data = Float32Array | Int32Array | Uint8Array;

export interface Reply {
  readonly id: number;
  readonly error?: string;
  readonly session?: number;
  readonly held?: number;
  readonly outputs?: Record<string, Data>;
}

const sessions = new Map<number, ort.InferenceSession>();
let nextSession = 0;

/** Inputs that stay here: what each of them is now, and what grows by which output. */
interface Held {
  readonly fixed: Record<string, ort.Tensor>;
  readonly growing: readonly { readonly name: string; readonly output: string; readonly tensor: GrowingTensor }[];
}
const held = new Map<number, Held>();
let nextHeld = 0;

const toOrt = ({ dtype, data, shape }: TensorData) => new ort.Tensor(dtype as DType, data as never, shape);
const tensorsOf = (values: TensorValues) =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, toOrt(value)]));

async function answer(request: Request): Promise<Omit<Reply, 'id'>> {
  switch (request.kind) {
    case 'open': {
      const { intraOpNumThreads, executionProviders } = request.options;
      const { model, external } = request;
      const options = {
        executionProviders,
        graphOptimizationLevel: 'all' as const,
        // A planned block of memory comes on top of what the first run took: a training step peaked a third higher with it.
        enableMemPattern: false,
        ...(intraOpNumThreads ? { intraOpNumThreads } : {}),
        ...(external?.contents.length ? { externalData: external.contents } : {}),
        ...(external?.folder === undefined
          ? {}
          : { extra: { session: { model_external_initializers_file_folder_path: external.folder } } }),
      } satisfies ort.InferenceSession.SessionOptions;
      const session =
        typeof model === 'string'
          ? await ort.InferenceSession.create(model, options)
          : await ort.InferenceSession.create(model, options);
      sessions.set(nextSession, session);
      return { session: nextSession++ };
    }
    case 'run': {
      const { fixed = {}, growing = [] } = held.get(request.held ?? -1) ?? {};
      const grown = growing.map(({ name, tensor }) => [name, toOrt(tensor.value)]);
      const feeds = { ...fixed, ...Object.fromEntries(grown), ...tensorsOf(request.inputs) };
      const results = await sessions.get(request.session)!.run(feeds);
      const outputs = Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, tensor.data as Data]));
      for (const { output, tensor } of growing) {
        tensor.append(outputs[output]!);
        delete outputs[output];
      }
      return { outputs };
    }
    case 'hold': {
      const growing = request.growing.map(({ output, ...input }) => {
        return { name: input.name, output, tensor: new GrowingTensor(input) };
      });
      held.set(nextHeld, { fixed: tensorsOf(request.inputs), growing });
      return { held: nextHeld++ };
    }
    case 'release':
      held.delete(request.held);
      return {};
    case 'close':
      await sessions.get(request.session)?.release();
      sessions.delete(request.session);
      return {};
    case 'end':
      for (const session of sessions.values()) await session.release();
      parentPort!.close();
      return {};
  }
}

const { stop, busy } = workerData as Signals;

// One at a time: two runs at once would only share the cores.
let last: Promise<void> = Promise.resolve();
parentPort!.on('message', ({ id, ...request }: Request & { id: number }) => {
  last = last.then(async () => {
    Atomics.store(busy, 0, 1);
    try {
      if (Atomics.load(stop, 0) === 1 && request.kind !== 'end') return;
      const reply = await answer(request as Request);
      const buffers = Object.values(reply.outputs ?? {}).map(({ buffer }) => buffer as ArrayBuffer);
      parentPort!.postMessage({ id, ...reply }, [...new Set(buffers)]);
    } catch (error) {
      parentPort!.postMessage({ id, error: error instanceof Error ? error.message : String(error) });
    } finally {
      Atomics.store(busy, 0, 0);
      Atomics.notify(busy, 0);
    }
  });
});

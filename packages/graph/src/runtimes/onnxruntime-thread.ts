/** The main thread's side of the worker threads that ONNX Runtime computes on. */
import { existsSync } from 'node:fs';
import { Worker, type WorkerOptions } from 'node:worker_threads';
import { isInArchive, placesOfPackages } from '@dalle-mini/core/node';
import { GraphError } from '../graph-error.js';
import { type Lock, unlock } from './locks.js';
import type { BuildOptions } from './onnxruntime-builds.js';
import type { Locks, Reply, Request, Signals, WorkerData } from './onnxruntime-worker.js';
import { workerSource } from './onnxruntime-worker-source.js';
import { RuntimeUnavailableError } from './runtime-unavailable-error.js';

/** The running threads, with the memory that each shares with this one. */
const living = new Map<Worker, Signals>();

/** Lets every thread finish its computation before the process exits and terminates it. */
function stopAll(): void {
  for (const { stop } of living.values()) Atomics.store(stop, 0, 1);
  for (const { busy } of living.values()) Atomics.wait(busy, 0, 1);
}

/** Creates an integer that threads share. */
const shared = () => new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));

export const disposedOf = 'the ONNX runtime was disposed of while it worked';

/** Starts the worker from its file or, in a program that a bundler made without that file, from its source. */
function startWorker(data: Omit<WorkerData, 'program' | 'places'>): Worker {
  const file = workerFile();
  const workerData: WorkerData = {
    ...data,
    places: placesOfPackages(import.meta.url),
    program: file ? { file: file.href } : { source: workerSource },
  };
  // Do not inherit the flags of the process: some, such as --input-type, are invalid for a file.
  const options: WorkerOptions = { execArgv: [], workerData, eval: !file };
  // Not `new Worker`: Turbopack, which bundles for Next.js, would replace a file that is known only at run time by a failing import.
  return Reflect.construct(Worker, [file ?? workerSource, options]);
}

function workerFile(): URL | undefined {
  try {
    // Bundlers that know this expression copy the file. In a CommonJS bundle it throws, because it has no import.meta.url.
    const file = new URL('./onnxruntime-worker.mjs', import.meta.url);
    return existsSync(file) && !isInArchive(file.pathname) ? file : undefined;
  } catch {
    return undefined;
  }
}

interface Waiting {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A worker thread, which answers requests one after the other.
 *
 * It has three states, in this order. It is alive until it is disposed of or fails. Then it is ending: `error` is set, and every
 * request is rejected with it. It has ended when the worker has exited. The worker keeps the process alive while requests are pending
 * and while it is ending.
 */
export class OnnxThread {
  private readonly worker: Worker;
  private readonly signals: Signals;
  private readonly pending = new Map<number, Waiting>();
  private readonly onIdle: (() => void)[] = [];
  /** Resolves when the worker has exited. */
  private readonly exit: Promise<void>;
  private nextId = 0;
  private error: Error | undefined;
  /** The reason why the thread stopped by itself, as a sentence; empty if it did not. */
  failure = '';

  /** @param onEnd Called when the thread accepts no more requests. */
  constructor(
    locks: Locks & Record<string, Lock>,
    options: Omit<BuildOptions, 'places'>,
    private readonly onEnd: (thread: OnnxThread) => void,
  ) {
    // Otherwise some builds of ONNX Runtime send telemetry, and crash if the command line of the process is very long.
    process.env.ORT_DISABLE_TELEMETRY ??= '1';
    this.signals = { stop: shared(), busy: shared(), locks };
    const worker = startWorker({ ...options, signals: this.signals });
    this.worker = worker;
    const { threadId } = worker;
    if (living.size === 0) process.on('exit', stopAll);
    living.set(worker, this.signals);
    worker.on('message', (reply: Reply) => this.receive(reply));
    worker.on('messageerror', (error) => this.fail(error.message, error));
    worker.on('error', (error: Error) => this.fail(error.message, error));
    this.exit = new Promise((resolve) => {
      worker.on('exit', (code) => {
        living.delete(worker);
        for (const lock of Object.values(locks)) unlock(lock, threadId);
        if (living.size === 0) process.off('exit', stopAll);
        this.fail(`it exited with code ${code}`);
        resolve();
      });
    });
    this.update();
  }

  /** Whether the thread accepts requests. */
  get isAlive(): boolean {
    return this.error === undefined;
  }

  /** Whether the thread has answered every request. */
  get isIdle(): boolean {
    return this.pending.size === 0;
  }

  /** Resolves when the thread has answered every request, or accepts no more. */
  untilIdle(): Promise<void> {
    return new Promise((resolve) => {
      this.onIdle.push(resolve);
      this.update();
    });
  }

  async request(request: Request, transfer: ArrayBuffer[] = []): Promise<Reply> {
    if (this.error) throw this.error;
    return new Promise((resolve, reject) => this.post(request, { resolve, reject }, transfer));
  }

  /** Sends a request that frees memory of the thread. If the thread ends first, the memory is freed with it. */
  async free(request: Request): Promise<void> {
    try {
      await this.request(request);
    } catch (error) {
      if (this.isAlive) throw error;
      await this.exit;
    }
  }

  /** Rejects pending requests and ends. A running computation cannot be canceled, so it waits for it. */
  dispose(): Promise<void> {
    this.end(new Error(disposedOf));
    return this.exit;
  }

  private post(request: Request, waiting: Waiting, transfer: ArrayBuffer[] = []): void {
    const id = this.nextId++;
    this.worker.postMessage({ id, ...request }, transfer);
    this.pending.set(id, waiting);
    this.update();
  }

  private receive({ id, error, ...reply }: Reply): void {
    const waiting = this.pending.get(id);
    this.pending.delete(id);
    this.update();
    if (!error) waiting?.resolve({ id, ...reply });
    else waiting?.reject(errorOf(error));
  }

  /** Ends because the worker stopped by itself. */
  private fail(why: string, cause?: Error): void {
    if (!this.isAlive) return;
    this.failure = `The worker thread of ONNX Runtime stopped: ${why.replace(/\.$/, '')}.`;
    this.end(new Error(`${this.failure} Repeat the call, which starts a new thread.`, { cause }));
  }

  /** Accepts no more requests, rejects pending ones, and lets the worker finish its computation. */
  private end(error: Error): void {
    if (this.error) return;
    this.error = error;
    for (const { reject } of this.pending.values()) reject(error);
    this.pending.clear();
    Atomics.store(this.signals.stop, 0, 1);
    // Terminate only after the reply: terminating a worker while ONNX Runtime computes aborts the process.
    const terminate = () => void this.worker.terminate();
    this.post({ kind: 'end' }, { resolve: terminate, reject: terminate });
    this.onEnd(this);
  }

  /** Keeps the process alive or not, and resolves promises that wait for an idle thread. Called after each change of state. */
  private update(): void {
    if (this.isAlive && this.isIdle) this.worker.unref();
    else this.worker.ref();
    if (this.isIdle || !this.isAlive) for (const resolve of this.onIdle.splice(0)) resolve();
  }
}

function errorOf({ kind, message }: NonNullable<Reply['error']>): Error {
  if (kind === 'graph') return new GraphError(message);
  return kind === 'unavailable' ? new RuntimeUnavailableError(message) : new Error(`ONNX Runtime: ${message}`);
}

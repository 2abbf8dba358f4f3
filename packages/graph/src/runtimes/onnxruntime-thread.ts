/** The threads that ONNX Runtime computes on, as the main thread has them. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { GraphError } from '../graph-error.js';
import { type Lock, unlock } from './locks.js';
import type { Locks, Reply, Request, Signals } from './onnxruntime-worker.js';

/** The threads that live, with what each shares with this one. */
const living = new Map<Worker, Signals>();

/** Lets every thread finish what it computes before the process, at its exit, terminates it. */
function stopAll(): void {
  for (const { stop } of living.values()) Atomics.store(stop, 0, 1);
  for (const { busy } of living.values()) Atomics.wait(busy, 0, 1);
}

/** An element that threads share. */
const shared = () => new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));

export const disposedOf = 'the ONNX runtime was disposed of while it worked';

/** A thread, which answers requests one after the other. */
export class OnnxThread {
  private readonly worker: Worker;
  private readonly pending = new Map<number, { resolve: (reply: Reply) => void; reject: (error: Error) => void }>();
  private readonly onIdle: (() => void)[] = [];
  private nextId = 0;
  private error: Error | undefined;

  /** @param onEnd Called when it ends by itself. */
  constructor(locks: Locks & Record<string, Lock>, onEnd: (thread: OnnxThread) => void) {
    // ONNX Runtime's builds report to their maker otherwise, and crash where the process's command line is very long.
    process.env.ORT_DISABLE_TELEMETRY ??= '1';
    // Not the process's own flags: some, such as --input-type, are refused where a file is run.
    const url = new URL('./onnxruntime-worker.js', import.meta.url);
    const signals: Signals = { stop: shared(), busy: shared(), locks };
    const worker = new Worker(url, { execArgv: [], workerData: signals });
    this.worker = worker;
    const { threadId } = worker;
    worker.unref();
    if (living.size === 0) process.on('exit', stopAll);
    living.set(worker, signals);
    worker.on('message', (reply: Reply) => {
      const waiting = this.pending.get(reply.id);
      this.pending.delete(reply.id);
      if (this.isIdle) {
        worker.unref();
        this.wake();
      }
      const { error } = reply;
      if (!error) waiting?.resolve(reply);
      else
        waiting?.reject(
          error.isGraphError ? new GraphError(error.message) : new Error(`ONNX Runtime: ${error.message}`),
        );
    });
    const end = (error: Error) => {
      if (this.error) return;
      this.fail(error);
      onEnd(this);
    };
    worker.on('error', end);
    worker.on('exit', () => {
      living.delete(worker);
      for (const lock of Object.values(locks)) unlock(lock, threadId);
      if (living.size === 0) process.off('exit', stopAll);
      end(new Error('the thread of ONNX Runtime ended while it worked, perhaps for want of memory'));
    });
  }

  /** Whether it still answers. */
  get isAlive(): boolean {
    return this.error === undefined;
  }

  /** Whether it has answered every request. */
  get isIdle(): boolean {
    return this.pending.size === 0;
  }

  /** Resolves when it has answered every request, or has ended. */
  untilIdle(): Promise<void> {
    return new Promise((resolve) => {
      if (this.isIdle) resolve();
      else this.onIdle.push(resolve);
    });
  }

  async request(request: Request, transfer: ArrayBuffer[] = []): Promise<Reply> {
    if (this.error) throw this.error;
    const id = this.nextId++;
    return new Promise<Reply>((resolve, reject) => {
      this.worker.postMessage({ id, ...request }, transfer);
      // Work under way keeps the process alive, an idle runtime does not.
      this.worker.ref();
      this.pending.set(id, { resolve, reject });
    });
  }

  /** Rejects requests that wait, and ends; what is computed cannot be cut short, and is waited for. */
  async dispose(): Promise<void> {
    if (this.error) return;
    this.fail(new Error(disposedOf));
    Atomics.store(living.get(this.worker)!.stop, 0, 1);
    this.worker.ref();
    this.worker.postMessage({ kind: 'end' } satisfies Request);
    await once(this.worker, 'exit');
  }

  private fail(error: Error): void {
    this.error = error;
    for (const { reject } of this.pending.values()) reject(error);
    this.pending.clear();
    this.wake();
  }

  private wake(): void {
    for (const resolve of this.onIdle.splice(0)) resolve();
  }
}

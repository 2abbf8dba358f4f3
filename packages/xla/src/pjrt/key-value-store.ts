import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { CoordinatorClient } from '@dalle-mini/hosts';
import type { KeyValueKind, KeyValueReply, KeyValueRequest, KeyValueWorkerData } from './key-value-worker.js';
import type { Pointer } from './library.js';

/** The part of a `CoordinatorClient` that XLA uses. */
export type KeyValues = Pick<CoordinatorClient, 'get' | 'put'>;

/** The functions by which a plugin reads and writes the key-value store of several hosts. */
export class KeyValueStore {
  private constructor(
    readonly callbacks: Readonly<Record<KeyValueKind, Pointer>>,
    private readonly workers: readonly Worker[],
  ) {}

  static async open(values: KeyValues): Promise<KeyValueStore> {
    // `get` waits for other hosts, which may wait for a `put` of this one.
    const [waiting, prompt] = [startWorker(values), startWorker(values)];
    const [{ get }, { put, tryGet }] = await Promise.all([waiting.callbacks, prompt.callbacks]);
    return new KeyValueStore({ get, put, tryGet }, [waiting.worker, prompt.worker]);
  }

  /** Ends the threads. The client that has the functions must be destroyed before. */
  async dispose(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }
}

function startWorker(values: KeyValues) {
  const answered = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const workerData: KeyValueWorkerData = { answered };
  const worker = new Worker(new URL('./key-value-worker.mjs', import.meta.url), { execArgv: [], workerData });
  worker.unref();
  const callbacks = once(worker, 'message').then(([addresses]) => {
    worker.on('message', async (request: KeyValueRequest) => {
      const reply = await answer(values, request);
      worker.postMessage(reply);
      Atomics.store(answered, 0, 1);
      Atomics.notify(answered, 0);
    });
    return addresses as Record<KeyValueKind, Pointer>;
  });
  return { worker, callbacks };
}

async function answer(values: KeyValues, request: KeyValueRequest): Promise<KeyValueReply> {
  try {
    if (request.kind === 'get') return { value: await values.get(request.key, request.seconds) };
    await values.put(request.key, request.value);
    return {};
  } catch (error) {
    return { error: (error as Error).message };
  }
}

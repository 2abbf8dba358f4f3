/** Runs models in a worker, so that the page stays responsive. */
import {
  DalleMiniError,
  DisposedError,
  errorFromData,
  type ImageDecodeOptions,
  type ImageEncodeOptions,
  type ImageTokenizer,
  type RgbImage,
  type SamplingOptions,
} from '@dalle-mini/core';
import { GeneratedImage } from '../generate/generated-image.js';
import type { GenerateOptions, GenerateProgress, GenerateUpdate } from '../generate/options.js';
import { streamOf } from '../generate/stream.js';
import type { LoadProgress } from '../load-progress.js';
import type { FromPretrainedOptions } from './from-pretrained.js';
import {
  type Call,
  type FromWorker,
  isMessage,
  type OpenedModel,
  type SentImage,
  type SentOptions,
  type SentProgress,
} from './messages.js';

/** A `Worker`, or a port to one. */
export interface WorkerLike {
  postMessage(message: unknown): void;
  // biome-ignore lint/suspicious/noExplicitAny: workers, ports and Node.js declare their events differently.
  addEventListener(type: string, listener: (event: any) => void): void;
}

/** Options of `openInWorker`: those of `fromPretrained` except `runtime` and `ranker`, which messages cannot carry. */
export type OpenInWorkerOptions = Omit<FromPretrainedOptions, 'runtime' | 'ranker'>;

/** A worker cannot be started, or has ended with an error. */
export class WorkerError extends DalleMiniError {
  static override readonly code = 'WORKER';
}

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly onProgress: ((progress: never, id: number) => unknown) | undefined;
}

/** The calls of a page to its worker. */
class Connection {
  private static readonly connections = new WeakMap<WorkerLike, Connection>();
  private readonly pending = new Map<number, Pending>();
  private last = 0;

  private constructor(private readonly worker: WorkerLike) {
    worker.addEventListener('message', ({ data }: { data: unknown }) => {
      if (isMessage<FromWorker>(data)) this.receive(data);
    });
    worker.addEventListener('error', ({ message }: { message?: string }) => {
      const error = new WorkerError(
        `The worker of the model ended or cannot be started: ${message ?? 'its program cannot be loaded'}. ` +
          'Check that its program calls serveModels(), and start a new worker.',
      );
      for (const { reject } of this.pending.values()) reject(error);
      this.pending.clear();
    });
  }

  static of(worker: WorkerLike): Connection {
    const connection = Connection.connections.get(worker) ?? new Connection(worker);
    Connection.connections.set(worker, connection);
    return connection;
  }

  /** Calls the worker. It resolves to the number of the call, and its value. */
  async call<Value>(
    call: Call,
    signal?: AbortSignal | undefined,
    onProgress?: Pending['onProgress'],
  ): Promise<{ readonly id: number; readonly value: Value }> {
    signal?.throwIfAborted();
    const id = ++this.last;
    const abort = () => this.worker.postMessage({ type: 'dalle-mini', id, abort: true });
    signal?.addEventListener('abort', abort, { once: true });
    try {
      const value = await new Promise<unknown>((resolve, reject) => {
        this.pending.set(id, { resolve, reject, onProgress });
        this.worker.postMessage({ type: 'dalle-mini', id, call });
      });
      return { id, value: value as Value };
    } catch (error) {
      throw signal?.aborted ? signal.reason : error;
    } finally {
      this.pending.delete(id);
      signal?.removeEventListener('abort', abort);
    }
  }

  private receive(message: FromWorker): void {
    const { id } = message;
    const pending = this.pending.get(id);
    if (!pending) return;
    if ('value' in message) pending.resolve(message.value);
    else if ('error' in message) pending.reject(errorFromData(message.error));
    else void this.report(id, message.progress as never, pending);
  }

  /** Passes progress to the page, and lets the worker continue when the page is done with it. */
  private async report(id: number, progress: never, { onProgress, reject }: Pending): Promise<void> {
    try {
      await onProgress?.(progress, id);
      this.worker.postMessage({ type: 'dalle-mini', id, proceed: true });
    } catch (error) {
      this.worker.postMessage({ type: 'dalle-mini', id, abort: true });
      reject(error);
    }
  }
}

/** A model in a worker. It generates as `TextToImage` does, and the page stays responsive. */
export class TextToImageInWorker implements AsyncDisposable {
  /** The model's default sampling options. */
  readonly sampling: SamplingOptions;
  /** Turns tokens into images and images into tokens. */
  readonly imageTokenizer: ImageTokenizer;
  private disposal: Promise<void> | undefined;

  /** @internal */
  constructor(
    private readonly connection: Connection,
    private readonly model: number,
    { sampling, ...sizes }: OpenedModel,
  ) {
    this.sampling = sampling;
    this.imageTokenizer = {
      ...sizes,
      encode: (images, options: ImageEncodeOptions = {}) =>
        this.call<Int32Array[]>({ name: 'encode', model, images }, options.signal),
      decode: (grids, { signal, columns }: ImageDecodeOptions = {}) =>
        this.call<RgbImage[]>({ name: 'decode', model, grids, columns }, signal),
      dispose: () => this.dispose(),
    };
  }

  /** Generates images: see `TextToImage.generate`. */
  async generate(prompt: string, options: GenerateOptions = {}): Promise<GeneratedImage[]> {
    const { signal, onProgress, ...sent } = options;
    const reports = onProgress !== undefined;
    const call: Call = { name: 'generate', model: this.model, prompt, options: sent, reports };
    const report = ({ report: number, ...progress }: SentProgress, id: number) =>
      onProgress?.({ ...progress, preview: () => this.call({ name: 'preview', of: id, report: number }, signal) });
    const images = await this.call<SentImage[]>(call, signal, report);
    return images.map((image) => new GeneratedImage(image));
  }

  /** Generates images, and yields the progress after each row of tokens: see `TextToImage.stream`. */
  stream(prompt: string, options: Omit<GenerateOptions, 'onProgress'> = {}): AsyncGenerator<GenerateUpdate, void> {
    return streamOf<GenerateProgress, GeneratedImage[]>(
      options.signal,
      (onProgress, signal) => this.generate(prompt, { ...options, onProgress, signal }),
      (last, images) => ({ ...last, images }),
    );
  }

  /** Frees the model. The worker stays, and can open another one. */
  dispose(): Promise<void> {
    this.disposal ??= this.connection.call<void>({ name: 'dispose', model: this.model }).then(() => undefined);
    return this.disposal;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  private async call<Value>(call: Call, ...rest: [signal?: AbortSignal, onProgress?: Pending['onProgress']]) {
    if (this.disposal) throw new DisposedError('This model was disposed of. Open it again with openInWorker().');
    return (await this.connection.call<Value>(call, ...rest)).value;
  }
}

/**
 * Opens a model in a worker, whose program calls `serveModels` of `@dalle-mini/pipeline/browser/worker`.
 *
 * @param source As of `fromPretrained`.
 * @throws The errors of `fromPretrained`, recognized by `isInstance` and `code`; WorkerError if the worker cannot be started.
 *
 * @example
 * <!-- given: declare const worker: import('@dalle-mini/pipeline/browser/client').WorkerLike; -->
 * ```ts no-run
 * import { openInWorker } from '@dalle-mini/pipeline/browser/client';
 *
 * // const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
 * const model = await openInWorker(worker, 'emoji');
 * for await (const { row, images } of model.stream('a red apple')) console.log(row, images?.length);
 * ```
 */
export async function openInWorker(
  worker: WorkerLike,
  source?: string,
  { signal, onProgress, ...options }: OpenInWorkerOptions = {},
): Promise<TextToImageInWorker> {
  const connection = Connection.of(worker);
  const call: Call = { name: 'open', source, options: options as SentOptions<FromPretrainedOptions> };
  const report = onProgress as ((progress: LoadProgress) => void) | undefined;
  const { id, value } = await connection.call<OpenedModel>(call, signal, report);
  return new TextToImageInWorker(connection, id, value);
}

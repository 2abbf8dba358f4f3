/** The program of a worker that opens models for a page. */
import { errorToData, type ImageRanker, type RgbImage } from '@dalle-mini/core';
import type { GenerateProgress } from '../generate/options.js';
import type { TextToImage } from '../generate/text-to-image.js';
import { fromPretrained } from './from-pretrained.js';
import { type Call, type FromWorker, isMessage, type OpenedModel, type SentImage, type ToWorker } from './messages.js';

/** The global scope of a worker, or a port. */
export interface MessageScope {
  postMessage(message: unknown): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
}

export interface ServeModelsOptions {
  /** Makes what sorts the images of each model, such as a `ClipRanker`. */
  readonly openRanker?: (() => Promise<ImageRanker>) | undefined;
  /** Where calls come from. Default: the page of this worker. */
  readonly scope?: MessageScope | undefined;
}

/** A call that has not ended. */
interface Running {
  readonly abort: AbortController;
  /** The previews of its reports, by their numbers. */
  readonly previews: GenerateProgress['preview'][];
  /** Continues after a report. */
  proceed: () => void;
}

/**
 * Opens and runs models in this worker for the page, which calls `openInWorker`.
 *
 * @example
 * ```ts no-run
 * import { serveModels } from '@dalle-mini/pipeline/browser/worker';
 *
 * serveModels();
 * ```
 */
export function serveModels(options: ServeModelsOptions = {}): void {
  const { openRanker, scope = globalThis as unknown as MessageScope } = options;
  const models = new Map<number, TextToImage>();
  const running = new Map<number, Running>();
  const send = (message: FromWorker) => scope.postMessage(message);

  const calls: { [Name in Call['name']]: (id: number, call: Call & { name: Name }, state: Running) => unknown } = {
    async open(id, { source, options }, { abort: { signal } }): Promise<OpenedModel> {
      const ranker = await openRanker?.();
      const model = await fromPretrained(source, {
        ...options,
        ranker,
        signal,
        onProgress: (progress) => send({ type: 'dalle-mini', id, progress }),
      });
      models.set(id, model);
      const { imageSize, gridSize, vocabularySize } = model.imageTokenizer;
      return { sampling: model.sampling, imageSize, gridSize, vocabularySize };
    },
    async generate(id, { model, prompt, options, reports }, state): Promise<SentImage[]> {
      const { signal } = state.abort;
      const report = ({ preview, ...progress }: GenerateProgress) => {
        const number = state.previews.push(preview) - 1;
        send({ type: 'dalle-mini', id, progress: { ...progress, report: number } });
        return new Promise<void>((resolve) => {
          state.proceed = resolve;
          signal.addEventListener('abort', () => resolve(), { once: true });
        });
      };
      const images = await models
        .get(model)!
        .generate(prompt, { ...options, signal, ...(reports && { onProgress: report }) });
      return images.map(({ image, tokens, seed, index, score, warnings }) => ({
        image,
        tokens,
        seed,
        index,
        score,
        warnings,
      }));
    },
    encode: (_, { model, images }, { abort: { signal } }): Promise<Int32Array[]> =>
      models.get(model)!.imageTokenizer.encode(images, { signal }),
    decode: (_, { model, grids, columns }, { abort: { signal } }): Promise<RgbImage[]> =>
      models.get(model)!.imageTokenizer.decode(grids, { signal, columns }),
    preview(_, { of, report }): Promise<RgbImage[]> {
      const preview = running.get(of)?.previews[report];
      if (!preview) throw new Error('preview must be called before the call that generates has ended. Use its images.');
      return preview();
    },
    async dispose(_, { model }): Promise<void> {
      await models.get(model)?.dispose();
      models.delete(model);
    },
  };

  const start = async (id: number, call: Call) => {
    const state: Running = { abort: new AbortController(), previews: [], proceed: () => undefined };
    running.set(id, state);
    try {
      const value = await calls[call.name](id, call as never, state);
      send({ type: 'dalle-mini', id, value });
    } catch (error) {
      send({ type: 'dalle-mini', id, error: errorToData(error) });
    } finally {
      running.delete(id);
    }
  };

  scope.addEventListener('message', ({ data }) => {
    if (!isMessage<ToWorker>(data)) return;
    if ('call' in data) void start(data.id, data.call);
    else if ('abort' in data) running.get(data.id)?.abort.abort();
    else running.get(data.id)?.proceed();
  });
}

/** The messages between a page and the worker that has its model. */
import type { ErrorData, RgbImage } from '@dalle-mini/core';
import type { GeneratedImage } from '../generate/generated-image.js';
import type { GenerateOptions, GenerateProgress } from '../generate/options.js';
import type { LoadProgress } from '../load-progress.js';
import type { FromPretrainedOptions } from './from-pretrained.js';

/** Options that a message can carry. */
export type SentOptions<Options> = Omit<Options, 'signal' | 'onProgress' | 'runtime' | 'ranker'>;

/** A call of the page, with its number. `model` is the number of the call that opened the model. */
export type Call =
  | { readonly name: 'open'; readonly source: string | undefined; readonly options: SentOptions<FromPretrainedOptions> }
  | {
      readonly name: 'generate';
      readonly model: number;
      readonly prompt: string;
      readonly options: SentOptions<GenerateOptions>;
      /** Whether the page wants the progress. The worker waits for its answer after each row. */
      readonly reports: boolean;
    }
  | { readonly name: 'encode'; readonly model: number; readonly images: readonly RgbImage[] }
  | {
      readonly name: 'decode';
      readonly model: number;
      readonly grids: readonly Int32Array[];
      readonly columns: number | undefined;
    }
  | { readonly name: 'dispose'; readonly model: number }
  /** Decodes the finished rows of a call that generates. */
  | { readonly name: 'preview'; readonly of: number; readonly report: number };

/** What the page sends: a call, the end of a call, or that a call may continue after a report. */
export type ToWorker =
  | { readonly type: 'dalle-mini'; readonly id: number; readonly call: Call }
  | { readonly type: 'dalle-mini'; readonly id: number; readonly abort: true }
  | { readonly type: 'dalle-mini'; readonly id: number; readonly proceed: true };

/** Progress without its function, which the page calls by the number of the report. */
export type SentProgress = Omit<GenerateProgress, 'preview'> & { readonly report: number };

/** A generated image without its methods. */
export type SentImage = Pick<GeneratedImage, 'image' | 'tokens' | 'seed' | 'index' | 'score' | 'warnings'>;

/** What the page must know of an opened model. */
export interface OpenedModel {
  readonly sampling: object;
  readonly imageSize: number;
  readonly gridSize: number;
  readonly vocabularySize: number;
}

/** What the worker sends: progress, and then the result or the error of a call. */
export type FromWorker =
  | { readonly type: 'dalle-mini'; readonly id: number; readonly progress: SentProgress | LoadProgress }
  | { readonly type: 'dalle-mini'; readonly id: number; readonly value: unknown }
  | { readonly type: 'dalle-mini'; readonly id: number; readonly error: ErrorData };

/** Whether a message is one of these: a page and its worker may send each other others too. */
export function isMessage<Message extends ToWorker | FromWorker>(data: unknown): data is Message {
  return (data as { type?: unknown } | null)?.type === 'dalle-mini';
}

/** A model as the page uses it: in a worker of this browser, or on a server. Images are addresses, which `<img>` can show. */
import type { SamplingOptions } from '@dalle-mini/core';
import type { Request } from '../request.js';

export interface Picture {
  readonly index: number;
  readonly url: string;
  readonly tokens: readonly number[];
  /** CLIP's score, if images are ranked. */
  readonly score?: number | undefined;
  readonly warnings: readonly { readonly message: string }[];
}

/** How far a request is. */
export interface Update {
  /** Requests that run earlier, while this one waits on a server. */
  readonly ahead?: number | undefined;
  /** The finished share of the work, in `[0, 1]`. */
  readonly fraction?: number | undefined;
  /** Index of the first picture of the current batch, and how much of its pictures is finished, in `[0, 1]`. */
  readonly batch?: { readonly firstIndex: number; readonly fraction: number } | undefined;
  /** The unfinished pictures of the batch. */
  readonly previews?: readonly string[] | undefined;
}

export interface GenerateCall {
  readonly signal: AbortSignal;
  readonly onUpdate: (update: Update) => void;
}

/** The sizes and defaults of a model. */
export interface ModelFacts {
  readonly imageSize: number;
  readonly gridSize: number;
  readonly vocabularySize: number;
  readonly sampling: SamplingOptions;
  readonly maxImages: number;
  readonly isRanked: boolean;
}

export interface Model {
  readonly facts: ModelFacts;
  generate(request: Request, call: GenerateCall): Promise<readonly Picture[]>;
  /** Decodes grids of tokens to images. */
  decode(grids: readonly (readonly number[])[]): Promise<readonly string[]>;
  /** Encodes an image of `imageSize` to tokens. */
  encode(image: ImageData): Promise<readonly number[]>;
}

/** The model has ended, and must be opened again. */
export class ModelLostError extends Error {}

/** Progress of loading a model. */
export interface Loading {
  readonly done: number;
  readonly total: number;
  readonly secondsLeft?: number | undefined;
}

export interface LoadOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Loading) => void;
}

/** A source of the model: where it computes, and how it is opened. */
export interface ModelSource {
  readonly place: 'browser' | 'server';
  /** Bytes that are downloaded before the first picture. */
  readonly bytes: number;
  /** Defaults that the page shows before the model is loaded. */
  readonly facts: ModelFacts;
  open(options: LoadOptions): Promise<Model>;
  /** Starts the program that trains, if it is there. */
  readonly createTrainer?: () => Worker;
}

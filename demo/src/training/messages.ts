/** What the page and the worker that trains tell each other. */

export type ToTrainer = 'train' | 'stop';

export type FromTrainer =
  | { readonly kind: 'preparing'; readonly what: string; readonly fraction?: number | undefined }
  | { readonly kind: 'step'; readonly done: number; readonly total: number; readonly secondsLeft: number }
  /** It has ended, or was stopped. */
  | { readonly kind: 'ended' }
  | { readonly kind: 'failed'; readonly message: string };

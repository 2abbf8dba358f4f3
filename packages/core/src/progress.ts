/** The progress of a long task. Every `onProgress` of these packages receives it; some add further fields. */
export interface Progress {
  /** The current stage. A call may have several stages, each with its own `total`. */
  readonly stage: Stage;
  /** Number of finished units, from 0 to `total`. */
  readonly done: number;
  /** Number of units of this stage. */
  readonly total: number;
  /** The unit that `done` and `total` count. */
  readonly unit: 'bytes' | 'captions' | 'files' | 'passes' | 'rows' | 'samples' | 'steps';
  /** Units per second, averaged over the last few seconds; `undefined` at the start. */
  readonly rate?: number | undefined;
  /** Estimated seconds until `total`; `undefined` at the start. */
  readonly secondsLeft?: number | undefined;
}

export type Stage =
  | 'download'
  | 'hash'
  | 'upload'
  | 'convert'
  | 'generate'
  | 'score'
  | 'encode'
  | 'prepare'
  | 'scan'
  | 'train'
  | 'evaluate';

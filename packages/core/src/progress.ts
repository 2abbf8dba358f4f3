/** How far a long task is. Every `onProgress` of these packages receives it, some with further fields. */
export interface Progress {
  /** What is being done. A call may go through several stages, each with its own `total`. */
  readonly stage: Stage;
  /** Units that are done, from 0 to `total`. */
  readonly done: number;
  /** Units in all. */
  readonly total: number;
  /** What is counted. */
  readonly unit: 'bytes' | 'files' | 'rows' | 'samples' | 'steps';
  /** Units per second, averaged over the last few seconds; `undefined` until it is known. */
  readonly rate?: number | undefined;
  /** Seconds until `total` at this rate; `undefined` until it is known. */
  readonly secondsLeft?: number | undefined;
}

export type Stage = 'download' | 'convert' | 'generate' | 'encode' | 'prepare' | 'train';

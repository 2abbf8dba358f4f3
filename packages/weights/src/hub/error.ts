import { DalleMiniError } from '@dalle-mini/core';

/** A model cannot be downloaded from the hub. The message, one line, names the reason and what to do. */
export class HubError extends DalleMiniError {
  static override readonly code: string = 'HUB';
}

/** The hub cannot be reached, or is overloaded: the cache may replace it, and another attempt may succeed. */
export class UnavailableError extends HubError {
  /** The largest number of further attempts that make sense. */
  readonly retries: number;
  /** Milliseconds that the hub asks to wait. */
  readonly retryAfter: number | undefined;

  constructor(
    message: string,
    options: ErrorOptions & { retries?: number | undefined; retryAfter?: number | undefined } = {},
  ) {
    super(message, options);
    this.retries = options.retries ?? Infinity;
    this.retryAfter = options.retryAfter;
  }
}

import { DalleMiniError } from '@dalle-mini/core';

/** A model that the hub does not give, or not as it should be. The message, one line, names the cause and what to do. */
export class HubError extends DalleMiniError {
  static override readonly code: string = 'HUB';
}

/** A hub that cannot be reached, or that has too much to do: a cache may take its place, and another attempt may succeed. */
export class UnavailableError extends HubError {
  /** Further attempts that make sense, at most. */
  readonly retries: number;
  /** Milliseconds that the hub asks to wait for. */
  readonly retryAfter: number | undefined;

  constructor(message: string, options: ErrorOptions & { retries?: number; retryAfter?: number | undefined } = {}) {
    super(message, options);
    this.retries = options.retries ?? Infinity;
    this.retryAfter = options.retryAfter;
  }
}

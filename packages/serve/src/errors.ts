import { DalleMiniError } from '@dalle-mini/core';

/** A request that is refused. */
export class RequestError extends DalleMiniError {
  static override readonly code = 'REQUEST';

  /**
   * @param status The HTTP status.
   * @param kind The `code` of the response, such as `QUEUE_FULL`.
   * @param headers Headers of the response, such as `allow`.
   */
  constructor(
    readonly status: number,
    readonly kind: string,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

/** The server closes, and does no more work. */
export class ClosingError extends RequestError {
  constructor() {
    super(503, 'CLOSING', 'The server is closing. Try again in a minute.', { 'retry-after': '60' });
  }
}

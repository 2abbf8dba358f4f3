/** Why an image was not downloaded. `http-404` and the like have the status. */
export type DownloadProblem =
  | 'timeout'
  | 'dns'
  | 'connection'
  | 'certificate'
  | 'address-refused'
  | 'redirects'
  | 'too-large'
  | 'not-an-image'
  | 'opt-out'
  | 'url'
  | `http-${number}`;

/** An image was not downloaded. The shard's Parquet file has the problem and the message. */
export class DownloadError extends Error {
  /** Seconds that the server asks to wait. */
  retryAfter?: number | undefined;

  constructor(
    readonly problem: DownloadProblem,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  /** Whether another try may succeed. */
  get isTransient(): boolean {
    const { problem } = this;
    return (
      ['timeout', 'connection', 'dns', 'http-408', 'http-425', 'http-429'].includes(problem) || /^http-5/.test(problem)
    );
  }
}

/** A model that the hub does not give, or not as it should be. The message, one line, names the cause and the remedy. */
export class HubError extends Error {
  override readonly name = 'HubError';
}

/** A failure that may be gone at the next try: the network's, or that of a hub with too much to do. */
export class TransientError extends HubError {
  constructor(
    message: string,
    options?: ErrorOptions,
    /** Milliseconds that the hub asks to wait for. */
    readonly retryAfter?: number,
  ) {
    super(message, options);
  }
}

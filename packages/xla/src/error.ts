import { DalleMiniError } from '@dalle-mini/core';

/** XLA, or a plugin with it, cannot be used, or refused a call. The message names the reason and what to do. */
export class XlaError extends DalleMiniError {
  static override readonly code = 'XLA';
  /** XLA's kind of error, such as `RESOURCE_EXHAUSTED`; empty if the error is not XLA's. */
  readonly status: string;

  constructor(message: string, { status = '', ...options }: ErrorOptions & { readonly status?: string } = {}) {
    super(message, options);
    this.status = status;
  }
}

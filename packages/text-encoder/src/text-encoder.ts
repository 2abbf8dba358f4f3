/** The hidden states of a batch of captions, padded at the end to one length. */
export interface TextEncoding {
  /** `[batch, length, hiddenSize]`, row-major. */
  readonly hiddenStates: Float32Array;
  /** `[batch, length]`: 1 where a token stands, 0 where there is padding. */
  readonly attentionMask: Int32Array;
  readonly batch: number;
  readonly length: number;
  readonly hiddenSize: number;
}

/** Options of work that may take long. */
export interface EncodeOptions {
  /** Cancels the work: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /**
   * `max_length` pads every caption to the encoder's `maxLength`, as training and the published code do; `longest` pads to the longest
   * of them, which takes less time and memory. Hidden states of tokens that are no padding are the same, but for rounding. An encoder
   * may always pad to `maxLength`. Default `max_length`.
   */
  readonly padding?: 'max_length' | 'longest';
}

/** Reads captions: the second stage of DALL·E Mini. A decoder attends to what it returns. */
export interface TextEncoder {
  /** Width of a hidden state. */
  readonly hiddenSize: number;
  /** Number of tokens that captions are cut to, and padded to by default. */
  readonly maxLength: number;
  /** Encodes captions to hidden states, all padded to one length. The empty caption is allowed: it is the unconditional one. */
  encode(captions: readonly string[], options?: EncodeOptions): Promise<TextEncoding>;
  /** Frees the model. */
  dispose(): Promise<void>;
}

/** The hidden states of a batch of captions, padded at the end to one length. */
export interface TextEncoding {
  /** `[batch, length, width]`, row-major. */
  readonly hiddenStates: Float32Array;
  /** `[batch, length]`: 1 for a token, 0 for padding. */
  readonly attentionMask: Int32Array;
  /** Number of captions. */
  readonly batch: number;
  /** Number of tokens of each caption, with padding. */
  readonly length: number;
  /** Width of a hidden state. */
  readonly width: number;
  /** What the encoder had to leave out or does not know, one entry per caption; absent where nothing is worth a warning. */
  readonly warnings?: readonly (readonly TextWarning[])[] | undefined;
}

/** Something about a caption that its author should know. */
export interface TextWarning {
  /** `truncated`: the caption is longer than the encoder reads. `unknown-words`: some of its words are not in the vocabulary. */
  readonly kind: 'truncated' | 'unknown-words';
  /** A sentence for people. */
  readonly message: string;
}

export interface TextEncodeOptions {
  /** Cancels the work: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * `max_length` pads every caption to the encoder's `maxLength`, as training and the published code do; `longest` pads to the longest
   * of them, which takes less time and memory. Hidden states of tokens other than padding are the same, up to rounding. An encoder may
   * always pad to `maxLength`. Default `max_length`.
   */
  readonly padding?: 'max_length' | 'longest' | undefined;
}

/** Reads captions: the second stage of DALL·E Mini. A decoder attends to what it returns. */
export interface TextEncoder {
  /** Width of a hidden state. */
  readonly width: number;
  /** Number of tokens that captions are truncated to, and padded to by default. */
  readonly maxLength: number;
  /** Encodes captions to hidden states, all padded to one length. The empty caption is allowed: it is the unconditional one. */
  encode(captions: readonly string[], options?: TextEncodeOptions): Promise<TextEncoding>;
  /** Frees the model. */
  dispose(): Promise<void>;
}

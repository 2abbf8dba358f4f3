/** A batch of captions, padded at the end to the same length: their hidden states, or their token ids. */
export interface TextEncoding {
  /** `[batch, length, width]`, row-major. Empty if the encoder only tokenizes. */
  readonly hiddenStates: Float32Array;
  /** `[batch, length]`: token ids, for decoders that have embeddings of words. Default: absent, if there are hidden states. */
  readonly tokens?: Int32Array | undefined;
  /** `[batch, length]`: 1 for a token, 0 for padding. */
  readonly attentionMask: Int32Array;
  /** Number of captions. */
  readonly batch: number;
  /** Number of tokens of each caption, with padding. */
  readonly length: number;
  /** Width of a hidden state. 0 if there are none. */
  readonly width: number;
  /** One embedding of each caption, `[batch, pooledWidth]`, of encoders that compute it, such as CLIP's. */
  readonly pooled?: Float32Array | undefined;
  /** The warnings for each caption; absent if there are none. */
  readonly warnings?: readonly (readonly TextWarning[])[] | undefined;
}

/** A warning about a caption, for its author. */
export interface TextWarning {
  /** `truncated`: the caption is longer than `maxLength`. `unknown-words`: some of its words are not in the vocabulary. */
  readonly kind: 'truncated' | 'unknown-words';
  /** The warning in one sentence. */
  readonly message: string;
}

export interface TextEncodeOptions {
  /** Cancels the work: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * `max_length` pads every caption to the encoder's `maxLength`, as training and the published code do. `longest` pads to the longest
   * caption of the batch, which takes less time and memory. The hidden states of tokens that are not padding are the same, except for
   * rounding. An encoder may ignore `longest`. Default `max_length`.
   */
  readonly padding?: 'max_length' | 'longest' | undefined;
}

/** Encodes captions: the second stage of DALL·E Mini. A decoder attends to the hidden states. */
export interface TextEncoder {
  /** Width of a hidden state. 0 if it only tokenizes. */
  readonly width: number;
  /** Number of tokens that captions are truncated to, and padded to by default. */
  readonly maxLength: number;
  /** Encodes captions to hidden states of the same length. The empty caption is allowed; it gives the unconditional encoding. */
  encode(captions: readonly string[], options?: TextEncodeOptions): Promise<TextEncoding>;
  /**
   * Returns a SHA-256 of all that hidden states follow from: the configuration, the weights and the tokenizer, but not `maxLength`. Stored
   * hidden states are used only with an encoder of the same fingerprint.
   */
  fingerprint?(): Promise<string>;
  /** Frees the model. */
  dispose(): Promise<void>;
}

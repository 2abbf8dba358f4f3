import type { TextEncoder, TextEncoding } from '@dalle-mini/text-encoder';

/**
 * Remembers the hidden states of captions, without their padding: a caption is encoded once in a training run, and comes
 * back in every epoch.
 */
export class CaptionCache {
  private readonly known = new Map<string, Float32Array>();
  private bytes = 0;

  /** @param capacity Bytes of hidden states that are kept; the longest unused go first. Default 2 GiB. */
  constructor(
    private readonly encoder: TextEncoder,
    private readonly capacity = 2 ** 31,
  ) {}

  /** As the encoder's `encode`; hidden states of padding are zero. */
  async encode(captions: readonly string[]): Promise<TextEncoding> {
    const { maxLength, hiddenSize } = this.encoder;
    const missing = [...new Set(captions)].filter((caption) => !this.known.has(caption));
    const fresh = new Map<string, Float32Array>();
    if (missing.length > 0) {
      const { hiddenStates, attentionMask } = await this.encoder.encode(missing);
      for (const [i, caption] of missing.entries()) {
        const length = attentionMask.subarray(i * maxLength, (i + 1) * maxLength).reduce((sum, bit) => sum + bit, 0);
        const start = i * maxLength * hiddenSize;
        fresh.set(caption, hiddenStates.slice(start, start + length * hiddenSize));
      }
    }
    const hiddenStates = new Float32Array(captions.length * maxLength * hiddenSize);
    const attentionMask = new Int32Array(captions.length * maxLength);
    for (const [i, caption] of captions.entries()) {
      const states = fresh.get(caption) ?? this.known.get(caption)!;
      hiddenStates.set(states, i * maxLength * hiddenSize);
      attentionMask.fill(1, i * maxLength, i * maxLength + states.length / hiddenSize);
      this.remember(caption, states);
    }
    return { hiddenStates, attentionMask, batch: captions.length, length: maxLength, hiddenSize };
  }

  private remember(caption: string, states: Float32Array): void {
    // Deleting first moves it to the end of the map's order, away from those that are forgotten.
    if (!this.known.delete(caption)) this.bytes += states.byteLength;
    this.known.set(caption, states);
    for (const [oldest, { byteLength }] of this.known) {
      if (this.bytes <= this.capacity) break;
      this.known.delete(oldest);
      this.bytes -= byteLength;
    }
  }
}

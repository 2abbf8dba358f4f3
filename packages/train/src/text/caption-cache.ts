import type { TextEncoder, TextEncoding } from '@dalle-mini/core';
import type { CaptionStates } from '@dalle-mini/data';

const bytesOf = ({ hiddenStates, attentionMask }: CaptionStates) => hiddenStates.byteLength + attentionMask.byteLength;

/**
 * Caches the hidden states of captions without their padding, so that later epochs do not encode a caption again.
 */
export class CaptionCache {
  private readonly known = new Map<string, CaptionStates>();
  private bytes = 0;

  /** @param capacity Capacity in bytes. The least recently used captions are dropped first. Default 2 GiB. */
  constructor(
    private readonly encoder: TextEncoder,
    private readonly capacity = 2 ** 31,
  ) {}

  /** Encodes captions as the encoder does, except that hidden states of padding are zero. */
  async encode(captions: readonly string[]): Promise<TextEncoding> {
    const { maxLength, width } = this.encoder;
    // A local copy, because cached captions may be dropped while the others are encoded.
    const encoded = new Map<string, CaptionStates>();
    for (const caption of captions) {
      const known = this.known.get(caption);
      if (known) encoded.set(caption, known);
    }
    const missing = [...new Set(captions)].filter((caption) => !encoded.has(caption));
    if (missing.length > 0) {
      const encoding = await this.encoder.encode(missing);
      for (const [i, caption] of missing.entries()) encoded.set(caption, withoutPadding(encoding, i));
    }
    for (const [caption, entry] of encoded) this.remember(caption, entry);

    return padded(
      captions.map((caption) => encoded.get(caption)!),
      maxLength,
      width,
    );
  }

  private remember(caption: string, entry: CaptionStates): void {
    // Deleting it first moves it to the end of the map, away from the entries that are dropped.
    if (!this.known.delete(caption)) this.bytes += bytesOf(entry);
    this.known.set(caption, entry);
    for (const [oldest, forgotten] of this.known) {
      if (this.bytes <= this.capacity) break;
      this.known.delete(oldest);
      this.bytes -= bytesOf(forgotten);
    }
  }
}

function withoutPadding({ hiddenStates, attentionMask, length, width }: TextEncoding, i: number): CaptionStates {
  const mask = attentionMask.subarray(i * length, (i + 1) * length);
  const kept = mask.lastIndexOf(1) + 1;
  const start = i * length * width;
  return { hiddenStates: hiddenStates.slice(start, start + kept * width), attentionMask: mask.slice(0, kept) };
}

/** Joins the hidden states of captions to a batch, with zeros as padding. */
export function padded(captions: readonly CaptionStates[], length: number, width: number): TextEncoding {
  const hiddenStates = new Float32Array(captions.length * length * width);
  const attentionMask = new Int32Array(captions.length * length);
  for (const [i, caption] of captions.entries()) {
    hiddenStates.set(caption.hiddenStates, i * length * width);
    attentionMask.set(caption.attentionMask, i * length);
  }
  return { hiddenStates, attentionMask, batch: captions.length, length, width };
}

import { createRandom, type TextEncoder, type TextEncoding } from '@dalle-mini/core';

/** A text encoder without weights. The hidden state of each word is its own random vector, independent of its position. */
export class BagOfWords implements TextEncoder {
  constructor(
    readonly width: number,
    readonly maxLength: number,
  ) {}

  async encode(captions: readonly string[]): Promise<TextEncoding> {
    const { width, maxLength } = this;
    const batch = captions.length;
    const hiddenStates = new Float32Array(batch * maxLength * width);
    const attentionMask = new Int32Array(batch * maxLength);
    for (const [i, caption] of captions.entries()) {
      // The empty first word gives the empty caption something to attend to.
      const words = ['', ...(caption.toLowerCase().match(/\p{L}+/gu) ?? [])].slice(0, maxLength);
      for (const [j, word] of words.entries()) {
        const position = i * maxLength + j;
        hiddenStates.set(this.embed(word), position * width);
        attentionMask[position] = 1;
      }
    }
    return { hiddenStates, attentionMask, batch, length: maxLength, width };
  }

  async dispose(): Promise<void> {}

  private embed(word: string): Float32Array {
    const random = createRandom('word', word);
    return Float32Array.from({ length: this.width }, () => random.normal());
  }
}

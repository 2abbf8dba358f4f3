import type { ImageRanker, ImageTokenDecoder, ImageTokenizer, TextEncoder } from '@dalle-mini/core';

type DecoderCall = Parameters<ImageTokenDecoder['generate']>;

/** Minimal implementations of the interfaces, which record their calls. */
export function fakeParts() {
  const captions: string[] = [];
  const decoderCalls: { text: DecoderCall[0]; options: NonNullable<DecoderCall[1]> }[] = [];
  const disposed: string[] = [];
  const disposable = (name: string) => ({
    dispose: async () => {
      disposed.push(name);
    },
  });
  const textEncoder: TextEncoder = {
    width: 1,
    maxLength: 2,
    async encode(batch) {
      captions.push(...batch);
      return {
        hiddenStates: Float32Array.from(batch.flatMap((caption) => [caption.length, 0])),
        attentionMask: new Int32Array(2 * batch.length).fill(1),
        batch: batch.length,
        length: 2,
        width: 1,
      };
    },
    ...disposable('textEncoder'),
  };
  const decoder: ImageTokenDecoder = {
    gridSize: 2,
    vocabularySize: 256,
    keeps: 'rows',
    async generate(text, options = {}) {
      decoderCalls.push({ text, options });
      const grids = Array.from({ length: text.batch }, (_, i) => Int32Array.of(i, 1, 2, 3));
      for (const row of [1, 2])
        await options.onProgress?.({
          stage: 'generate',
          unit: 'rows',
          done: row,
          total: 2,
          tokens: grids.map((grid) => grid.slice(0, 2 * row)),
        });
      return grids;
    },
    ...disposable('decoder'),
  };
  const imageTokenizer: ImageTokenizer = {
    imageSize: 1,
    gridSize: 2,
    vocabularySize: 256,
    encode: async (images) => images.map(({ data }) => Int32Array.of(data[0]!, 1, 2, 3)),
    decode: async (grids) => grids.map((grid) => ({ width: 1, height: 1, data: Uint8Array.of(grid[0]!, 0, 0) })),
    ...disposable('imageTokenizer'),
  };
  const runtime = disposable('runtime');
  return { parts: { textEncoder, decoder, imageTokenizer, runtime }, captions, decoderCalls, disposed };
}

/** A ranker whose score is the red channel of the first pixel. */
export function redRanker(): ImageRanker {
  return {
    rank: async (_, images) => Float32Array.from(images, ({ data }) => data[0]!),
    dispose: async () => undefined,
  };
}

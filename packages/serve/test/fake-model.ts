import { setImmediate } from 'node:timers/promises';
import type { RgbImage } from '@dalle-mini/core';
import { TextToImage } from '@dalle-mini/pipeline';

export interface FakeModel {
  readonly model: TextToImage;
  /** The prompts, in the order in which images were generated. */
  readonly prompts: string[];
  /** While it is paused, images have no second row. */
  pause(): void;
  resume(): void;
}

const image = ([red = 0]: Int32Array): RgbImage => ({ width: 2, height: 2, data: new Uint8Array(12).fill(red) });

/** A model whose images have two rows of two tokens, the seed first, and as many pixels, all of the colour of the first token. */
export function fakeModel(): FakeModel {
  const prompts: string[] = [];
  let resumed = Promise.resolve();
  let resume = () => {};
  const dispose = async () => {};
  const model = new TextToImage({
    textEncoder: {
      width: 1,
      maxLength: 1,
      dispose,
      async encode(captions) {
        prompts.push(captions[0]!);
        const batch = captions.length;
        return {
          hiddenStates: new Float32Array(batch),
          attentionMask: new Int32Array(batch),
          batch,
          length: 1,
          width: 1,
        };
      },
    },
    decoder: {
      gridSize: 2,
      vocabularySize: 256,
      dispose,
      async generate({ batch }, { seed = 0, signal, onProgress } = {}) {
        if (seed === 66) throw new Error('The fan of the machine is broken');
        const grids = Array.from({ length: batch }, (_, i) => Int32Array.of(seed % 256, i, 2, 3));
        for (const row of [1, 2]) {
          const tokens = grids.map((grid) => grid.slice(0, 2 * row));
          await onProgress?.({ stage: 'generate', unit: 'rows', done: row, total: 2, tokens });
          const left = new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
          await Promise.race([Promise.all([resumed, setImmediate()]), left]);
        }
        return grids;
      },
    },
    imageTokenizer: {
      imageSize: 2,
      gridSize: 2,
      vocabularySize: 256,
      dispose,
      decode: async (grids) => grids.map(image),
      encode: async (images) => images.map(({ data }) => Int32Array.of(data[0]!, 1, 2, 3)),
    },
    sampling: { temperature: 0.5 },
  });
  return {
    model,
    prompts,
    pause: () => {
      resumed = new Promise((resolve) => {
        resume = resolve;
      });
    },
    resume: () => resume(),
  };
}

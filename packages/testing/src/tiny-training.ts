/** Pictures, captions and models so small that they are trained in seconds. */

import { createRandom, type TextEncoder } from '@dalle-mini/core';
import type { Dataset, Sample, TokenDataset } from '@dalle-mini/data';
import type { DecoderConfig } from '@dalle-mini/decoder';
import { initializeParameters } from '@dalle-mini/graph/initializers';
import { loadTextTokenizer } from '@dalle-mini/text-encoder/tokenizers';
import type { DecoderTraining, VqganTraining } from '@dalle-mini/train';
import { tinyBert } from './tiny-bert.js';
import { tinyDecoder } from './tiny-decoder.js';
import { tinyVqgan } from './tiny-vqgan.js';

export const size = 16;

const colors: Record<string, readonly [number, number, number]> = {
  red: [220, 40, 40],
  green: [40, 180, 60],
  blue: [50, 80, 220],
  yellow: [240, 210, 50],
};
/** Whether a point is inside, x and y from −1 to 1. */
const shapes: Record<string, (x: number, y: number) => boolean> = {
  circle: (x, y) => x * x + y * y < 0.5,
  square: (x, y) => Math.abs(x) < 0.6 && Math.abs(y) < 0.6,
  stripe: (_, y) => Math.abs(y) < 0.3,
};

/** The words of the captions. */
const words = ['a', ...Object.keys(colors), ...Object.keys(shapes)];

/** What the picture at an index shows, and where: the first twelve are all different. */
function describe(index: number) {
  const colorNames = Object.keys(colors);
  const color = colorNames[index % colorNames.length]!;
  const shape = Object.keys(shapes)[index % 3]!;
  const random = createRandom(index);
  const shift = [random.integer(5) / 10 - 0.2, random.integer(5) / 10 - 0.2] as const;
  return { color, shape, shift };
}

/**
 * Colored shapes on white, 16×16 pixels, made up as they are asked for.
 *
 * @param first Index of the first picture: datasets that do not overlap have different pictures.
 */
export function pictures(length: number, first = 0): Dataset<Sample> {
  return {
    length,
    async get(index) {
      const { color, shape, shift } = describe(first + index);
      const data = new Uint8Array(3 * size * size).fill(255);
      for (let pixel = 0; pixel < size * size; pixel++) {
        const x = (pixel % size) / 8 - 1 + shift[0];
        const y = Math.floor(pixel / size) / 8 - 1 + shift[1];
        if (shapes[shape]?.(x, y)) data.set(colors[color] ?? [], 3 * pixel);
      }
      return {
        key: `shape-${first + index}`,
        image: { width: size, height: size, data },
        captions: [`${color} ${shape}`, `a ${color} ${shape}`],
      };
    },
  };
}

export const vqganRun: Omit<VqganTraining, 'folder' | 'runtime'> = {
  config: {
    model: tinyVqgan,
    batchSize: 8,
    stepsPerRun: 5,
    learningRate: 4e-3,
    warmUpSteps: 5,
    restartEvery: 10,
    averageDecay: 0.9,
    flip: true,
  },
  steps: 60,
  seed: 3,
  checkpointEvery: 10,
  evaluateEvery: 30,
  dataset: pictures(96),
  order: (position) => (position * 7) % 96,
  evaluation: pictures(16, 96),
};

/** The same against a discriminator, which is trained from step 12 on, and whose term counts from step 28 on. */
export const adversarialRun: typeof vqganRun = {
  ...vqganRun,
  config: {
    ...vqganRun.config,
    discriminator: { layers: 2, width: 8, trainedFrom: 12, start: 28, leCam: { weight: 0.01 } },
  },
};

/** The same with a discriminator that counts from step 5 on, for ten steps: later, it amplifies differences of rounding too much. */
export const shortAdversarialRun: typeof vqganRun = {
  ...vqganRun,
  config: {
    ...vqganRun.config,
    discriminator: { layers: 2, width: 8, trainedFrom: 2, start: 5, leCam: { weight: 0.1 } },
  },
  steps: 10,
};

export const decoderModel: DecoderConfig = { ...tinyDecoder, vocabularySize: 16, textWidth: 8 };

const bert = tinyBert(words, decoderModel.textWidth, (parameters) => initializeParameters(parameters, 5));

/** A BERT that knows the words of the captions: as files, and as training takes it. */
export const captionBert = { ...bert, tokenizer: await loadTextTokenizer(bert.files.tokenizer) };

/** Grids that the caption tells half of: tokens of the upper half by color and shape, those of the lower half by chance. */
export function grids(length: number, first = 0): TokenDataset {
  const { gridSize, vocabularySize } = decoderModel;
  const half = gridSize ** 2 / 2;
  return {
    length,
    gridSize,
    vocabularySize,
    groups: async () => Array.from({ length }, (_, i) => [i]),
    async get(index) {
      const { color, shape } = describe(first + index);
      const random = createRandom(first + index, 1);
      const told = Object.keys(colors).indexOf(color) + 4 * Object.keys(shapes).indexOf(shape);
      const tokens = Int32Array.from({ length: 2 * half }, (_, i) =>
        i < half ? told : random.integer(vocabularySize),
      );
      return { key: `grid-${first + index}`, tokens, captions: [`${color} ${shape}`, `a ${color} ${shape}`] };
    },
  };
}

/**
 * A text encoder without weights: each word has a vector of its own, and padding at the end is not zero, as that of BERT.
 * `encoded` lists what it was asked for.
 */
export function wordEncoder(): TextEncoder & { readonly encoded: string[] } {
  const [maxLength, width] = [4, decoderModel.textWidth];
  return {
    maxLength,
    width,
    encoded: [],
    async encode(captions) {
      this.encoded.push(...captions);
      const hiddenStates = new Float32Array(captions.length * maxLength * width).fill(9);
      const attentionMask = new Int32Array(captions.length * maxLength);
      for (const [i, caption] of captions.entries()) {
        const words = ['[CLS]', ...caption.split(' ').filter((word) => word !== '')].slice(0, maxLength);
        for (const [place, word] of words.entries()) {
          const random = createRandom([...word].reduce((sum, letter) => 31 * sum + letter.charCodeAt(0), 7));
          const vector = Float32Array.from({ length: width }, () => random.integer(21) / 10 - 1);
          hiddenStates.set(vector, (i * maxLength + place) * width);
          attentionMask[i * maxLength + place] = 1;
        }
      }
      return { hiddenStates, attentionMask, batch: captions.length, length: maxLength, width };
    },
    dispose: async () => undefined,
  };
}

export const decoderRun: Omit<DecoderTraining, 'folder' | 'runtime'> = {
  config: {
    model: decoderModel,
    batchSize: 8,
    stepsPerRun: 5,
    learningRate: 1e-2,
    warmUpSteps: 5,
    averageDecay: 0.9,
  },
  steps: 60,
  seed: 3,
  checkpointEvery: 10,
  evaluateEvery: 30,
  dataset: grids(96),
  order: (position) => (position * 7) % 96,
  textEncoder: { kind: 'frozen', encoder: wordEncoder() },
  evaluation: grids(16, 96),
};

/** The training data and the sizes of the models. */
import type { DecoderConfig } from '@dalle-mini/decoder';
import type { DecoderTrainingConfig, VqganTrainingConfig } from '@dalle-mini/train';
import type { VqganConfig } from '@dalle-mini/vqgan';

/** Emoji by their code points: seven sets drew each of them. */
const concepts = {
  fruit: ['1F34E', '1F34F', '1F34A', '1F34B', '1F34C', '1F349', '1F347', '1F353', '1F351', '1F34D'],
  food: ['1F344', '1F355', '1F354', '1F369', '1F382'],
  hearts: ['2764', '1F499', '1F49A', '1F49B', '1F49C'],
  sky: ['2B50', '2600', '1F319'],
  faces: ['1F600', '1F622', '1F620', '1F60D'],
  animals: ['1F436', '1F431', '1F438', '1F437', '1F43C', '1F419', '1F41E'],
  plants: ['1F334', '1F332', '1F335', '1F339', '1F33B', '1F340'],
};

/** The prompts of the final images, and the emoji that each describes. Not all are training captions. */
export const prompts: readonly { readonly prompt: string; readonly concept: string }[] = [
  { prompt: 'a red apple', concept: '1F34E' },
  { prompt: 'a bunch of purple grapes', concept: '1F347' },
  { prompt: 'a slice of pizza', concept: '1F355' },
  { prompt: 'blue heart', concept: '1F499' },
  { prompt: 'a yellow star', concept: '2B50' },
  { prompt: 'angry face', concept: '1F620' },
  { prompt: 'a green frog', concept: '1F438' },
  { prompt: 'a pink pig', concept: '1F437' },
  { prompt: 'four leaf clover', concept: '1F340' },
  { prompt: 'sunflower', concept: '1F33B' },
];

export interface Recipe {
  readonly concepts: readonly string[];
  readonly imageSize: number;
  readonly vqgan: VqganTrainingConfig & { readonly steps: number };
  readonly decoder: Omit<DecoderTrainingConfig, 'model'> & {
    readonly model: Omit<DecoderConfig, 'textWidth'>;
    readonly steps: number;
  };
}

/** f4: 32×32 pixels become 8×8 tokens. */
const vqgan: VqganConfig = {
  resolution: 32,
  inChannels: 3,
  ch: 16,
  chMult: [1, 2, 4],
  numResBlocks: 1,
  attnResolutions: [],
  zChannels: 32,
  embedDim: 8,
  nEmbed: 256,
  normGroups: 8,
};

export const recipe: Recipe = {
  concepts: Object.values(concepts).flat(),
  imageSize: vqgan.resolution,
  vqgan: {
    model: vqgan,
    batchSize: 16,
    steps: 1000,
    learningRate: 2e-3,
    warmUpSteps: 50,
    restartEvery: 50,
    absoluteErrorWeight: 0.1,
    averageDecay: 0.99,
    flip: true,
  },
  decoder: {
    model: { vocabularySize: vqgan.nEmbed, gridSize: 8, width: 128, layers: 4, heads: 4, feedForwardWidth: 344 },
    batchSize: 32,
    steps: 500,
    learningRate: 2e-3,
    warmUpSteps: 50,
    weightDecay: 0.05,
    averageDecay: 0.99,
  },
};

/** A quick check that everything works, in half a minute: ten emoji, smaller models, fewer steps. */
export const smallRecipe: Recipe = {
  ...recipe,
  concepts: prompts.map(({ concept }) => concept),
  vqgan: { ...recipe.vqgan, model: { ...vqgan, ch: 8, nEmbed: 64 }, steps: 100, warmUpSteps: 20, averageDecay: 0.9 },
  decoder: {
    ...recipe.decoder,
    model: { ...recipe.decoder.model, vocabularySize: 64, width: 64, layers: 2, feedForwardWidth: 128 },
    steps: 100,
    warmUpSteps: 20,
    averageDecay: 0.9,
  },
};

/** Everything that decides what the bundled model becomes. */
import type { DecoderConfig } from '@dalle-mini/decoder';
import type { DecoderTrainingConfig, VqganTrainingConfig } from '@dalle-mini/train';
import type { VqganConfig } from '@dalle-mini/vqgan';

export const seed = 1;
export const imageSize = 64;
/** Tokens that a caption is cut or padded to. */
export const maxCaptionLength = 24;

/** Taming's architecture, f8 instead of f16: 64×64 pixels become 8×8 tokens. */
export const vqgan: VqganConfig = {
  resolution: imageSize,
  inChannels: 3,
  ch: 16,
  chMult: [1, 2, 4, 8],
  numResBlocks: 1,
  attnResolutions: [],
  zChannels: 64,
  embedDim: 8,
  nEmbed: 2048,
  normGroups: 8,
};

export const vqganTraining: VqganTrainingConfig & { readonly steps: number } = {
  model: vqgan,
  batchSize: 16,
  steps: 4500,
  learningRate: 1e-3,
  warmUpSteps: 100,
  restartEvery: 50,
  absoluteErrorWeight: 0.1,
  averageDecay: 0.998,
  mirror: true,
};

export const decoder: DecoderConfig = {
  vocabularySize: vqgan.nEmbed,
  gridSize: 8,
  width: 256,
  layers: 6,
  heads: 4,
  feedForwardWidth: 680,
  textWidth: 384,
};

export const decoderTraining: DecoderTrainingConfig & { readonly steps: number } = {
  model: decoder,
  batchSize: 32,
  steps: 14_000,
  learningRate: 1e-3,
  warmUpSteps: 200,
  weightDecay: 0.1,
  captionDropout: 0.1,
  tokenNoise: 1,
  averageDecay: 0.999,
};

/** What suits the model when it draws. */
export const sampling = { temperature: 0.5, topK: 64, topP: 1, guidanceScale: 3 } as const;

/** What training draws from time to time, to be looked at. None is an exact caption, but for the first row. */
export const samplePrompts = [
  'red apple',
  'grinning face',
  'red heart',
  'flag of Japan',
  'dog face',
  'rocket',
  'pizza',
  'four leaf clover',
  'a slice of pizza',
  'sad cat',
  'rocket flying',
  'green leaf',
  'yellow flower',
  'blue car',
  'house with a tree',
  'happy face',
  'a cup of coffee',
  'snow',
  'the sun',
  'a fish',
  'birthday cake',
  'money',
  'angry red face',
  'musical note',
  'a woman with red hair',
  'a blue heart',
  'fire',
  'a bird',
  'a green snake',
  'clock',
  'guitar',
  'a ghost',
];

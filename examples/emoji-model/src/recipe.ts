/** All settings of the training of the bundled model. */
import type { EmojiEntry, EmojiSplit } from '@dalle-mini/data/emoji';
import type { DecoderConfig } from '@dalle-mini/decoder';
import type { DecoderTrainingConfig, VqganTrainingConfig } from '@dalle-mini/train';
import type { VqganConfig } from '@dalle-mini/vqgan';

export const seed = 1;
export const imageSize = 64;
/** Tokens that a caption is cut or padded to. */
export const maxCaptionLength = 24;

/** Rocket, snake and the flag of Japan: the contact sheet asks for them, and chance would hold them out. */
const neverHeldOut = ['1F680', '1F40D', '1F1EF-1F1F5'];

/** What a picture is for. */
export function splitOf({ concept, split }: EmojiEntry): EmojiSplit {
  return neverHeldOut.includes(concept) ? 'train' : split;
}

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
  flip: true,
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

/** The decoder's second round, from where the first ended. */
export const decoderFinish: typeof decoderTraining = { ...decoderTraining, steps: 5_000, learningRate: 5e-4 };

/** The default sampling options of the model. */
export const sampling = { temperature: 0.4, topK: 64, topP: 1, guidanceScale: 2 } as const;

/** Names of emoji that training draws from time to time, to be looked at. */
const names = [
  'red apple',
  'grinning face',
  'red heart',
  'flag of Japan',
  'dog face',
  'rocket',
  'pizza',
  'four leaf clover',
  'birthday cake',
  'musical note',
  'fire',
  'guitar',
];

/** What people might type for them, and for others: no captions of the decoder's training. */
const plainWords = [
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
  'money',
  'angry red face',
  'a woman with red hair',
  'a blue heart',
  'a bird',
  'a green snake',
  'clock',
  'a ghost',
];

/** The prompts of the contact sheet: names of emoji, then plain words that are no caption of any picture. */
export const samplePrompts: readonly string[] = [...names, ...plainWords];

/** Captions at the head of each list, the plainest, that are read twice as often as the others. */
const plainest = 4;

/** The captions of a picture that the decoder trains with. */
export function trainingCaptions(captions: readonly string[]): string[] {
  const kept = captions.filter((caption) => !plainWords.includes(caption.toLowerCase()));
  return [...kept, ...kept.slice(0, plainest)];
}

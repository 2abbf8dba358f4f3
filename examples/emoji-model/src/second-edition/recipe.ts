/** All settings of the bundled model's second edition: 128×128 pixels, sharper, more things, and two things side by side. */
import type { DecoderConfig } from '@dalle-mini/decoder';
import type { DecoderTrainingConfig, VqganTrainingConfig } from '@dalle-mini/train';
import type { VqganConfig } from '@dalle-mini/vqgan';
import {
  decoder as firstDecoder,
  samplePrompts as firstPrompts,
  trainingCaptions as firstTrainingCaptions,
  vqgan as firstVqgan,
} from '../recipe.js';

export const seed = 2;
export const imageSize = 128;

/** The first edition's tokens, 8×8 of a picture that is read at 64×64 pixels, are written as 128×128 pixels: the decoder has one level more. */
export const vqgan: VqganConfig = { ...firstVqgan, resolution: imageSize, decoderChMult: [1, ...firstVqgan.chMult] };

/**
 * The VQ-GAN's training: only the half that writes pixels. The half that reads pictures and the codes stay as they are, so that the decoder of
 * the first edition knows the tokens, and can learn more of them at the same time.
 */
export const vqganTraining: VqganTrainingConfig & { readonly steps: number } = {
  model: vqgan,
  batchSize: 4,
  steps: 700,
  learningRate: 5e-4,
  warmUpSteps: 20,
  squaredErrorWeight: 1,
  absoluteErrorWeight: 1,
  perceptual: { network: 'vgg16', weight: 1 },
  discriminator: { start: 250, layers: 2, width: 32, weight: 0.3 },
  learningRates: [
    { match: ['encoder.*', 'quant_conv.*', 'quantize.*'], factor: 0 },
    { match: 'loss.discriminator.*', factor: 0.5 },
  ],
  restartEvery: 0,
  averageDecay: 0.99,
  flip: true,
};

/** Compositions that are trained on, and such of held-out drawings. */
export const compositions = { pairs: 8000, counts: 2000 } as const;
export const heldOutCompositions = { pairs: 200, counts: 100 } as const;

/** The first edition's decoder, which learns more things, their styles, and two things side by side. */
export const decoder: DecoderConfig = firstDecoder;

export const decoderTraining: DecoderTrainingConfig & { readonly steps: number } = {
  model: decoder,
  batchSize: 32,
  steps: 2400,
  optimizer: 'muon',
  learningRate: 6e-4,
  warmUpSteps: 50,
  weightDecay: 0.1,
  captionDropout: 0.1,
  tokenNoise: 0.75,
  averageDecay: 0.99,
};

/** Of a drawing in many skin tones, the decoder learns this number. */
export const tonesOfDrawing = 3;

/** Places that an epoch has for each drawing that captions without a style mean. All other drawings of a thing share one. */
export const placesOfPlain = 8;

/** Compositions that share one place in an epoch. */
export const compositionsOfPlace = 3;

/** The default sampling options of the model. */
export const sampling = { temperature: 0.7, topK: 64, topP: 1, guidanceScale: 2 } as const;

/** Prompts for several things. None is a caption of the decoder's training. */
const composedPrompts = [
  'a red apple left of a blue heart',
  'a cat and a dog',
  'a banana next to a cherry',
  'a yellow star right of a green leaf',
  'a car left of a house',
  'two cats',
  'three red apples',
  'four blue balloons',
];

/** The prompts of the contact sheet: those of the first edition, and several things. */
export const samplePrompts: readonly string[] = [...firstPrompts, ...composedPrompts];

/** A hundred plain prompts, whose images are named by eye, without their prompts. Some of them are captions of training. */
export const plainPrompts: readonly string[] = [
  ...[
    'a red apple',
    'a banana',
    'a bunch of grapes',
    'a slice of watermelon',
    'a strawberry',
    'a lemon',
    'a cherry',
    'a carrot',
  ],
  ...[
    'an ear of corn',
    'a mushroom',
    'a slice of pizza',
    'a hamburger',
    'a hot dog',
    'an ice cream',
    'a birthday cake',
    'a cup of coffee',
  ],
  ...[
    'a glass of beer',
    'a loaf of bread',
    'a fried egg',
    'a cookie',
    'a cat',
    'a dog',
    'a mouse',
    'a rabbit',
    'a bear',
    'a panda',
    'a lion',
  ],
  ...[
    'a tiger',
    'a cow',
    'a pig',
    'a frog',
    'a monkey',
    'a chicken',
    'a penguin',
    'an owl',
    'a fish',
    'a whale',
    'an octopus',
    'a snail',
  ],
  ...[
    'a butterfly',
    'a bee',
    'a ladybug',
    'a turtle',
    'a snake',
    'a horse',
    'an elephant',
    'a red rose',
    'a sunflower',
    'a pine tree',
  ],
  ...[
    'a palm tree',
    'a cactus',
    'a green leaf',
    'the sun',
    'the moon',
    'a yellow star',
    'a rainbow',
    'a cloud',
    'a snowman',
    'a fire',
  ],
  ...[
    'a drop of water',
    'a red car',
    'a bus',
    'a train',
    'a bicycle',
    'an airplane',
    'a rocket',
    'a sailboat',
    'a house',
    'a castle',
  ],
  ...[
    'a church',
    'a tent',
    'a soccer ball',
    'a basketball',
    'a guitar',
    'a drum',
    'a trumpet',
    'a crown',
    'a hat',
    'a shirt',
    'a shoe',
  ],
  ...[
    'a pair of glasses',
    'an umbrella',
    'a key',
    'a hammer',
    'scissors',
    'a book',
    'an envelope',
    'a pencil',
    'a clock',
    'a light bulb',
  ],
  ...[
    'a phone',
    'a camera',
    'a red heart',
    'a smiling face',
    'a sad face',
    'an angry face',
    'a ghost',
    'a skull',
    'a robot',
    'a balloon',
  ],
];

/** The captions of a picture that the decoder trains with. */
export function trainingCaptions(captions: readonly string[]): string[] {
  return firstTrainingCaptions(captions.filter((caption) => !composedPrompts.includes(caption)));
}

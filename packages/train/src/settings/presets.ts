/** Settings to start from. */
import { type DecoderConfig, decoderOnlyPresets, decoderPresets, llamaGenPresets } from '@dalle-mini/decoder';
import type { DecoderSettings, VqganSettings } from './settings.js';

/** The names of the presets, and what each is for. */
export const presets = {
  emoji: 'fine-tune the bundled emoji model',
  'dalle-mini': 'fine-tune DALL·E Mini',
  'dalle-mega': 'fine-tune DALL·E Mega',
  vqgan: 'train a small VQ-GAN from scratch',
  decoder: 'train a small decoder from scratch, with the VQ-GAN of the preset vqgan',
  'mini-2022': 'train the decoder of DALL·E Mini from scratch, by the published recipe',
  mega: 'train the decoder of DALL·E Mega from scratch, by the published recipe',
  'min-dall-e': 'train a decoder-only model of the size of minDALL-E from scratch',
  'llama-gen': 'train the text-conditional decoder of LlamaGen from scratch, by the published recipe',
  maskgit: 'train a masked decoder of the size of MaskGIT from scratch, with the text encoder of aMUSEd',
} as const;

export type Preset = keyof typeof presets;

export interface PresetOptions {
  /** The folder of the pictures. */
  readonly pictures: string;
  /** Captions of the pictures, which samples show. Default: no samples. */
  readonly captions?: readonly string[] | undefined;
  /** The number of pictures, from which the number of steps follows. Default 500. */
  readonly count?: number | undefined;
  /** The number of steps, from which warm-up and evaluations follow. Default: by the number of pictures. */
  readonly steps?: number | undefined;
  /** The folder of the run. Default: `runs` and the name of the preset. */
  readonly folder?: string | undefined;
  /** The model to fine-tune: a folder, a hub name or a bundled model. Default: the model that the preset is named after. */
  readonly model?: string | undefined;
  /** Whether the text encoder is trained too. Default false. */
  readonly trainTextEncoder?: boolean | undefined;
}

/** Settings, and the kind of training that they are for. */
export type PresetSettings =
  | { readonly kind: 'vqgan'; readonly settings: VqganSettings }
  | { readonly kind: 'decoder'; readonly settings: DecoderSettings };

/**
 * Returns settings for a number of pictures. The bundled model is fine-tuned for 30 epochs of 16 pictures a step, DALL·E Mini
 * for 10, and a model from scratch is trained for 120, for 100 to 5000 steps; models of published sizes from scratch, for 200,000.
 */
export function presetSettings(preset: Preset, options: PresetOptions): PresetSettings {
  const { pictures, count = 500, folder = `runs/${preset}`, model = models[preset], trainTextEncoder } = options;
  const run = { folder, dataset: { type: 'folder', path: pictures, crop: 'auto' }, seed: 1 } as const;
  const fineTune = { ...run, startFrom: model, ...(trainTextEncoder ? { textEncoder: { train: true } } : {}) };
  // About one in twenty pictures is held out.
  const trained = Math.max(1, Math.floor(0.95 * count));
  const batchSize = Math.min(16, trained);
  const stepsFor = (epochs: number) => options.steps ?? defaultSteps((epochs * trained) / batchSize);
  switch (preset) {
    case 'emoji': {
      const steps = stepsFor(30);
      const vqganSteps = Math.min(1000, defaultSteps((7 * trained) / batchSize));
      return {
        kind: 'decoder',
        settings: {
          ...fineTune,
          vqgan: {
            ...lengthOf(vqganSteps, 10),
            training: {
              // Images of 128 × 128 pixels take four times as long as those of 64 × 64.
              batchSize: Math.min(4, batchSize),
              learningRate: 5e-4,
              ...warmUp(vqganSteps),
              // The tokens keep their meaning, which the decoder knows; only how they look is learned.
              learningRates: [{ match: ['encoder.*', 'quant_conv.*', 'quantize.*'], factor: 0 }],
              absoluteErrorWeight: 0.1,
              averageDecay: 0.98,
              flip: true,
            },
          },
          ...lengthOf(steps, 10),
          // The evaluation measures the exact tokens of other pictures. It is at its best before the model draws these.
          result: 'last',
          training: {
            batchSize,
            learningRate: 3e-4,
            ...warmUp(steps),
            tokenNoise: noiseFor(trained),
            averageDecay: 0.98,
          },
          ...(options.captions?.length ? { samplePrompts: options.captions } : {}),
        },
      };
    }
    case 'dalle-mini':
    case 'dalle-mega':
      return {
        kind: 'decoder',
        settings: {
          ...fineTune,
          ...lengthOf(stepsFor(10), 1),
          earlyStopping,
          training: {
            batchSize: 1,
            accumulation: batchSize,
            // The graph of these models is large, and one step takes long.
            stepsPerRun: 1,
            optimizer: 'adafactor',
            learningRate: preset === 'dalle-mini' ? 3e-5 : 1e-5,
            ...warmUp(stepsFor(10)),
          },
        },
      };
    case 'mini-2022':
    case 'mega':
      return { kind: 'decoder', settings: { ...run, ...publishedRecipe(preset, options.steps) } };
    case 'min-dall-e':
    case 'llama-gen':
    case 'maskgit':
      return { kind: 'decoder', settings: { ...run, ...otherDecoder(preset, options.steps) } };
    case 'vqgan':
      return {
        kind: 'vqgan',
        settings: {
          ...run,
          ...lengthOf(stepsFor(120), 10),
          earlyStopping,
          model: smallVqgan,
          training: {
            batchSize,
            learningRate: 1e-3,
            ...warmUp(stepsFor(120)),
            absoluteErrorWeight: 0.1,
            averageDecay: 0.99,
            flip: true,
          },
        },
      };
    case 'decoder':
      return {
        kind: 'decoder',
        settings: {
          ...run,
          imageTokenizer: 'runs/vqgan/vqgan',
          textEncoder: { folder: 'emoji', maxLength: 24, train: trainTextEncoder },
          ...lengthOf(stepsFor(120), 10),
          earlyStopping,
          model: { width: 256, layers: 6, heads: 4, feedForwardWidth: 680 },
          training: {
            batchSize,
            learningRate: 1e-3,
            ...warmUp(stepsFor(120)),
            tokenNoise: noiseFor(trained),
            averageDecay: 0.99,
          },
        },
      };
  }
}

/**
 * The recipes with which DALL·E Mini (2022) and Mega were trained, as their reports give them: 816 and 4224 pairs a step on 8 and 256 TPU
 * cores. The text encoder is trained along from the published weights, because settings have no new one.
 */
function publishedRecipe(preset: 'mini-2022' | 'mega', steps = 200_000) {
  const isMega = preset === 'mega';
  const published = isMega ? 'dalle-mini/dalle-mega' : 'dalle-mini/dalle-mini';
  const config: DecoderConfig = decoderPresets[isMega ? 'dalle-mega' : 'dalle-mini'];
  // The other fields follow from the image tokenizer and the text encoder.
  const { width, layers, heads, feedForwardWidth, initStd } = config;
  return {
    imageTokenizer: 'dalle-mini/vqgan_imagenet_f16_16384',
    textEncoder: { folder: published, train: true },
    device: 'tpu',
    mesh: isMega ? { data: 32, model: 8 } : { data: 8 },
    ...(isMega ? { sharding: 'rules' as const } : {}),
    compute: 'bfloat16',
    ...lengthOf(steps, 1),
    model: { width, layers, heads, feedForwardWidth, ...(initStd === undefined ? {} : { initStd }) },
    training: {
      batchSize: isMega ? 44 * 32 : 34 * 8,
      accumulation: 3,
      stepsPerRun: 1,
      optimizer: 'shampoo',
      shampoo: {
        blockSize: isMega ? 2048 : 1024,
        beta1: 0.9,
        beta2: 0.99,
        graft: 'rmsprop_normalized',
        preconditionEvery: 10,
        maxDimension: 4096,
        ...(isMega ? { exclude: '*embed*' } : {}),
      },
      learningRate: 1e-4,
      warmUpSteps: Math.min(isMega ? 10_000 : 2000, Math.floor(steps / 10)),
      schedule: 'constant',
      captionDropout: 0.1,
      weightDecay: 0,
      ...(isMega ? { rematerialize: true } : {}),
    },
  } as const;
}

/**
 * The other kinds of decoders, at published sizes, for images of 256 × 256 pixels as tokens of the VQ-GAN of DALL·E Mini. `llama-gen` has the
 * published optimizer, decay, rate, batch and dropout of captions (`train_t2i.py` of LlamaGen), without its dropout of activations;
 * `maskgit` has the sizes, rate and batch of MaskGIT (Chang et al. 2022, section 4.1) and the captions of aMUSEd. minDALL-E's settings are not
 * published: it has those of `llama-gen`, and the loss of text tokens of DALL·E.
 */
function otherDecoder(preset: 'min-dall-e' | 'llama-gen' | 'maskgit', steps = 200_000) {
  const training = {
    batchSize: 256,
    stepsPerRun: 1,
    learningRate: 1e-4,
    warmUpSteps: Math.min(5000, Math.floor(steps / 10)),
    schedule: 'constant',
    captionDropout: 0.1,
    weightDecay: 0.05,
    averageDecay: 0.9999,
  } as const;
  const run = {
    imageTokenizer: 'dalle-mini/vqgan_imagenet_f16_16384',
    device: 'cuda',
    compute: 'bfloat16',
    ...lengthOf(steps, 1),
  } as const;
  switch (preset) {
    case 'min-dall-e': {
      const { kind, width, layers, heads, textLength } = decoderOnlyPresets['min-dalle-e'];
      return {
        ...run,
        textEncoder: { folder: 'dalle-mini/dalle-mini', maxLength: textLength },
        model: { kind, width, layers, heads },
        training: { ...training, textLossWeight: 1 / 7, rematerialize: true },
      };
    }
    case 'llama-gen': {
      const { kind, width, layers, heads, textLength } = llamaGenPresets.text;
      return {
        ...run,
        textEncoder: { folder: 'google/flan-t5-xl', maxLength: textLength },
        model: { kind, width, layers, heads },
        training,
      };
    }
    case 'maskgit':
      return {
        ...run,
        textEncoder: { folder: 'openai/clip-vit-large-patch14', maxLength: 77 },
        model: { kind: 'masked', width: 768, layers: 24, heads: 8, feedForwardWidth: 3072, gated: false },
        training,
        sampling: { passes: 12, guidanceScale: 3 },
      } as const;
  }
}

const earlyStopping = { patience: 4 };

const models: Readonly<Partial<Record<Preset, string>>> = {
  emoji: 'emoji',
  'dalle-mini': 'dalle-mini/dalle-mini',
  'dalle-mega': 'dalle-mini/dalle-mega',
};

/** The sizes of the bundled model. */
const smallVqgan = {
  resolution: 64,
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

/** Noise keeps a decoder from recognizing the pictures of a small dataset by their first tokens. */
const noiseFor = (trained: number): number => (trained < 20_000 ? 1 : 0);

const defaultSteps = (wanted: number): number => Math.min(5000, Math.max(100, 10 * Math.round(wanted / 10)));

const warmUp = (steps: number) => ({ warmUpSteps: Math.round(steps / 20) });

/** Returns the number of steps, and evaluations and checkpoints at about every eighth of them. */
function lengthOf(steps: number, stepsPerRun: number) {
  const often = stepsPerRun * Math.max(1, Math.round(steps / (8 * stepsPerRun)));
  return { steps, checkpointEvery: often, evaluateEvery: often };
}

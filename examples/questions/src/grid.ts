/** The questions, the runs that answer them, and their sizes. */
import type { SamplingOptions } from '@dalle-mini/core';
import type { AnyDecoderSizes } from '@dalle-mini/decoder';
import type { DecoderTrainingConfig } from '@dalle-mini/train';

/** Pretrained text encoders: MiniLM is that of the bundled model, the others come from Python packages (see `encoders.py`). */
export type EncoderName = 'all-MiniLM-L6-v2' | 'paraphrase-MiniLM-L3-v2' | 'glove-6b-50d' | 'static-64d';

/** How captions reach the decoder. */
export interface TextVariant {
  /** Default `all-MiniLM-L6-v2`. */
  readonly encoder?: EncoderName | undefined;
  /** Only the first layers of MiniLM, of six. Default: all. */
  readonly layers?: number | undefined;
  /**
   * `frozen`, the default; `trained` along; `new`, with random weights and trained along; `none`: every caption is empty; `tokens`: the
   * decoder has its own embeddings of words.
   */
  readonly training?: 'frozen' | 'trained' | 'new' | 'none' | 'tokens' | undefined;
}

/** Which half of the VQ-GAN of the bundled model was fine-tuned on the images: nothing, pixels from tokens, or both. */
export type VqganName = 'bundled' | 'decoding' | 'both';

/** How images are generated for the evaluation. */
export interface Generation {
  readonly sampling?: SamplingOptions | undefined;
  /** Default `bundled`, or the one that made the tokens of the run. */
  readonly vqgan?: VqganName | undefined;
}

/** What a run changes in the common recipe. */
export interface Run {
  readonly text?: TextVariant | undefined;
  readonly model?: Partial<AnyDecoderSizes> | undefined;
  readonly training?: Partial<Omit<DecoderTrainingConfig, 'model'>> | undefined;
  /** The VQ-GAN whose tokens are learned. Default `bundled`. */
  readonly vqgan?: 'bundled' | 'both' | undefined;
  /** By name. Default: one, `default`, with guidance 2. */
  readonly generations?: Readonly<Record<string, Generation>> | undefined;
  /** Measures the held-out loss during training, for comparisons at equal seconds. */
  readonly curve?: boolean | undefined;
}

/** Whether all cells only show that they run, with one seed. */
const isSmall = process.argv.includes('--small');

export const seeds: readonly number[] = isSmall ? [1] : [1, 2, 3];

/** Food, plants and animals: ranges of code points, which seven sets drew. */
export const concepts: readonly string[] = [
  [0x1f32d, isSmall ? 0x1f33c : 0x1f37f],
  ...(isSmall ? [] : [[0x1f400, 0x1f43f]]),
].flatMap(([first, last]) =>
  Array.from({ length: last! - first! + 1 }, (_, i) => (first! + i).toString(16).toUpperCase()),
);

export const imageSize = 64;
export const maxCaptionLength = 16;

/** The decoder of every run, before a run changes it. */
export const model = { width: 64, layers: 2, heads: 4, feedForwardWidth: 172 } as const;

export const training: Omit<DecoderTrainingConfig, 'model'> = {
  batchSize: 16,
  learningRate: 3e-3,
  warmUpSteps: isSmall ? 10 : 20,
  // A constant rate, so that curves of runs can be compared at any step, and averages instead of a decay.
  schedule: 'constant',
  averageDecay: 0.95,
  captionDropout: 0.1,
  tokenNoise: 1,
};

export const steps = isSmall ? 40 : 480;

/** Measurements of the held-out loss for a curve. */
export const curvePoints = isSmall ? 1 : 6;

/** Steps of fine-tuning the VQ-GAN. */
export const vqganSteps = isSmall ? 20 : 100;

/** Images that are generated for the evaluation: of each concept once or, in a small study, of two concepts. */
export const generated = isSmall ? 2 : concepts.length;

export const sampling: SamplingOptions = { temperature: 0.4, topK: 64, guidanceScale: 2 };

const guidance = (guidanceScale: number): Generation => ({ sampling: { guidanceScale } });
const passes = (count: number): Generation => ({ sampling: { passes: count } });

/** A text encoder that is trained along learns slowly: at the rate of the decoder it forgets what it knew. */
const encoderRates = [{ match: 'text_encoder.*', factor: 0.1 }];

/** The runs by name. */
export const runs = {
  common: {
    curve: true,
    generations: {
      default: {},
      'guidance 1': guidance(1),
      'guidance 4': guidance(4),
      'VQ-GAN decoding': { vqgan: 'decoding' },
    },
  },
  adafactor: { curve: true, training: { optimizer: 'adafactor' } },
  shampoo: {
    curve: true,
    training: {
      optimizer: 'shampoo',
      shampoo: {
        blockSize: 64,
        beta2: 0.99,
        preconditionFrom: isSmall ? 12 : 25,
        preconditionEvery: 10,
        maxDimension: 1024,
      },
    },
  },
  muon: { curve: true, training: { optimizer: 'muon' } },
  'one-layer-frozen': { text: { layers: 1 } },
  'one-layer-trained': { text: { layers: 1, training: 'trained' }, training: { learningRates: encoderRates } },
  'one-layer-new': { text: { layers: 1, training: 'new' }, training: { learningRates: encoderRates } },
  'no-captions': { text: { training: 'none' }, generations: { default: guidance(1) } },
  'three-layers': { text: { layers: 3 } },
  paraphrase: { text: { encoder: 'paraphrase-MiniLM-L3-v2' } },
  glove: { text: { encoder: 'glove-6b-50d' } },
  static: { text: { encoder: 'static-64d' } },
  fixed: { text: { training: 'tokens' }, model: { kind: 'decoder-only', text: 'fixed' } },
  separator: { text: { training: 'tokens' }, model: { kind: 'decoder-only', text: 'separator' } },
  'separator-images': {
    text: { training: 'tokens' },
    model: { kind: 'decoder-only', text: 'separator' },
    training: { textLossWeight: 0 },
  },
  'swin-relative': { model: { absolutePositions: false, relativePositions: true } },
  'learned-and-relative': { model: { relativePositions: true } },
  'swin-cosine': { model: { relativePositions: true, cosineAttention: true } },
  rope: { model: { kind: 'llama-gen' } },
  'pre-norm': { model: { normPositions: 'preln' } },
  deepnet: { model: { normPositions: 'postln', deepnetScaling: true } },
  'sub-ln': { model: { normPositions: 'subln', sublnInit: true } },
  'init-0.01': { model: { initStd: 0.01 } },
  'no-dropout': { training: { captionDropout: 0 }, generations: { 'guidance 1': guidance(1), default: {} } },
  'dropout-0.2': { training: { captionDropout: 0.2 } },
  masked: {
    model: { kind: 'masked' },
    generations: { '4 passes': passes(4), '8 passes': passes(8), '12 passes': passes(12) },
  },
  'vqgan-both': { vqgan: 'both' },
} as const satisfies Readonly<Record<string, Run>>;

export type RunName = keyof typeof runs;

/** One answer to a question: a run, and one of its generations. */
export interface Variant {
  readonly name: string;
  readonly run: RunName;
  /** Default: the first. */
  readonly generation?: string | undefined;
}

/** What decides. `lossInTime` is the held-out loss at the time at which the fastest variant has ended. */
export type Measure = 'loss' | 'lossInTime' | 'top5';

export interface Question {
  readonly id: string;
  readonly question: string;
  /** What the field has published about it. */
  readonly published: string;
  readonly decides: Measure;
  readonly variants: readonly Variant[];
  /** What the comparison does not tell. */
  readonly caution?: string | undefined;
}

const optimizers: readonly Variant[] = [
  { name: 'AdamW', run: 'common' },
  { name: 'Adafactor', run: 'adafactor' },
  { name: 'Shampoo', run: 'shampoo' },
  { name: 'Muon', run: 'muon' },
];
const shampooPublished =
  "DALL·E Mini's authors report Distributed Shampoo before Adam and Adafactor (200 M parameters, batch 1,216).";

export const questions: readonly Question[] = [
  {
    id: 'optimizer',
    question: 'Does Shampoo or Muon learn more from the same tokens than AdamW or Adafactor?',
    published: shampooPublished,
    decides: 'loss',
    caution: 'All have the same learning rate, which may suit one better than another.',
    variants: optimizers,
  },
  {
    id: 'optimizer-seconds',
    question: 'Does Shampoo or Muon learn more in the same time than AdamW or Adafactor?',
    published: shampooPublished,
    decides: 'lossInTime',
    caution:
      'The loss is read from the curve of each run at the processor time at which the fastest variant has ended. Steps of such small models are short, so that what an optimizer adds to a step counts for more than in a large one.',
    variants: optimizers,
  },
  {
    id: 'text-encoder',
    question: 'Should a pretrained text encoder be frozen or trained along?',
    published: "DALL·E Mini's was trained along; LlamaGen, Muse, Imagen and aMUSEd freeze theirs.",
    decides: 'loss',
    caution:
      'The encoder is the first layer of MiniLM, so that training it is cheap. When it is trained, it has a tenth of the learning rate of the decoder: with the whole rate, a first run ended at a held-out loss of 6.934, far behind the frozen one.',
    variants: [
      { name: 'frozen', run: 'one-layer-frozen' },
      { name: 'trained', run: 'one-layer-trained' },
      { name: 'from nothing', run: 'one-layer-new' },
      { name: 'no captions', run: 'no-captions' },
    ],
  },
  {
    id: 'encoders',
    question: 'Which frozen text encoder is best, and how large must it be?',
    published: 'LlamaGen uses FLAN-T5-XL, Muse and Imagen T5-XXL, aMUSEd CLIP.',
    decides: 'loss',
    caution:
      'Captions of this data are short names. Encoders of the published size are not in a package registry, and were not measured.',
    variants: [
      { name: 'all-MiniLM-L6-v2', run: 'common' },
      { name: 'MiniLM, first 3 layers', run: 'three-layers' },
      { name: 'MiniLM, first layer', run: 'one-layer-frozen' },
      { name: 'paraphrase-MiniLM-L3-v2', run: 'paraphrase' },
      { name: 'GloVe 6B, width 50', run: 'glove' },
      { name: 'Model2Vec, width 64', run: 'static' },
    ],
  },
  {
    id: 'inputs',
    question:
      'Should captions be attended to, or be in one sequence with the image, of fixed length or before a separator?',
    published: 'DALL·E Mini attends to 64 fixed tokens; DALL·E, DALLE-pytorch and minDALL-E have one sequence.',
    decides: 'loss',
    caution: 'No variant has seen text before: all learn words from these captions.',
    variants: [
      { name: 'cross-attention', run: 'one-layer-new' },
      { name: 'one sequence, fixed', run: 'fixed' },
      { name: 'separator', run: 'separator' },
      { name: 'separator, no text loss', run: 'separator-images' },
    ],
  },
  {
    id: 'positions',
    question: 'Which positions should the decoder have?',
    published:
      "DALL·E Mini's are learned; Swin's relative ones and cosine attention were tried and not kept. LlamaGen has 2D RoPE.",
    decides: 'loss',
    caution: '2D RoPE comes with the rest of LlamaGen: captions before the image instead of cross-attention, RMSNorm.',
    variants: [
      { name: 'learned', run: 'common' },
      { name: 'Swin relative', run: 'swin-relative' },
      { name: 'both', run: 'learned-and-relative' },
      { name: 'Swin v2 cosine', run: 'swin-cosine' },
      { name: '2D RoPE (LlamaGen)', run: 'rope' },
    ],
  },
  {
    id: 'norms',
    question: 'Which norms and first weights should the decoder have?',
    published:
      'Plain BART spiked; NormFormer with gated linear units was chosen. Mini was initialized with 0.02, Mega with 0.01.',
    decides: 'loss',
    caution: 'Two layers do not show how deep models spike.',
    variants: [
      { name: 'NormFormer', run: 'common' },
      { name: 'pre-norm', run: 'pre-norm' },
      { name: 'post-norm, DeepNet', run: 'deepnet' },
      { name: 'sub-LN', run: 'sub-ln' },
      { name: 'NormFormer, 0.01', run: 'init-0.01' },
    ],
  },
  {
    id: 'guidance',
    question: 'How much guidance, and how much caption dropout does it need?',
    published: 'DALL·E Mini and Mega were trained with 10 % blank captions.',
    decides: 'top5',
    variants: [
      { name: '0 %, guidance 1', run: 'no-dropout' },
      { name: '0 %, guidance 2', run: 'no-dropout', generation: 'default' },
      { name: '10 %, guidance 1', run: 'common', generation: 'guidance 1' },
      { name: '10 %, guidance 2', run: 'common' },
      { name: '10 %, guidance 4', run: 'common', generation: 'guidance 4' },
      { name: '20 %, guidance 2', run: 'dropout-0.2' },
    ],
  },
  {
    id: 'masked',
    question: 'Does masked parallel decoding draw as well as autoregressive decoding after the same training?',
    published: 'aMUSEd generates 256² or 512² images in 12 passes.',
    decides: 'top5',
    caution: 'The losses are of other tokens, and cannot be compared.',
    variants: [
      { name: 'autoregressive', run: 'common' },
      { name: 'masked, 4 passes', run: 'masked' },
      { name: 'masked, 8 passes', run: 'masked', generation: '8 passes' },
      { name: 'masked, 12 passes', run: 'masked', generation: '12 passes' },
    ],
  },
  {
    id: 'vqgan',
    question: 'Is a VQ-GAN that is fine-tuned on the images better?',
    published: 'Mini and Mega use the plain one of ImageNet; a fine-tuned one was made for faces in 2021.',
    decides: 'top5',
    caution:
      'The bundled VQ-GAN has seen these images among others in its training, so that there is less to gain than on new ones. Losses of other tokens cannot be compared.',
    variants: [
      { name: 'as it is', run: 'common' },
      { name: 'decoding half', run: 'common', generation: 'VQ-GAN decoding' },
      { name: 'both halves', run: 'vqgan-both' },
    ],
  },
];

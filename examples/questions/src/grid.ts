/** The questions, the variants that answer them, and the sizes of all runs. */
import type { DecoderConfig } from '@dalle-mini/decoder';
import type { DecoderTrainingConfig } from '@dalle-mini/train';

/** How captions reach the decoder. */
export interface TextVariant {
  /** MiniLM as it is, trained along, or with random weights and trained along; or every caption is empty. Default `frozen`. */
  readonly encoder?: 'frozen' | 'trained' | 'new' | 'none' | undefined;
  /** Only the first layers of MiniLM, of six. Default: all. */
  readonly layers?: number | undefined;
}

/** One answer to a question: what it changes in the common recipe. */
export interface Variant {
  readonly name: string;
  readonly text?: TextVariant | undefined;
  readonly model?: Partial<DecoderConfig> | undefined;
  readonly training?: Partial<Omit<DecoderTrainingConfig, 'model'>> | undefined;
  /** Of the images that the evaluation generates. Default 2. */
  readonly guidanceScale?: number | undefined;
}

export interface Question {
  readonly id: string;
  readonly question: string;
  /** What the field has published about it. */
  readonly published: string;
  /** The measure that decides. The held-out loss of variants must be comparable. */
  readonly decides: 'loss' | 'top1';
  readonly variants: readonly Variant[];
}

/** The path of the run of a variant with a seed. Variants that change nothing have one run for all questions. */
export function pathOf({ id }: Question, { name, ...changes }: Variant, seed: number): string {
  return Object.keys(changes).length === 0 ? `common/${seed}` : `${id}/${name}/${seed}`;
}

/** Whether all cells only show that they run, with one seed. */
const isSmall = process.argv.includes('--small');

export const seeds: readonly number[] = isSmall ? [1] : [1, 2, 3];

/** Food, plants and animals: ranges of code points, which seven sets drew. */
export const concepts: readonly string[] = [
  [0x1f32d, isSmall ? 0x1f340 : 0x1f37f],
  ...(isSmall ? [] : [[0x1f400, 0x1f43f]]),
].flatMap(([first, last]) =>
  Array.from({ length: last! - first! + 1 }, (_, i) => (first! + i).toString(16).toUpperCase()),
);

export const imageSize = 64;
export const maxCaptionLength = 16;

/** The decoder of every run, before a variant changes it. */
export const model: Omit<DecoderConfig, 'vocabularySize' | 'gridSize' | 'textWidth'> = {
  width: 64,
  layers: 2,
  heads: 4,
  feedForwardWidth: 172,
};

export const training: Omit<DecoderTrainingConfig, 'model'> = {
  batchSize: 16,
  learningRate: 3e-3,
  warmUpSteps: isSmall ? 10 : 20,
  captionDropout: 0.1,
  tokenNoise: 1,
};

export const steps = isSmall ? 20 : 200;

/** Captions of trained concepts whose images are compared with real ones. */
export const generated = isSmall ? 2 : 40;

const shampoo = {
  blockSize: 64,
  beta2: 0.99,
  preconditionFrom: isSmall ? 12 : 25,
  preconditionEvery: 10,
  maxDimension: 1024,
};

export const questions: readonly Question[] = [
  {
    id: 'optimizer',
    question: 'Does Shampoo or Muon learn more from the same tokens than AdamW or Adafactor?',
    published:
      "DALL·E Mini's authors report Distributed Shampoo before Adam and Adafactor (200 M parameters, batch 1,216).",
    decides: 'loss',
    variants: [
      { name: 'AdamW' },
      { name: 'Adafactor', training: { optimizer: 'adafactor' } },
      { name: 'Shampoo', training: { optimizer: 'shampoo', shampoo } },
      { name: 'Muon', training: { optimizer: 'muon' } },
    ],
  },
  {
    id: 'text-encoder',
    question: 'Should a pretrained text encoder be frozen or trained along?',
    published: "DALL·E Mini's was trained along; LlamaGen, Muse, Imagen and aMUSEd freeze theirs.",
    decides: 'loss',
    variants: [
      { name: 'frozen' },
      { name: 'trained', text: { encoder: 'trained' } },
      { name: 'from nothing', text: { encoder: 'new' } },
      { name: 'none', text: { encoder: 'none' } },
    ],
  },
  {
    id: 'text-encoder-size',
    question: 'How large must a frozen text encoder be?',
    published: 'LlamaGen uses FLAN-T5-XL, Muse and Imagen T5-XXL, aMUSEd CLIP.',
    decides: 'loss',
    variants: [
      { name: '6 layers' },
      { name: '3 layers', text: { layers: 3 } },
      { name: '1 layer', text: { layers: 1 } },
    ],
  },
  {
    id: 'positions',
    question: 'Which positions should the decoder have?',
    published:
      "DALL·E Mini's are learned; Swin's relative ones and cosine attention were tried and not kept. LlamaGen has 2D RoPE.",
    decides: 'loss',
    variants: [
      { name: 'learned' },
      { name: 'Swin relative', model: { absolutePositions: false, relativePositions: true } },
      { name: 'both', model: { relativePositions: true } },
      { name: 'Swin v2 cosine', model: { relativePositions: true, cosineAttention: true } },
    ],
  },
  {
    id: 'norms',
    question: 'Which norms and first weights should the decoder have?',
    published:
      'Plain BART spiked; NormFormer with gated linear units was chosen. Mini was initialized with 0.02, Mega with 0.01.',
    decides: 'loss',
    variants: [
      { name: 'NormFormer' },
      { name: 'pre-norm', model: { normPositions: 'preln' } },
      { name: 'post-norm, DeepNet', model: { normPositions: 'postln', deepnetScaling: true } },
      { name: 'sub-LN', model: { normPositions: 'subln', sublnInit: true } },
      { name: 'NormFormer, 0.01', model: { initStd: 0.01 } },
    ],
  },
  {
    id: 'guidance',
    question: 'How much caption dropout does guidance need?',
    published: 'DALL·E Mini and Mega were trained with 10 % blank captions.',
    decides: 'top1',
    variants: [
      { name: '0 %, guidance 1', training: { captionDropout: 0 }, guidanceScale: 1 },
      { name: '10 %, guidance 1', guidanceScale: 1 },
      { name: '10 %, guidance 2' },
      { name: '10 %, guidance 4', guidanceScale: 4 },
      { name: '20 %, guidance 2', training: { captionDropout: 0.2 } },
    ],
  },
];

/** Questions that need models which this program does not train yet. */
export const unanswered: readonly { readonly question: string; readonly published: string }[] = [
  {
    question:
      'Should captions be attended to, or be in one sequence with the image, of fixed length or before a separator?',
    published: 'DALL·E Mini attends to 64 fixed tokens; DALL·E, DALLE-pytorch and minDALL-E have one sequence.',
  },
  {
    question: 'Is a VQ-GAN that is fine-tuned on the images better than the published one?',
    published: 'Mini and Mega use the plain one of ImageNet; a fine-tuned one was made for faces in 2021.',
  },
  {
    question: 'Does masked parallel decoding draw as well as autoregressive decoding for the same work?',
    published: 'aMUSEd generates 256² or 512² images in 12 passes.',
  },
];

/** The models of the training benchmark. Those in `peers/` have the same operations. */
import type { Random } from '@dalle-mini/core';
import {
  abs,
  add,
  crossEntropy,
  gelu,
  mean,
  mul,
  type ParameterScope,
  range,
  type Shape,
  sizeOf,
  sub,
  type Tensor,
  type TensorData,
} from '@dalle-mini/graph';
import { normal } from '@dalle-mini/graph/initializers';
import {
  causalMask,
  dotProductAttention,
  embedding,
  layerNorm,
  linear,
  meanSquaredError,
  mergeHeads,
  splitHeads,
} from '@dalle-mini/graph/layers';
import { adamW, type TrainingOptions } from '@dalle-mini/graph/training';
import { lpips } from '@dalle-mini/perceptual';
import { reconstruct, type VqganConfig } from '@dalle-mini/vqgan';
import { adversarialTerm, hingeAdversary } from './adversary.js';

/** A model with its training setup and data. */
export interface TrainingBenchmark {
  /** What is counted, and how many of it one step trains on. */
  readonly unit: 'tokens' | 'images';
  readonly items: number;
  readonly learningRate: number;
  readonly training: Omit<TrainingOptions, 'stepsPerRun'>;
  /** Samples the batch that every step trains on. */
  readonly batch: (random: Random) => Readonly<Record<string, TensorData>>;
}

export type ModelName = 'decoder' | 'vqgan' | 'vqgan-adversarial';

// ------------------------------------------------------------------------------------- peers/train_decoder.py

const gpt = { vocabulary: 1024, length: 192, width: 384, layers: 6, heads: 6, batch: 16 };

/** A GPT in nanoGPT's form, without biases: tokens, int32 `[batch, length]`, to logits `[batch, length, vocabulary]`. */
function decoder(scope: ParameterScope, tokens: Tensor): Tensor {
  const { vocabulary, length, width, layers, heads } = gpt;
  const into = { bias: false, initializer: normal(0.02) };
  const outOf = { bias: false, initializer: normal(0.02 / Math.sqrt(2 * layers)) };
  const mask = causalMask(length);
  let x = add(
    embedding(scope.in('tokens'), tokens, vocabulary, width),
    embedding(scope.in('positions'), range(length), length, width),
  );
  for (let layer = 0; layer < layers; layer++) {
    const block = scope.in('blocks').in(layer);
    const h = layerNorm(block.in('attention_norm'), x, { bias: false });
    // The PyTorch model has the three matrices in one, and splits the product.
    const [q, k, v] = ['q', 'k', 'v'].map((name) => splitHeads(linear(block.in(name), h, width, into), heads));
    const attended = mergeHeads(dotProductAttention(q!, k!, v!, mask));
    x = add(x, linear(block.in('attention_out'), attended, width, outOf));
    const hidden = linear(block.in('mlp_in'), layerNorm(block.in('mlp_norm'), x, { bias: false }), 4 * width, into);
    x = add(x, linear(block.in('mlp_out'), gelu(hidden), width, outOf));
  }
  return linear(scope.in('head'), layerNorm(scope.in('norm'), x, { bias: false }), vocabulary, into);
}

const decoderBenchmark: TrainingBenchmark = {
  unit: 'tokens',
  items: gpt.batch * gpt.length,
  learningRate: 3e-4,
  training: {
    batch: {
      tokens: { shape: [gpt.batch, gpt.length], dtype: 'int32' },
      labels: { shape: [gpt.batch, gpt.length], dtype: 'int32' },
    },
    loss: (scope, { tokens, labels }) => ({ loss: mean(crossEntropy(decoder(scope, tokens!), labels!)) }),
    // Matrices decay and the gains of layer normalization do not, by default.
    optimizer: adamW({ beta1: 0.9, beta2: 0.95, weightDecay: 0.1 }),
    clipNorm: 1,
  },
  batch: (random) => {
    const sequences = Array.from({ length: gpt.batch }, () =>
      Int32Array.from({ length: gpt.length + 1 }, () => random.integer(gpt.vocabulary)),
    );
    const rows = (start: number): TensorData => ({
      dtype: 'int32',
      shape: [gpt.batch, gpt.length],
      data: Int32Array.from(sequences.flatMap((sequence) => [...sequence.subarray(start, start + gpt.length)])),
    });
    return { tokens: rows(0), labels: rows(1) };
  },
};

// --------------------------------------------------------------------------------------- peers/train_vqgan.py

const vqgan: VqganConfig = {
  resolution: 64,
  inChannels: 3,
  ch: 32,
  chMult: [1, 2, 4],
  numResBlocks: 1,
  attnResolutions: [],
  zChannels: 64,
  embedDim: 64,
  nEmbed: 1024,
};
const imageShape: Shape = [8, vqgan.inChannels, vqgan.resolution, vqgan.resolution];

const images = { shape: imageShape, dtype: 'float32' } as const;
const imageBatch = (random: Random): Readonly<Record<string, TensorData>> => ({
  images: { ...images, data: Float32Array.from({ length: sizeOf(imageShape) }, () => 2 * random.uniform() - 1) },
});

const vqganBenchmark: TrainingBenchmark = {
  unit: 'images',
  items: imageShape[0]!,
  learningRate: 2e-4,
  training: {
    batch: { images },
    loss: (scope, { images }) => {
      const result = reconstruct(scope, images!, vqgan);
      const quantizationLoss = add(result.codebookLoss, mul(result.commitmentLoss, 0.25));
      return { loss: add(meanSquaredError(result.images, images!), quantizationLoss) };
    },
    // The default of PyTorch's AdamW: all parameters decay.
    optimizer: adamW({ weightDecay: 0.01, decays: () => true }),
  },
  batch: imageBatch,
};

const perceptualPrefix = 'loss.perceptual.';

/** Taming's losses, with LlamaGen's fixed weight of the adversarial term: absolute error, LPIPS with VGG16, and a discriminator. */
const adversarialBenchmark: TrainingBenchmark = {
  ...vqganBenchmark,
  training: {
    ...vqganBenchmark.training,
    loss: (scope, { images }) => {
      const result = reconstruct(scope, images!, vqgan);
      const perceptual = mean(lpips(scope.in('loss').in('perceptual'), 'vgg16', result.images, images!));
      const terms = [
        mean(abs(sub(result.images, images!))),
        perceptual,
        adversarialTerm(scope, result.images),
        result.codebookLoss,
        mul(result.commitmentLoss, 0.25),
      ];
      return { loss: terms.reduce((total, term) => add(total, term)) };
    },
    // LPIPS is not trained.
    rateFactor: (name) => (name.startsWith(perceptualPrefix) ? 0 : 1),
    adversary: hingeAdversary(vqgan, vqganBenchmark.training.optimizer),
  },
};

export const benchmarks: Readonly<Record<ModelName, TrainingBenchmark>> = {
  decoder: decoderBenchmark,
  vqgan: vqganBenchmark,
  'vqgan-adversarial': adversarialBenchmark,
};

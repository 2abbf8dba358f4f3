/** The models of the training benchmark. Those in `peers/` have the same operations. */
import type { Random } from '@dalle-mini/core';
import {
  add,
  crossEntropy,
  gelu,
  mean,
  mul,
  type ParameterScope,
  range,
  type Shape,
  sizeOf,
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
import { reconstruct, type VqganConfig } from '@dalle-mini/vqgan';

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

export type ModelName = 'decoder' | 'vqgan';

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

const vqganBenchmark: TrainingBenchmark = {
  unit: 'images',
  items: imageShape[0]!,
  learningRate: 2e-4,
  training: {
    batch: { images: { shape: imageShape, dtype: 'float32' } },
    loss: (scope, { images }) => {
      const result = reconstruct(scope, images!, vqgan);
      const quantizationLoss = add(result.codebookLoss, mul(result.commitmentLoss, 0.25));
      return { loss: add(meanSquaredError(result.images, images!), quantizationLoss) };
    },
    // The default of PyTorch's AdamW: all parameters decay.
    optimizer: adamW({ weightDecay: 0.01, decays: () => true }),
  },
  batch: (random) => ({
    images: {
      dtype: 'float32',
      shape: imageShape,
      data: Float32Array.from({ length: sizeOf(imageShape) }, () => 2 * random.uniform() - 1),
    },
  }),
};

export const benchmarks: Readonly<Record<ModelName, TrainingBenchmark>> = {
  decoder: decoderBenchmark,
  vqgan: vqganBenchmark,
};

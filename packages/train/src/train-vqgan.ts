import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Dataset } from '@dalle-mini/data';
import {
  abs,
  adamW,
  add,
  cosineDecay,
  createRandom,
  fill,
  mean,
  meanSquaredError,
  mul,
  type ParameterScope,
  reshape,
  sampleInteger,
  scatterAdd,
  sub,
  type Tensor,
  type TensorData,
  warmUp,
} from '@dalle-mini/graph';
import { checkVqganConfig, pixelsToRows, reconstruct, type VqganConfig, VqganTokenizer } from '@dalle-mini/vqgan';
import { peakSignalToNoise, writeImage } from './images.js';
import { writeSampleSheet } from './sample-sheet.js';
import { type RunOptions, runTraining } from './trainer.js';

export interface VqganTrainingConfig {
  readonly model: VqganConfig;
  readonly batchSize: number;
  /** Steps that one run of the graph takes. Default 10. */
  readonly stepsPerRun?: number;
  readonly learningRate: number;
  /** Steps over which the learning rate rises; it then falls along a cosine to a twentieth. */
  readonly warmUpSteps: number;
  readonly weightDecay?: number;
  /** Weight of the mean absolute error beside the mean squared error, which weighs 1. Default 0. */
  readonly absoluteErrorWeight?: number;
  /** Weight of the commitment loss beside the codebook loss, which weighs 1. Default 0.25 (van den Oord et al. 2017). */
  readonly commitmentWeight?: number;
  /** Codes that no vector chose over this many steps start again from a vector of the last batch. Default 100; 0 never. */
  readonly restartEvery?: number;
  /** Decay of the moving average of the parameters that is the result. Default none. */
  readonly averageDecay?: number;
  /** Whether half of the pictures are mirrored. Default false. */
  readonly mirror?: boolean;
}

export interface VqganTraining extends RunOptions {
  readonly config: VqganTrainingConfig;
  /** Pictures of the model's resolution. */
  readonly dataset: Dataset;
  /** Which picture comes at a position of the endless stream of training pictures. */
  readonly order: (position: number) => number;
  /** Pictures that training does not see, for evaluation. */
  readonly evaluation: Dataset;
  /** Pictures of `evaluation` that are used. Default 256. */
  readonly evaluationSize?: number;
  /** Parameters to start from: fine-tuning. */
  readonly parameters?: ReadonlyMap<string, TensorData>;
}

/**
 * Trains or fine-tunes a VQ-GAN on pictures: mean squared and absolute error, with the codebook's and the commitment loss.
 * The folder gets checkpoints, `metrics.jsonl`, and a sheet of pictures with their reconstructions.
 *
 * Resolves to the parameters, named as in Taming's checkpoints.
 */
export async function trainVqgan(options: VqganTraining): Promise<Map<string, TensorData>> {
  const { config, dataset, order, seed, steps } = options;
  const { model, batchSize, stepsPerRun = 10, restartEvery = 100, mirror = false } = config;
  checkVqganConfig(model);
  const size = model.resolution;
  const imageLength = 3 * size * size;

  const readBatch = async (step: number) => {
    const images = new Float32Array(batchSize * imageLength);
    const mirroring = createRandom(seed, step);
    await Promise.all(
      Array.from({ length: batchSize }, async (_, i) => {
        const mirrored = mirror && (mirroring() & 1) === 1;
        const { image } = await dataset.get(order(step * batchSize + i));
        writeImage(image, images, i * imageLength, mirrored);
      }),
    );
    return { images };
  };

  const warmUpRate = warmUp(
    config.warmUpSteps,
    cosineDecay(config.learningRate, steps - config.warmUpSteps, config.learningRate / 20),
  );
  return runTraining({
    ...options,
    training: {
      batch: { images: { shape: [batchSize, 3, size, size], dtype: 'float32' } },
      loss: (scope, { images }) => vqganLoss(scope, images!, config),
      optimizer: adamW({ beta2: 0.99, weightDecay: config.weightDecay ?? 0 }),
      stepsPerRun,
      clipNorm: 1,
      ...(config.averageDecay === undefined ? {} : { averageDecay: config.averageDecay }),
    },
    learningRate: warmUpRate,
    fingerprint: createHash('sha256')
      .update(JSON.stringify({ kind: 'vqgan', config, seed, steps }))
      .digest('hex'),
    batch: readBatch,
    memory: new Map([[codeCounts, [model.nEmbed]]]),
    afterRun: (state, outputs, step) => {
      if (restartEvery > 0) restartCodes(state, outputs, { step, steps, every: restartEvery, seed, config: model });
    },
    evaluate: (parameters, step) => evaluateVqgan(options, parameters, step),
  });
}

function vqganLoss(scope: ParameterScope, images: Tensor, config: VqganTrainingConfig) {
  const result = reconstruct(scope, images, config.model);
  const squaredError = meanSquaredError(result.images, images);
  const absoluteError = mean(abs(sub(result.images, images)));
  const error = add(squaredError, mul(absoluteError, config.absoluteErrorWeight ?? 0));
  const quantization = add(result.codebookLoss, mul(result.commitmentLoss, config.commitmentWeight ?? 0.25));
  const vectors = pixelsToRows(result.vectors);
  const counts = scatterAdd(result.tokens, fill([result.tokens.shape[0]!, 1], 1), config.model.nEmbed);
  return {
    loss: add(error, quantization),
    metrics: {
      squaredError,
      absoluteError,
      codebookLoss: result.codebookLoss,
      codeCounts: reshape(counts, [-1]),
      vectors,
    },
  };
}

/** How often each code was chosen since codes were last restarted. */
const codeCounts = 'memory/codeCounts';

/** Moves codes that were not used to vectors of the last batch, so that the whole codebook serves; none in the last fifth. */
function restartCodes(
  state: ReadonlyMap<string, Float32Array>,
  outputs: Readonly<Record<string, TensorData>>,
  {
    step,
    steps,
    every,
    seed,
    config,
  }: { step: number; steps: number; every: number; seed: number; config: VqganConfig },
): void {
  const { nEmbed, embedDim } = config;
  const totals = state.get(codeCounts)!;
  for (const [i, count] of outputs.codeCounts!.data.entries()) totals[i % nEmbed]! += count;
  if (step % every !== 0 || step > 0.8 * steps) return;
  const { data, shape } = outputs.vectors!;
  const [, rows] = shape as [number, number, number];
  const lastBatch = data.subarray(data.length - rows * embedDim);
  const random = createRandom(seed, step);
  const embedding = 'quantize.embedding.weight';
  for (let code = 0; code < nEmbed; code++) {
    if (totals[code]! > 0) continue;
    const row = sampleInteger(random, rows);
    const vector = lastBatch.subarray(row * embedDim, (row + 1) * embedDim);
    for (const name of [embedding, `average/${embedding}`]) state.get(name)?.set(vector, code * embedDim);
    for (const slot of ['mean', 'square']) {
      state.get(`optimizer/${slot}/${embedding}`)!.fill(0, code * embedDim, (code + 1) * embedDim);
    }
  }
  totals.fill(0);
}

/** Peak signal-to-noise ratio and share of the codes that serve on pictures that training does not see; writes a sheet. */
async function evaluateVqgan(options: VqganTraining, parameters: ReadonlyMap<string, TensorData>, step: number) {
  const { config, evaluation, evaluationSize = 256, folder, runtime } = options;
  const tokenizer = new VqganTokenizer(config.model, parameters, runtime);
  try {
    const count = Math.min(evaluationSize, evaluation.length);
    const stride = evaluation.length / count;
    const images = await Promise.all(
      Array.from({ length: count }, async (_, i) => (await evaluation.get(Math.floor(i * stride))).image),
    );
    const grids = await tokenizer.encode(images);
    const decoded = await tokenizer.decode(grids);
    const ratios = images.map((image, i) => peakSignalToNoise(image, decoded[i]!));
    const used = new Set(grids.flatMap((grid) => [...grid]));
    const shown = images.slice(0, 32).flatMap((image, i) => [image, decoded[i]!]);
    await writeSampleSheet(join(folder, `reconstructions-${String(step).padStart(8, '0')}.png`), shown, 16);
    return {
      evaluationPsnr: ratios.reduce((sum, ratio) => sum + ratio, 0) / count,
      evaluationCodesUsed: used.size / config.model.nEmbed,
    };
  } finally {
    await tokenizer.dispose();
  }
}

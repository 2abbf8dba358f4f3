import { join } from 'node:path';
import { createRandom, type Random, uniform } from '@dalle-mini/core';
import { type Dataset, flipHorizontally } from '@dalle-mini/data';
import {
  abs,
  adamW,
  add,
  fill,
  mean,
  meanSquaredError,
  mul,
  type ParameterScope,
  reshape,
  scatterAdd,
  sub,
  type Tensor,
  type TensorData,
} from '@dalle-mini/graph';
import {
  checkVqganConfig,
  pixelsToRows,
  reconstruct,
  type VqganConfig,
  VqganTokenizer,
  writePixels,
} from '@dalle-mini/vqgan';
import { peakSignalToNoise } from './evaluation/peak-signal-to-noise.js';
import { writeSampleSheet } from './evaluation/sample-sheet.js';
import { spread } from './evaluation/spread.js';
import { fileStep } from './run/checkpoint.js';
import {
  checkField,
  checkTrainingConfig,
  learningRateOf,
  type TrainingConfig,
  trainingDefaults,
} from './run/options.js';
import { type WithDefaults, withDefaults } from './run/settings.js';
import { type RunOptions, runTraining } from './run/trainer.js';
import { whenAll } from './run/when-all.js';

/** What decides how a VQ-GAN is trained. The default weight decay is 0. */
export interface VqganTrainingConfig extends TrainingConfig {
  readonly model: VqganConfig;
  /** Weight of the mean absolute error beside the mean squared error, which weighs 1. Default 0. */
  readonly absoluteErrorWeight?: number;
  /** Weight of the commitment loss beside the codebook loss, which weighs 1. Default 0.25 (van den Oord et al. 2017). */
  readonly commitmentWeight?: number;
  /**
   * Codes that no vector chose over this many steps start again from a vector of the last batch: a multiple of `stepsPerRun`,
   * or 0 for never. None do in the last fifth of the run. Default ten runs of the graph.
   */
  readonly restartEvery?: number;
  /** Whether half of the images are flipped horizontally, chosen anew in each epoch. Default false. */
  readonly flip?: boolean;
}

const defaultsOf = ({ stepsPerRun = trainingDefaults.stepsPerRun }: VqganTrainingConfig) => ({
  ...trainingDefaults,
  weightDecay: 0,
  absoluteErrorWeight: 0,
  commitmentWeight: 0.25,
  restartEvery: 10 * stepsPerRun,
  flip: false,
});

type CompleteConfig = WithDefaults<VqganTrainingConfig, keyof ReturnType<typeof defaultsOf>>;

export interface VqganTraining extends RunOptions {
  readonly config: VqganTrainingConfig;
  /** Pictures of the model's resolution. */
  readonly dataset: Dataset;
  /** Which picture comes at a position of the endless stream of training pictures. Position = step · batchSize + place. */
  readonly order: (position: number) => number;
  /** Pictures that training does not see, for evaluation: one at least. */
  readonly evaluation: Dataset;
  /** Pictures of `evaluation` that are used, evenly spread. Default 256. */
  readonly evaluationSize?: number;
  /** Parameters to start from, named as in Taming's checkpoints: fine-tuning. Those that the model does not have are left alone. */
  readonly parameters?: ReadonlyMap<string, TensorData>;
}

/**
 * Trains or fine-tunes a VQ-GAN on pictures: mean squared and absolute error, with the codebook's and the commitment loss
 * (van den Oord et al. 2017). The folder gets checkpoints, `metrics.jsonl`, and at every evaluation a sheet of pictures, each
 * followed by its reconstruction.
 *
 * Resolves to the parameters, named as in Taming's checkpoints.
 *
 * @throws RangeError if the configuration or a picture does not fit; GraphError if `parameters` do not; ResumeError if the
 *   folder's checkpoint is damaged or of other settings; DivergenceError; FileError if the disk refuses; and the signal's
 *   reason when aborted, after a checkpoint was saved.
 */
export async function trainVqgan(options: VqganTraining): Promise<Map<string, TensorData>> {
  const { dataset, evaluation, order, parameters, seed, steps } = options;
  const defaults = defaultsOf(options.config);
  const config = withDefaults(options.config, defaults);
  const { model, batchSize, stepsPerRun, restartEvery, averageDecay } = config;
  checkConfig(config, steps);
  if (evaluation.length === 0) throw new RangeError('evaluation has no pictures: hold some out from training');
  const size = model.resolution;
  const imageLength = 3 * size * size;

  const readBatch = async (step: number) => {
    const images = new Float32Array(batchSize * imageLength);
    await whenAll(
      Array.from({ length: batchSize }, async (_, i) => {
        const position = step * batchSize + i;
        const isFlipped = config.flip && uniform('flip', seed, position) < 0.5;
        const { key, image } = await dataset.get(order(position));
        if (image.width !== size || image.height !== size) {
          throw new RangeError(
            `${key} is ${image.width}×${image.height}, and the model reads ${size}×${size}: open the dataset with imageSize ${size}`,
          );
        }
        writePixels(isFlipped ? flipHorizontally(image) : image, images, i * imageLength, model.pixelRange);
      }),
    );
    return { images };
  };

  return runTraining({
    ...options,
    training: {
      batch: { images: { shape: [batchSize, 3, size, size], dtype: 'float32' } },
      loss: (scope, { images }) => vqganLoss(scope, images!, config),
      optimizer: adamW({ beta2: 0.99, weightDecay: config.weightDecay }),
      stepsPerRun,
      clipNorm: 1,
      averageDecay,
    },
    learningRate: learningRateOf(config, steps),
    start: parameters && { prefix: '', values: parameters },
    settings: { kind: 'vqgan', config, data: { length: dataset.length } },
    defaults: { config: defaults },
    batch: readBatch,
    memory: new Map([[codeCounts, [model.nEmbed]]]),
    afterRun: (state, outputs, step) => {
      const counts = state.get(codeCounts)!;
      for (const [i, count] of outputs.codeCounts!.data.entries()) counts[i % model.nEmbed]! += count;
      if (restartEvery === 0 || step % restartEvery !== 0) return;
      // Codes that move late have no time to settle.
      if (step <= 0.8 * steps) restartCodes(state, outputs.vectors!, createRandom('restart', seed, step));
      counts.fill(0);
    },
    evaluate: (trained, step) => evaluateVqgan(options, trained, step),
  });
}

function checkConfig(config: CompleteConfig, steps: number): void {
  const { model, restartEvery, stepsPerRun, absoluteErrorWeight, commitmentWeight } = config;
  checkVqganConfig(model);
  checkField('inChannels', model.inChannels, model.inChannels === 3, '3, as pictures have');
  checkTrainingConfig(config, steps);
  const restarts = Number.isSafeInteger(restartEvery) && restartEvery >= 0 && restartEvery % stepsPerRun === 0;
  checkField('restartEvery', restartEvery, restarts, `a multiple of stepsPerRun, ${stepsPerRun}, or 0`);
  checkField('absoluteErrorWeight', absoluteErrorWeight, absoluteErrorWeight >= 0, 'a number from 0 up');
  checkField('commitmentWeight', commitmentWeight, commitmentWeight >= 0, 'a number from 0 up');
}

/** The loss of a batch of images `[batch, 3, size, size]`, with how often each code was chosen and the vectors before quantization. */
function vqganLoss(scope: ParameterScope, images: Tensor, config: CompleteConfig) {
  const result = reconstruct(scope, images, config.model);
  const squaredError = meanSquaredError(result.images, images);
  const absoluteError = mean(abs(sub(result.images, images)));
  const error = add(squaredError, mul(absoluteError, config.absoluteErrorWeight));
  const quantization = add(result.codebookLoss, mul(result.commitmentLoss, config.commitmentWeight));
  const counts = scatterAdd(result.tokens, fill([result.tokens.shape[0]!, 1], 1), config.model.nEmbed);
  return {
    loss: add(error, quantization),
    metrics: {
      squaredError,
      absoluteError,
      codebookLoss: result.codebookLoss,
      codeCounts: reshape(counts, [-1]),
      vectors: pixelsToRows(result.vectors),
    },
  };
}

/** How often each code was chosen since codes were last restarted. */
const codeCounts = 'memory/codeCounts';
const embedding = 'quantize.embedding.weight';

/**
 * Moves the codes that were not chosen to vectors of the last batch, so that the whole codebook serves (Dhariwal et al. 2020).
 *
 * @param vectors `[steps, vectors of a batch, embedDim]`.
 */
function restartCodes(state: ReadonlyMap<string, Float32Array>, vectors: TensorData, random: Random): void {
  const [, rows, width] = vectors.shape as [number, number, number];
  const lastBatch = vectors.data.subarray(-rows * width);
  for (const [code, count] of state.get(codeCounts)!.entries()) {
    if (count > 0) continue;
    const row = random.integer(rows);
    const vector = lastBatch.subarray(row * width, (row + 1) * width);
    for (const name of [embedding, `average/${embedding}`]) state.get(name)?.set(vector, code * width);
    for (const slot of ['mean', 'square']) {
      state.get(`optimizer/${slot}/${embedding}`)!.fill(0, code * width, (code + 1) * width);
    }
  }
}

/** The ratio, in decibels, that a picture counts as if it comes back exactly: more than 8 bits can show otherwise. */
const exactRatio = 100;

/**
 * Mean peak signal-to-noise ratio in decibels, and the share of the codes that serve, on pictures that training does not see;
 * writes a sheet of the first 32.
 */
async function evaluateVqgan(
  { config: { model }, evaluation, evaluationSize = 256, folder, runtime }: VqganTraining,
  parameters: ReadonlyMap<string, TensorData>,
  step: number,
) {
  const tokenizer = new VqganTokenizer(model, parameters, { runtime });
  try {
    const samples = await spread(evaluation, evaluationSize);
    const images = samples.map(({ image }) => image);
    const grids = await tokenizer.encode(images);
    const decoded = await tokenizer.decode(grids);
    const ratios = images.map((image, i) => Math.min(exactRatio, peakSignalToNoise(image, decoded[i]!)));
    const used = new Set(grids.flatMap((grid) => [...grid]));
    const shown = images.slice(0, 32).flatMap((image, i) => [image, decoded[i]!]);
    await writeSampleSheet(join(folder, `reconstructions-${fileStep(step)}.png`), shown, 16);
    return {
      evaluationPsnr: ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length,
      evaluationCodesUsed: used.size / model.nEmbed,
    };
  } finally {
    await tokenizer.dispose();
  }
}

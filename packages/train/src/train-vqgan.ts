import {
  boolean,
  createRandom,
  type Fields,
  implementation,
  integer,
  number,
  OptionError,
  object,
  optional,
  type Random,
  type RgbImage,
  readOptions,
  refuse,
  uniform,
} from '@dalle-mini/core';
import { type Dataset, flipHorizontally } from '@dalle-mini/data';
import type { Runtime, Tensor, TensorData } from '@dalle-mini/graph';
import { decodeParameter } from '@dalle-mini/graph/stored';
import { adamW } from '@dalle-mini/graph/training';
import { LpipsMetric, type PerceptualNetwork, peakSignalToNoise } from '@dalle-mini/perceptual';
import { readPerceptualWeights } from '@dalle-mini/perceptual/node';
import {
  discriminatorParameters,
  discriminatorPrefix,
  type VqganConfig,
  VqganTokenizer,
  vqganConfigField,
  vqganParameters,
  writePixels,
} from '@dalle-mini/vqgan';
import { writeSampleSheet } from './evaluation/sample-sheet.js';
import { sheetPath } from './evaluation/sheet-files.js';
import { spread } from './evaluation/spread.js';
import {
  checkDiscriminator,
  checkPerceptual,
  discriminatorLoss,
  type PerceptualConfig,
  perceptualPrefix,
  type VqganLossConfig,
  vqganLoss,
  vqganLossDefaults,
  vqganLossFields,
} from './losses/vqgan.js';
import type { Score } from './run/best.js';
import { recordOf } from './run/data-record.js';
import { type OnRuntime, onDevice } from './run/device.js';
import { rateFactors } from './run/learning-rates.js';
import {
  checkRun,
  learningRateOf,
  type RunOptions,
  runFields,
  segmentOf,
  type TrainingConfig,
  trainingConfigFields,
  trainingDefaults,
} from './run/options.js';
import { sampleAt } from './run/order.js';
import { withDefaults } from './run/settings.js';
import { positionsOf, shareOf } from './run/share.js';
import { runTraining } from './run/trainer.js';
import { whenAll } from './run/when-all.js';

/** The configuration of training a VQ-GAN. The default weight decay is 0. */
export interface VqganTrainingConfig extends TrainingConfig, VqganLossConfig {
  readonly model: VqganConfig;
  /** Decay of Adam's mean of gradients. Default 0.9, and 0.5 with a discriminator, as in Taming; 0.9 in LlamaGen. */
  readonly beta1?: number | undefined;
  /** Decay of Adam's mean of squared gradients. Default 0.99, and 0.9 with a discriminator, as in Taming; 0.95 in LlamaGen. */
  readonly beta2?: number | undefined;
  /** Largest norm of the gradients of the VQ-GAN, and of those of the discriminator. Default 1. */
  readonly clipNorm?: number | undefined;
  /**
   * Codes that are unused for this number of steps restart from a vector of the last batch. A multiple of
   * `stepsPerRun`, or 0 for never. No code restarts in the last fifth of the run. Default ten runs of the graph.
   */
  readonly restartEvery?: number | undefined;
  /** Flips half of the images horizontally, other images in each epoch. Default false. */
  readonly flip?: boolean | undefined;
}

const defaultsOf = ({ stepsPerRun = trainingDefaults.stepsPerRun, discriminator }: VqganTrainingConfig) => ({
  ...trainingDefaults,
  ...vqganLossDefaults,
  weightDecay: 0,
  beta1: discriminator ? 0.5 : 0.9,
  beta2: discriminator ? 0.9 : 0.99,
  clipNorm: 1,
  restartEvery: 10 * stepsPerRun,
  flip: false,
});

/** Width of the smallest images that LPIPS compares. */
const smallestPerceptual = 16;

/** The best VQ-GAN has the highest peak signal-to-noise ratio of held-out images. */
const psnrScore: Score = { metric: 'evaluationPsnr', better: 'higher' };
/**
 * With a perceptual or an adversarial term, the best VQ-GAN has the lowest LPIPS distance of held-out images. These terms make images
 * sharper, which lowers the peak signal-to-noise ratio.
 */
const lpipsScore: Score = { metric: 'evaluationLpips', better: 'lower' };

/**
 * Returns the network of the LPIPS distance that an evaluation measures, if it does: AlexNet, as papers report it, or VGG16, which takes
 * smaller images.
 */
function evaluationNetwork({ model, perceptual, discriminator }: VqganTrainingConfig): PerceptualNetwork | undefined {
  if (perceptual === undefined && discriminator === undefined) return undefined;
  if (model.resolution < smallestPerceptual) return undefined;
  return model.resolution < 31 ? 'vgg16' : 'alexnet';
}

export interface VqganTraining extends RunOptions {
  readonly config: VqganTrainingConfig;
  /**
   * Images of the model's resolution. Each is read with the number of its epoch as the variation, so that random crops
   * differ between epochs.
   */
  readonly dataset: Dataset;
  /** At least one held-out image. */
  readonly evaluation: Dataset;
}

/** The fields of a {@link VqganTrainingConfig} without its model. */
export const vqganTrainingFields: Fields<Omit<VqganTrainingConfig, 'model'>> = {
  ...trainingConfigFields,
  ...vqganLossFields,
  beta1: optional(number({ min: 0, below: 1 })),
  beta2: optional(number({ min: 0, below: 1 })),
  clipNorm: optional(number({ above: 0 })),
  restartEvery: optional(integer()),
  flip: optional(boolean()),
};

const optionsField = object<VqganTraining>(
  {
    ...runFields,
    config: object<VqganTrainingConfig>(
      { ...vqganTrainingFields, model: vqganConfigField },
      {
        check({ model, stepsPerRun = trainingDefaults.stepsPerRun, restartEvery = 0, perceptual, discriminator }, at) {
          if (model.inChannels !== 3) refuse(`${at('model')}.inChannels`, '3, for RGB images', model.inChannels);
          if (restartEvery % stepsPerRun !== 0)
            refuse(at('restartEvery'), `a multiple of stepsPerRun, ${stepsPerRun}, or 0`, restartEvery);
          if (perceptual) checkPerceptual(perceptual, model, at('perceptual'));
          if (discriminator) checkDiscriminator(discriminator, model, at('discriminator'));
        },
      },
    ),
    dataset: implementation<Dataset>('a dataset', ['get']),
    evaluation: implementation<Dataset>('a dataset', ['get']),
  },
  { check: checkRun },
);

/**
 * Trains or fine-tunes a VQ-GAN on images. The loss is the mean squared and absolute error, plus the codebook and
 * commitment losses (van den Oord et al. 2017), and on request the LPIPS distance and the adversarial term of a
 * discriminator, which is trained too (Esser et al. 2021). The folder gets checkpoints, `metrics.jsonl`, the parameters
 * with the best evaluation, and at every evaluation a sheet of images, each followed by its reconstruction.
 *
 * @returns The parameters with the highest peak signal-to-noise ratio of `evaluation` or, with `perceptual` or
 *   `discriminator`, the lowest LPIPS distance; the last ones with `result: 'last'`. They are named as in Taming's
 *   checkpoints, like the initial ones, and include those of the discriminator (`loss.discriminator.main.0.weight`).
 * @throws OptionError if an option is wrong or an image has another size; GraphError if `parameters` do not match the
 *   model; ResumeError if the checkpoint is damaged, or of other settings or data; DivergenceError if a metric is not finite;
 *   FileError if a file cannot be written; the signal's reason if it aborts, after saving a checkpoint.
 *
 * @example
 * ```ts
 * import { createSampler, holdOut, openImageFolder } from '@dalle-mini/data';
 * import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
 * import { trainVqgan } from '@dalle-mini/train';
 *
 * // So small that it takes seconds; the guide on training has sizes that learn something.
 * const { training, evaluation } = holdOut(await openImageFolder('pictures', { imageSize: 16 }));
 * const runtime = new OnnxRuntime();
 * const parameters = await trainVqgan({
 *   folder: 'runs/vqgan',
 *   runtime,
 *   config: {
 *     model: {
 *       resolution: 16,
 *       inChannels: 3,
 *       ch: 8,
 *       chMult: [1, 2],
 *       numResBlocks: 1,
 *       attnResolutions: [],
 *       zChannels: 8,
 *       embedDim: 4,
 *       nEmbed: 16,
 *       normGroups: 4,
 *     },
 *     batchSize: 4,
 *     learningRate: 1e-3,
 *     warmUpSteps: 5,
 *   },
 *   steps: 10,
 *   seed: 1,
 *   checkpointEvery: 10,
 *   evaluateEvery: 10,
 *   dataset: training,
 *   order: createSampler({ length: training.length, seed: 1 }),
 *   evaluation,
 *   onProgress: ({ done, total, loss }) => console.log(`${done} of ${total} steps, loss ${loss}`),
 * });
 * console.log(parameters.size);
 * await runtime.dispose();
 * ```
 */
export async function trainVqgan(given: VqganTraining): Promise<Map<string, TensorData>> {
  return onDevice(readOptions(optionsField, given, 'trainVqgan'), trainOnRuntime);
}

async function trainOnRuntime(options: OnRuntime<VqganTraining>): Promise<Map<string, TensorData>> {
  const { dataset, parameters, seed, steps } = options;
  const defaults = defaultsOf(options.config);
  const config = withDefaults(options.config, defaults);
  const { model, batchSize, stepsPerRun, restartEvery, averageDecay, discriminator } = config;
  const { beta1, beta2, weightDecay, clipNorm } = config;
  const size = model.resolution;
  const imageLength = 3 * size * size;
  const ofModel = vqganParameters(model);
  const ofDiscriminator = discriminator ? discriminatorParameters(discriminator) : new Map<string, Tensor>();
  const rateFactor = rateFactors(config.learningRates ?? [], [...ofModel.keys(), ...ofDiscriminator.keys()]);
  const ofLoss = config.perceptual ? await perceptualParameters(config.perceptual) : new Map<string, TensorData>();
  const startsWithDiscriminator = [...ofDiscriminator.keys()].some((name) => parameters?.has(name));
  // A frozen codebook has no state of the optimizer to reset.
  const restarts = restartEvery > 0 && rateFactor(embedding) > 0;

  const share = shareOf(batchSize, options.hosts);
  const readBatch = async (step: number) => {
    const images = new Float32Array(share.size * imageLength);
    await whenAll(
      positionsOf(share, step).map(async (position, i) => {
        const isFlipped = config.flip && uniform('flip', seed, position) < 0.5;
        const { index, epoch } = sampleAt(options, position);
        const { key, image } = await dataset.get(index, epoch);
        if (image.width !== size || image.height !== size) {
          throw new OptionError(
            'dataset',
            `images of ${size}×${size} pixels`,
            image,
            `${key} must be an image of ${size}×${size} pixels, not ${image.width}×${image.height}. ` +
              `Open the dataset with imageSize ${size}.`,
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
      batch: { images: { shape: [share.size, 3, size, size], dtype: 'float32' } },
      loss: (scope, { images }, step) => vqganLoss(scope, images!, config, step),
      optimizer: adamW({ beta1, beta2, weightDecay }),
      clipNorm,
      adversary: discriminator && {
        name: 'discriminator',
        prefix: discriminatorPrefix,
        loss: (scope, { images }, step) => discriminatorLoss(scope, images!, { ...config, discriminator }, step),
        optimizer: adamW({ beta1, beta2, weightDecay }),
        clipNorm,
      },
      stepsPerRun,
      averageDecay,
      rateFactor: (name) => (ofLoss.has(name) ? 0 : rateFactor(name)),
      rematerialize: config.rematerialize ? segmentOf : undefined,
    },
    learningRate: learningRateOf(config, steps),
    start: parameters && {
      covers: (name) => ofModel.has(name) || (startsWithDiscriminator && ofDiscriminator.has(name)),
      values: parameters,
    },
    fixed: ofLoss,
    isResult: (name) => ofModel.has(name) || ofDiscriminator.has(name),
    settings: { kind: 'vqgan', config },
    data: recordOf(dataset),
    defaults: { config: defaults },
    score: evaluationNetwork(config) ? lpipsScore : psnrScore,
    share,
    combination: { codeCounts: 'sum', vectors: 'rows' },
    batch: readBatch,
    memory: new Map([[codeCounts, [model.nEmbed]]]),
    afterRun: async (state, memory, outputs, step) => {
      const counts = memory.get(codeCounts)!;
      for (const [i, count] of outputs.codeCounts!.data.entries()) counts[i % model.nEmbed]! += count;
      if (!restarts || step % restartEvery !== 0) return;
      // Codes that restart late have no time to converge.
      if (step <= 0.8 * steps) {
        const tensors = await state.read(codeTensors.filter((name) => state.names.has(name)));
        restartCodes(tensors, counts, outputs.vectors!, createRandom('restart', seed, step));
        await state.write(tensors);
      }
      counts.fill(0);
    },
    evaluate: (trained, step) => evaluateVqgan(options, trained, step),
  });
}

/** Reads the parameters of the perceptual term, by their names in the training graph. */
async function perceptualParameters({ network = 'vgg16' }: PerceptualConfig): Promise<Map<string, TensorData>> {
  const weights = await readPerceptualWeights(network);
  return new Map(
    [...weights].map(([name, value]): [string, TensorData] => [
      perceptualPrefix + name,
      { dtype: 'float32', shape: value.shape, data: decodeParameter(value) },
    ]),
  );
}

/** Usage count of each code since codes last restarted. */
const codeCounts = 'memory/codeCounts';
const embedding = 'quantize.embedding.weight';
const clusterSize = 'quantize.embedding.cluster_size';
/** What belongs to the codes: not every codebook has all of it. */
const codeTensors = [
  embedding,
  `average/${embedding}`,
  'quantize.embedding.embed_avg',
  clusterSize,
  `optimizer/mean/${embedding}`,
  `optimizer/square/${embedding}`,
];

/**
 * Moves unused codes to random vectors of the last batch, so that the whole codebook is used (Dhariwal et al. 2020).
 *
 * @param tensors The codebook, its average and the state of its optimizer, by name.
 * @param vectors `[steps, vectors of a batch, embedDim]`.
 */
function restartCodes(
  tensors: Readonly<Record<string, TensorData>>,
  counts: Float32Array,
  vectors: TensorData,
  random: Random,
): void {
  const [, rows, width] = vectors.shape as [number, number, number];
  const lastBatch = vectors.data.subarray(-rows * width);
  for (const [code, count] of counts.entries()) {
    if (count > 0) continue;
    const row = random.integer(rows);
    const vector = lastBatch.subarray(row * width, (row + 1) * width);
    for (const [name, { data }] of Object.entries(tensors)) {
      if (name === clusterSize) data.fill(1, code, code + 1);
      else if (name.startsWith('optimizer/')) data.fill(0, code * width, (code + 1) * width);
      else data.set(vector, code * width);
    }
  }
}

/** The ratio of an exact reconstruction in decibels, higher than any other ratio of 8-bit images. */
const exactRatio = 100;

/**
 * Measures the mean peak signal-to-noise ratio in decibels and the share of used codes on held-out images, and the mean LPIPS distance
 * if the loss has a perceptual or an adversarial term. Writes a sheet of the first 32.
 */
async function evaluateVqgan(
  { config, evaluation, evaluationSize = 256, folder, runtime }: OnRuntime<VqganTraining>,
  parameters: ReadonlyMap<string, TensorData>,
  step: number,
) {
  const { model } = config;
  const tokenizer = new VqganTokenizer(model, parameters, { runtime });
  try {
    const samples = await spread(evaluation, evaluationSize);
    const images = samples.map(({ image }) => image);
    const grids = await tokenizer.encode(images);
    const decoded = await tokenizer.decode(grids);
    const ratios = images.map((image, i) => Math.min(exactRatio, peakSignalToNoise(image, decoded[i]!)));
    const used = new Set(grids.flatMap((grid) => [...grid]));
    const shown = images.slice(0, 32).flatMap((image, i) => [image, decoded[i]!]);
    await writeSampleSheet(sheetPath(folder, 'reconstructions', step), shown, 16);
    const network = evaluationNetwork(config);
    return {
      evaluationPsnr: ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length,
      ...(network ? { evaluationLpips: await meanDistance(network, images, decoded, runtime) } : {}),
      evaluationCodesUsed: used.size / model.nEmbed,
    };
  } finally {
    await tokenizer.dispose();
  }
}

async function meanDistance(
  network: PerceptualNetwork,
  images: readonly RgbImage[],
  decoded: readonly RgbImage[],
  runtime: Runtime,
): Promise<number> {
  const metric = new LpipsMetric(network, await readPerceptualWeights(network), { runtime });
  try {
    const { distances } = await metric.compare(images, decoded);
    return distances.reduce((sum, distance) => sum + distance, 0) / distances.length;
  } finally {
    await metric.dispose();
  }
}

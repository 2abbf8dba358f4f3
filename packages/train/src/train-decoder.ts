import {
  createRandom,
  type Fields,
  type ImageTokenDecoder,
  type ImageTokenizer,
  implementation,
  integer,
  list,
  number,
  OptionError,
  object,
  oneOf,
  optional,
  readOptions,
  type SamplingOptions,
  samplingFields,
  string,
  type Word,
} from '@dalle-mini/core';
import {
  captionEncoderOf,
  chooseCaption,
  describeEncoder,
  isSameEncoder,
  type TokenDataset,
  type TokenSample,
} from '@dalle-mini/data';
import {
  type AnyDecoderConfig,
  anyDecoderConfigField,
  createDecoder,
  decoderLoss,
  decoderParameters,
  maskTokens,
  textWidthOf,
} from '@dalle-mini/decoder';
import { add, mul, ParameterScope, type Runtime, type Tensor, type TensorData } from '@dalle-mini/graph';
import { writeSampleSheet } from './evaluation/sample-sheet.js';
import { sheetPath } from './evaluation/sheet-files.js';
import { spreadIndices } from './evaluation/spread.js';
import type { Score } from './run/best.js';
import { recordOfTokens } from './run/data-record.js';
import { type OnRuntime, onDevice } from './run/device.js';
import { rateFactors } from './run/learning-rates.js';
import {
  createOptimizer,
  defaultWeightDecay,
  type OptimizerName,
  optimizerNames,
  type ShampooConfig,
  shampooField,
} from './run/optimizer.js';
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
import {
  type BatchShapes,
  type BatchTensors,
  type BatchValues,
  type FrozenTextEncoder,
  type TextSource,
  type TrainedTextEncoder,
  textEncoderField,
  textSource,
  toData,
  toInputs,
} from './text/text-source.js';

/**
 * The configuration of training a decoder. The default weight decay is 0.05 with `adamw` and `muon`, and 0 with `adafactor` and `shampoo`.
 */
export interface DecoderTrainingConfig extends TrainingConfig {
  readonly model: AnyDecoderConfig;
  /** Batches whose gradients are averaged before a step. Default 1. */
  readonly accumulation?: number | undefined;
  /**
   * `adamw`; `adafactor`, which needs less memory; `shampoo`, with which DALL·E Mini was trained, and which does not clip gradients; or
   * `muon`, which orthogonalizes the updates of matrices. Default `adamw`.
   */
  readonly optimizer?: OptimizerName | undefined;
  /** Options of `shampoo`. */
  readonly shampoo?: ShampooConfig | undefined;
  /**
   * Probability, 0 to 1, of replacing a caption by the empty one, which classifier-free guidance needs. Default 0.1.
   */
  readonly captionDropout?: number | undefined;
  /**
   * Largest share of the given tokens, 0 to 1, that are replaced by random ones. The share of an image is uniform from
   * 0 to this value. Without noise, the first tokens of an image identify it in a small dataset, and the model hardly
   * learns from the caption. Default 0.
   */
  readonly tokenNoise?: number | undefined;
  /**
   * Weight of the loss of text tokens, for decoder-only models: with w, the loss is (image + w · text) / (1 + w), of means
   * over tokens. 0 leaves text tokens out. Default 1/7, as in DALL·E (Ramesh et al. 2021).
   */
  readonly textLossWeight?: number | undefined;
}

const defaultsOf = ({ optimizer }: DecoderTrainingConfig) => ({
  ...trainingDefaults,
  accumulation: 1,
  optimizer: 'adamw' as const,
  weightDecay: defaultWeightDecay(optimizer),
  captionDropout: 0.1,
  tokenNoise: 0,
  textLossWeight: 1 / 7,
});

/** Images that are generated at each evaluation. */
export interface DecoderSamples {
  /** At least one caption. One image is generated from each. */
  readonly prompts: readonly string[];
  /** The image tokenizer with which the dataset was encoded. */
  readonly imageTokenizer: ImageTokenizer;
  readonly sampling?: SamplingOptions | undefined;
}

export interface DecoderTraining extends RunOptions {
  readonly config: DecoderTrainingConfig;
  readonly dataset: TokenDataset;
  readonly textEncoder: FrozenTextEncoder | TrainedTextEncoder;
  /** At least one held-out sample. The loss is measured with the first captions, in whole batches. */
  readonly evaluation: TokenDataset;
  readonly samples?: DecoderSamples | undefined;
}

/** The best decoder has the lowest loss of held-out samples. */
export const decoderScore: Score = { metric: 'evaluationLoss', better: 'lower' };

const share = number({ min: 0, max: 1 });

/** The fields of a {@link DecoderTrainingConfig} without its model. */
export const decoderTrainingFields: Fields<Omit<DecoderTrainingConfig, 'model'>> = {
  ...trainingConfigFields,
  accumulation: optional(integer({ min: 1 })),
  optimizer: optional(oneOf(optimizerNames)),
  shampoo: optional(shampooField),
  captionDropout: optional(share),
  tokenNoise: optional(share),
  textLossWeight: optional(number({ min: 0 })),
};

const tokenDataset = implementation<TokenDataset>('a dataset of tokens', ['get']);

const optionsField = object<DecoderTraining>(
  {
    ...runFields,
    config: object<DecoderTrainingConfig>({ ...decoderTrainingFields, model: anyDecoderConfigField }),
    dataset: tokenDataset,
    evaluation: tokenDataset,
    textEncoder: textEncoderField,
    samples: optional(
      object<DecoderSamples>({
        prompts: list(string({ minLength: 0 }), { min: 1 }),
        imageTokenizer: implementation<ImageTokenizer>('an image tokenizer', ['decode']),
        sampling: optional(object(samplingFields)),
      }),
    ),
  },
  { check: checkRun },
);

/**
 * Trains or fine-tunes a decoder of any kind on token grids and captions. The loss is the cross entropy of each token given
 * the tokens before it and the caption, or of each masked token given the others. The folder gets checkpoints, `metrics.jsonl`, the parameters with the lowest loss of
 * `evaluation`, and at every evaluation a sheet of images for the sample prompts.
 *
 * @returns The parameters of the decoder with the lowest loss of `evaluation`, or the last ones with `result: 'last'`,
 *   named as those of `decoderParameters`, like the initial ones, and those of a trained text encoder.
 * @throws OptionError if an option is wrong, or if the data or the text encoder do not match the model; GraphError if
 *   `parameters` do not match the model; ResumeError if the checkpoint is damaged, or of other settings or data; DivergenceError
 *   if a metric is not finite; FileError if a file cannot be written; the signal's reason if it aborts, after saving a
 *   checkpoint.
 *
 * @example
 * ```ts
 * import { createSampler, openTokenShards } from '@dalle-mini/data';
 * import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
 * import { openTextEncoder } from '@dalle-mini/text-encoder/node';
 * import { trainDecoder } from '@dalle-mini/train';
 *
 * const shards = await openTokenShards('tokens'); // written by writeTokenShards
 * const encoder = await openTextEncoder('model/text-encoder', { maxLength: 24 });
 * const runtime = new OnnxRuntime();
 * // A tiny model, which trains in seconds. The guide on training has useful sizes.
 * const parameters = await trainDecoder({
 *   folder: 'runs/decoder',
 *   runtime,
 *   config: {
 *     model: {
 *       gridSize: shards.gridSize,
 *       vocabularySize: shards.vocabularySize,
 *       width: 32,
 *       layers: 1,
 *       heads: 2,
 *       feedForwardWidth: 64,
 *       textWidth: encoder.width,
 *     },
 *     batchSize: 4,
 *     learningRate: 1e-3,
 *     warmUpSteps: 5,
 *   },
 *   steps: 10,
 *   seed: 1,
 *   checkpointEvery: 10,
 *   evaluateEvery: 10,
 *   dataset: shards,
 *   order: createSampler({ groups: await shards.groups(), seed: 1 }),
 *   evaluation: shards, // better: samples that training does not see
 *   textEncoder: { kind: 'frozen', encoder },
 * });
 * console.log(parameters.size);
 * await encoder.dispose();
 * await runtime.dispose();
 * ```
 */
export async function trainDecoder(given: DecoderTraining): Promise<Map<string, TensorData>> {
  return onDevice(readOptions(optionsField, given, 'trainDecoder'), trainOnRuntime);
}

async function trainOnRuntime(options: OnRuntime<DecoderTraining>): Promise<Map<string, TensorData>> {
  const { dataset, parameters, runtime, samples, seed, steps } = options;
  const defaults = defaultsOf(options.config);
  const config = withDefaults(options.config, defaults);
  const { model, batchSize, accumulation, stepsPerRun, captionDropout, tokenNoise, weightDecay, averageDecay } = config;
  const text = textSource(options.textEncoder, model);
  checkData(options, text);
  for (const name of ['dataset', 'evaluation'] as const) await checkStates(name, options[name], text);
  const share = shareOf(batchSize, options.hosts);
  const names = [...decoderParameters(model).keys(), ...(text.start?.values.keys() ?? [])];
  const rateFactor = rateFactors(config.learningRates ?? [], names);
  return runTraining({
    ...options,
    training: {
      batch: batchShapes(model, text, share.size),
      loss: (scope, batch) => trainingLoss(scope, config, batch, text),
      optimizer: createOptimizer(config.optimizer, weightDecay, config.shampoo),
      stepsPerRun,
      accumulation,
      clipNorm: config.optimizer === 'shampoo' ? undefined : 1,
      averageDecay,
      rateFactor,
      rematerialize: config.rematerialize ? segmentOf : undefined,
    },
    learningRate: learningRateOf(config, steps),
    start: parameters
      ? { covers: () => true, values: new Map([...(text.start?.values ?? []), ...parameters]) }
      : text.start,
    settings: { kind: 'decoder', config, textEncoder: text.settings },
    data: await recordOfTokens(dataset),
    defaults: { config: defaults },
    score: decoderScore,
    share,
    batch: async (step) => {
      const positions = positionsOf(share, step, accumulation);
      const indices = positions.map((position) => sampleAt(options, position).index);
      const batch = await whenAll(indices.map((index) => dataset.get(index)));
      const choose = (dropout: number) =>
        batch.map((sample, i) => chooseCaption(sample.captions, { seed, position: positions[i]!, dropout }));
      const captions = choose(captionDropout);
      // A model with an embedding for no caption reads the place of the caption.
      const values =
        model.kind === 'llama-gen' && model.classes === undefined
          ? await batchValues(
              { dataset, indices, batch },
              choose(0),
              text,
              Int32Array.from(captions, (caption) => (caption === '' ? 1 : 0)),
            )
          : await batchValues({ dataset, indices, batch }, captions, text);
      return {
        ...values,
        given: masked(
          withNoise(values.given as Int32Array, model, tokenNoise, positions, seed),
          model,
          positions.map((position) => ['token-mask', seed, position]),
        ),
      };
    },
    samplePrompts: samples?.prompts,
    evaluate: async (trained, step) => {
      const evaluationLoss = await measureLoss(options, trained, text);
      if (samples) {
        const images = await generateSamples(model, samples, seed, trained, text, runtime);
        await writeSampleSheet(sheetPath(options.folder, 'samples', step), images, 8);
      }
      return { evaluationLoss };
    },
  });
}

/** Checks that data, samples and text encoder match the model. */
function checkData(
  { config: { model, textLossWeight }, dataset, evaluation, samples }: DecoderTraining,
  text: TextSource,
): void {
  const grids = { dataset, evaluation, ...(samples ? { 'samples.imageTokenizer': samples.imageTokenizer } : {}) };
  const words = ({ gridSize, vocabularySize }: Pick<AnyDecoderConfig, 'gridSize' | 'vocabularySize'>) =>
    `${gridSize}×${gridSize} grids of ${vocabularySize} tokens`;
  for (const [name, found] of Object.entries(grids)) {
    if (words(found) === words(model)) continue;
    throw new OptionError(
      name,
      words(model),
      found,
      `${name} must have ${words(model)}, like the model, not ${words(found)}. Use the VQ-GAN of this model.`,
    );
  }
  if (textLossWeight !== undefined && model.kind !== 'decoder-only')
    throw new OptionError(
      'config.textLossWeight',
      'left out, because only models of the kind "decoder-only" predict text tokens',
      textLossWeight,
    );
  const textWidth = textWidthOf(model);
  if (text.width !== textWidth)
    throw new OptionError('config.model.textWidth', `${text.width}, the width of the text encoder`, textWidth);
}

/** Checks that stored hidden states are those of the text encoder. */
async function checkStates(name: string, { hiddenStates }: TokenDataset, { frozen }: TextSource): Promise<void> {
  if (!hiddenStates || !frozen) return;
  const own = await captionEncoderOf(frozen);
  if (isSameEncoder(hiddenStates.encoder, own)) return;
  const [expected, found] = [own, hiddenStates.encoder].map(describeEncoder);
  throw new OptionError(
    name,
    `token shards with hidden states of ${expected}`,
    found,
    `${name} must have hidden states of ${expected}, the text encoder of this training, not of ${found}. ` +
      'Encode the captions again, or set hiddenStates to "computed".',
  );
}

/** Returns the shapes of a batch: `tokens` are the targets, `given` the tokens that the decoder reads. */
function batchShapes(model: AnyDecoderConfig, text: TextSource, batchSize: number): BatchShapes {
  const grids = { shape: [batchSize, model.gridSize ** 2], dtype: 'int32' } as const;
  return { tokens: grids, given: grids, ...text.shapes(batchSize) };
}

async function batchValues(
  { dataset, indices, batch }: { dataset: TokenDataset; indices: readonly number[]; batch: readonly TokenSample[] },
  captions: readonly string[],
  text: TextSource,
  dropped?: Int32Array,
): Promise<BatchValues> {
  const tokens = Int32Array.from(batch.flatMap((sample) => [...sample.tokens]));
  const states = text.frozen && dataset.hiddenStates;
  const stored = states && (await whenAll(indices.map((index, i) => states.get(index, captions[i]!))));
  return { tokens, given: tokens, ...(await text.values(captions, stored, dropped)) };
}

/** Returns a copy in which a random share of each grid's tokens, up to the largest, are replaced by random tokens. */
function withNoise(
  tokens: Int32Array,
  { gridSize, vocabularySize }: AnyDecoderConfig,
  largestShare: number,
  positions: readonly number[],
  seed: number,
): Int32Array {
  if (largestShare === 0) return tokens;
  const noisy = tokens.slice();
  for (const [i, position] of positions.entries()) {
    const random = createRandom('token-noise', seed, position);
    const share = largestShare * random.uniform();
    const grid = noisy.subarray(i * gridSize ** 2, (i + 1) * gridSize ** 2);
    grid.forEach((_, place) => {
      if (random.uniform() < share) grid[place] = random.integer(vocabularySize);
    });
  }
  return noisy;
}

/** Masks the tokens of each grid for a masked decoder, at random places of its name. Other decoders read all of them. */
function masked(tokens: Int32Array, model: AnyDecoderConfig, names: readonly (readonly Word[])[]): Int32Array {
  if (model.kind !== 'masked') return tokens;
  const length = model.gridSize ** 2;
  const given = new Int32Array(tokens.length);
  for (const [i, name] of names.entries()) {
    const grid = tokens.subarray(i * length, (i + 1) * length);
    given.set(maskTokens(grid, model.vocabularySize, ...name), i * length);
  }
  return given;
}

/** Returns the mean cross entropies of image tokens and of text tokens in nats, scalar tensors. */
function lossesOf(scope: ParameterScope, model: AnyDecoderConfig, batch: BatchTensors, text: TextSource) {
  return decoderLoss(scope, model, batch.given!, batch.tokens!, text.read(scope, batch));
}

/** Returns the loss, and with text tokens the metrics of both kinds of tokens. */
function trainingLoss(
  scope: ParameterScope,
  { model, textLossWeight: weight = 0 }: DecoderTrainingConfig,
  batch: BatchTensors,
  text: TextSource,
): { loss: Tensor; metrics?: Record<string, Tensor> } {
  const losses = lossesOf(scope, model, batch, text);
  if (!losses.text || weight === 0) return { loss: losses.image };
  const loss = mul(add(losses.image, mul(losses.text, weight)), 1 / (1 + weight));
  return { loss, metrics: { imageLoss: losses.image, textLoss: losses.text } };
}

/** Measures the mean cross entropy of an image token in nats on the evaluation samples. */
async function measureLoss(
  { config, evaluation, evaluationSize = 256, runtime }: OnRuntime<DecoderTraining>,
  parameters: ReadonlyMap<string, TensorData>,
  text: TextSource,
): Promise<number> {
  const count = Math.min(evaluationSize, evaluation.length);
  const batchSize = Math.min(config.batchSize, count);
  const indices = spreadIndices(evaluation, count - (count % batchSize));
  const samples = await whenAll(indices.map((index) => evaluation.get(index)));
  const shapes = batchShapes(config.model, text, batchSize);
  const inputs = toInputs(shapes);
  const { image: loss } = lossesOf(new ParameterScope(), config.model, inputs, text);
  const executable = await runtime.compile({ inputs, outputs: { loss } }, { parameters });
  try {
    let total = 0;
    for (let i = 0; i < samples.length; i += batchSize) {
      const batch = samples.slice(i, i + batchSize);
      const firstCaptions = batch.map(({ captions }) => captions[0]!);
      const { given, ...values } = await batchValues(
        { dataset: evaluation, indices: indices.slice(i, i + batchSize), batch },
        firstCaptions,
        text,
      );
      // The same places at every evaluation, so that losses can be compared.
      const places = batch.map((_, index) => ['evaluation-mask', i + index] as const);
      const outputs = await executable.run(
        toData(shapes, { ...values, given: masked(given as Int32Array, config.model, places) }),
      );
      total += outputs.loss!.data[0]! * batchSize;
    }
    return total / samples.length;
  } finally {
    await executable.dispose();
  }
}

/** Generates an image for each of the sample prompts. */
async function generateSamples(
  model: AnyDecoderConfig,
  { prompts, imageTokenizer, sampling }: DecoderSamples,
  seed: number,
  parameters: ReadonlyMap<string, TensorData>,
  text: TextSource,
  runtime: Runtime,
) {
  const decoder: ImageTokenDecoder = createDecoder(model, parameters, { runtime });
  try {
    const encoding = await text.encode(prompts, parameters, runtime);
    const unconditional =
      decoder.needsUnconditional === false ? undefined : await text.encode([''], parameters, runtime);
    return await imageTokenizer.decode(await decoder.generate(encoding, { seed, ...sampling, unconditional }));
  } finally {
    await decoder.dispose();
  }
}

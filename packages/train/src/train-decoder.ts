import { join } from 'node:path';
import { createRandom, type ImageTokenizer, type Random, type SamplingOptions } from '@dalle-mini/core';
import { chooseCaption, type TokenDataset, type TokenSample } from '@dalle-mini/data';
import { checkDecoderConfig, DalleMiniDecoder, type DecoderConfig, teacherForced } from '@dalle-mini/decoder';
import {
  adafactor,
  adamW,
  crossEntropy,
  mean,
  ParameterScope,
  type Runtime,
  type Tensor,
  type TensorData,
} from '@dalle-mini/graph';
import { writeSampleSheet } from './evaluation/sample-sheet.js';
import { spread } from './evaluation/spread.js';
import { fileStep } from './run/checkpoint.js';
import {
  checkCount,
  checkField,
  checkTrainingConfig,
  learningRateOf,
  type TrainingConfig,
  trainingDefaults,
} from './run/options.js';
import { withDefaults } from './run/settings.js';
import { type RunOptions, runTraining } from './run/trainer.js';
import { whenAll } from './run/when-all.js';
import {
  type BatchShapes,
  type BatchTensors,
  type BatchValues,
  type FrozenTextEncoder,
  type TextSource,
  type TrainedTextEncoder,
  textSource,
  toData,
  toInputs,
} from './text/text-source.js';

/** What decides how a decoder is trained. The default weight decay is 0.05 with `adamw` and 0 with `adafactor`. */
export interface DecoderTrainingConfig extends TrainingConfig {
  readonly model: DecoderConfig;
  /** Batches whose gradients are averaged before a step. Default 1. */
  readonly accumulation?: number;
  /** Default `adamw`. */
  readonly optimizer?: 'adamw' | 'adafactor';
  /**
   * Share of the captions, 0 to 1, that are replaced by the empty one, so that guidance has something to steer from.
   * Default 0.1.
   */
  readonly captionDropout?: number;
  /**
   * Largest share of the tokens before each token, 0 to 1, that are replaced by any token; each picture's share is drawn evenly
   * from 0 to it. Without, a small set of pictures is told apart by its first tokens, and the caption is hardly learned: the
   * more of them cannot be trusted, the more there is to learn from the caption. Default 0.
   */
  readonly tokenNoise?: number;
}

const defaultsOf = ({ optimizer }: DecoderTrainingConfig) => ({
  ...trainingDefaults,
  accumulation: 1,
  optimizer: 'adamw' as const,
  weightDecay: optimizer === 'adafactor' ? 0 : 0.05,
  captionDropout: 0.1,
  tokenNoise: 0,
});

/** Pictures that are drawn at each evaluation, to be looked at. */
export interface DecoderSamples {
  /** Captions, one at least: one picture each. */
  readonly prompts: readonly string[];
  /** The tokenizer that the dataset was encoded with. */
  readonly tokenizer: ImageTokenizer;
  readonly sampling?: SamplingOptions;
}

export interface DecoderTraining extends RunOptions {
  readonly config: DecoderTrainingConfig;
  readonly dataset: TokenDataset;
  /**
   * Which sample comes at a position of the endless stream of training samples. Position = step · accumulation · batchSize + place.
   */
  readonly order: (position: number) => number;
  readonly textEncoder: FrozenTextEncoder | TrainedTextEncoder;
  /** Samples that training does not see, one at least: their loss is measured with their first captions. */
  readonly evaluation: TokenDataset;
  /** Samples of `evaluation` that are used, evenly spread, rounded down to whole batches. Default 256. */
  readonly evaluationSize?: number;
  readonly samples?: DecoderSamples;
  /** Parameters to start from, named as in kuprel/min-dalle: fine-tuning. Those that the model does not have are left alone. */
  readonly parameters?: ReadonlyMap<string, TensorData>;
}

/**
 * Trains or fine-tunes a decoder on token grids and captions, by the cross entropy of each token given those before it and
 * the caption. The folder gets checkpoints, `metrics.jsonl`, and at every evaluation a sheet of pictures for the sample prompts.
 *
 * Resolves to the parameters: the decoder's, named as in kuprel/min-dalle, and those of a trained text encoder.
 *
 * @throws RangeError if the configuration, the data or the text encoder do not fit; GraphError if `parameters` do not;
 *   ResumeError if the folder's checkpoint is damaged or of other settings; DivergenceError; FileError if the disk refuses; and
 *   the signal's reason when aborted, after a checkpoint was saved.
 */
export async function trainDecoder(options: DecoderTraining): Promise<Map<string, TensorData>> {
  const { dataset, order, parameters, runtime, samples, seed, steps } = options;
  const defaults = defaultsOf(options.config);
  const config = withDefaults(options.config, defaults);
  const { model, batchSize, accumulation, stepsPerRun, captionDropout, tokenNoise, weightDecay, averageDecay } = config;
  const text = textSource(options.textEncoder);
  checkDecoderConfig(model);
  checkTrainingConfig(config, steps);
  checkCount('accumulation', accumulation);
  checkField('captionDropout', captionDropout, captionDropout >= 0 && captionDropout <= 1, 'a number from 0 to 1');
  checkField('tokenNoise', tokenNoise, tokenNoise >= 0 && tokenNoise <= 1, 'a number from 0 to 1');
  checkData(options, text);
  const perStep = batchSize * accumulation;
  return runTraining({
    ...options,
    training: {
      batch: batchShapes(model, text, batchSize),
      loss: (scope, batch) => ({ loss: meanLoss(scope, model, batch, text) }),
      optimizer: config.optimizer === 'adafactor' ? adafactor({ weightDecay }) : adamW({ beta2: 0.98, weightDecay }),
      stepsPerRun,
      accumulation,
      clipNorm: 1,
      averageDecay,
    },
    learningRate: learningRateOf(config, steps),
    start: parameters ? { prefix: '', values: new Map([...(text.start?.values ?? []), ...parameters]) } : text.start,
    settings: { kind: 'decoder', config, data: { length: dataset.length }, textEncoder: text.settings },
    defaults: { config: defaults },
    batch: async (step) => {
      const positions = Array.from({ length: perStep }, (_, i) => step * perStep + i);
      const batch = await whenAll(positions.map((position) => dataset.get(order(position))));
      const captions = batch.map((sample, i) =>
        chooseCaption(sample.captions, { seed, position: positions[i]!, dropout: captionDropout }),
      );
      const values = await batchValues(batch, captions, text);
      return {
        ...values,
        given: withNoise(values.given as Int32Array, model, tokenNoise, createRandom('token-noise', seed, step)),
      };
    },
    evaluate: async (trained, step) => {
      const evaluationLoss = await measureLoss(options, trained, text);
      if (samples) {
        const images = await drawSamples(model, samples, seed, trained, text, runtime);
        await writeSampleSheet(join(options.folder, `samples-${fileStep(step)}.png`), images, 8);
      }
      return { evaluationLoss };
    },
  });
}

/** Refuses data, samples and text encoders that belong to another model. */
function checkData({ config: { model }, dataset, evaluation, samples }: DecoderTraining, text: TextSource): void {
  const grids = [
    ['the data are', dataset],
    ['the evaluation data are', evaluation],
    ...(samples ? ([['the tokenizer of the samples reads', samples.tokenizer]] as const) : []),
  ] as const;
  for (const [what, { gridSize, vocabularySize }] of grids) {
    if (gridSize === model.gridSize && vocabularySize === model.vocabularySize) continue;
    throw new RangeError(
      `${what} ${gridSize}×${gridSize} grids of ${vocabularySize} different tokens, and the model writes ` +
        `${model.gridSize}×${model.gridSize} grids of ${model.vocabularySize}: use the VQ-GAN that belongs to this model`,
    );
  }
  if (text.width !== model.textWidth) {
    throw new RangeError(
      `the text encoder's hidden states are ${text.width} wide, and the model reads ${model.textWidth}: set textWidth`,
    );
  }
  if (evaluation.length === 0) throw new RangeError('evaluation has no samples: hold some out from training');
  if (samples?.prompts.length === 0) throw new RangeError('samples has no prompts: give one at least, or leave it out');
}

/** `tokens` are those to predict, `given` those that stand before them. */
function batchShapes(model: DecoderConfig, text: TextSource, batchSize: number): BatchShapes {
  const grids = { shape: [batchSize, model.gridSize ** 2], dtype: 'int32' } as const;
  return { tokens: grids, given: grids, ...text.shapes(batchSize) };
}

async function batchValues(
  samples: readonly TokenSample[],
  captions: readonly string[],
  text: TextSource,
): Promise<BatchValues> {
  const tokens = Int32Array.from(samples.flatMap((sample) => [...sample.tokens]));
  return { tokens, given: tokens, ...(await text.values(captions)) };
}

/** A copy in which a share of each grid's tokens, up to the largest, are replaced by any token of the vocabulary. */
function withNoise(tokens: Int32Array, model: DecoderConfig, largestShare: number, random: Random): Int32Array {
  const gridLength = model.gridSize ** 2;
  let share = 0;
  return tokens.map((token, i) => {
    if (i % gridLength === 0) share = largestShare * random.uniform();
    return random.uniform() < share ? random.integer(model.vocabularySize) : token;
  });
}

/** Mean cross entropy of a token in nats: a scalar. */
function meanLoss(scope: ParameterScope, model: DecoderConfig, batch: BatchTensors, text: TextSource): Tensor {
  return mean(crossEntropy(teacherForced(scope, model, batch.given!, text.read(scope, batch)), batch.tokens!));
}

/** Mean cross entropy of a token, in nats, on pictures that training does not see. */
async function measureLoss(
  { config, evaluation, evaluationSize = 256, runtime }: DecoderTraining,
  parameters: ReadonlyMap<string, TensorData>,
  text: TextSource,
): Promise<number> {
  const count = Math.min(evaluationSize, evaluation.length);
  const batchSize = Math.min(config.batchSize, count);
  const samples = await spread(evaluation, count - (count % batchSize));
  const shapes = batchShapes(config.model, text, batchSize);
  const inputs = toInputs(shapes);
  const loss = meanLoss(new ParameterScope(), config.model, inputs, text);
  const executable = await runtime.compile({ inputs, outputs: { loss } }, { parameters });
  try {
    let total = 0;
    for (let i = 0; i < samples.length; i += batchSize) {
      const batch = samples.slice(i, i + batchSize);
      const firstCaptions = batch.map(({ captions }) => captions[0]!);
      const outputs = await executable.run(toData(shapes, await batchValues(batch, firstCaptions, text)));
      total += outputs.loss!.data[0]! * batchSize;
    }
    return total / samples.length;
  } finally {
    await executable.dispose();
  }
}

/** Draws a picture for each of the sample prompts. */
async function drawSamples(
  model: DecoderConfig,
  { prompts, tokenizer, sampling }: DecoderSamples,
  seed: number,
  parameters: ReadonlyMap<string, TensorData>,
  text: TextSource,
  runtime: Runtime,
) {
  const decoder = new DalleMiniDecoder(model, parameters, { runtime });
  try {
    const encoding = await text.encode(prompts, parameters, runtime);
    const unconditional = await text.encode([''], parameters, runtime);
    return await tokenizer.decode(await decoder.generate(encoding, { seed, ...sampling, unconditional }));
  } finally {
    await decoder.dispose();
  }
}

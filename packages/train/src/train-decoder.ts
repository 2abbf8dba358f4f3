import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { chooseCaption, type TokenDataset } from '@dalle-mini/data';
import {
  checkDecoderConfig,
  DalleMiniDecoder,
  type DecoderConfig,
  type SamplingOptions,
  teacherForced,
} from '@dalle-mini/decoder';
import {
  adafactor,
  adamW,
  cosineDecay,
  crossEntropy,
  input,
  linearDecay,
  mean,
  ParameterScope,
  type Runtime,
  type Tensor,
  type TensorData,
  warmUp,
} from '@dalle-mini/graph';
import { type BertConfig, bert, type CaptionTokenizer, type TextEncoder } from '@dalle-mini/text-encoder';
import type { ImageTokenizer } from '@dalle-mini/vqgan';
import { CaptionCache } from './caption-cache.js';
import { writeSampleSheet } from './sample-sheet.js';
import { type RunOptions, runTraining } from './trainer.js';

export interface DecoderTrainingConfig {
  readonly model: DecoderConfig;
  readonly batchSize: number;
  /** Batches whose gradients are averaged before a step. Default 1. */
  readonly accumulation?: number;
  /** Steps that one run of the graph takes. Default 10. */
  readonly stepsPerRun?: number;
  readonly learningRate: number;
  /** Steps over which the learning rate rises. */
  readonly warmUpSteps: number;
  /** How it falls from there, to a twentieth. Default `cosine`. */
  readonly schedule?: 'cosine' | 'linear';
  /** Default `adamw`. */
  readonly optimizer?: 'adamw' | 'adafactor';
  readonly weightDecay?: number;
  /** Share of the captions that are replaced by the empty one, so that guidance has something to steer from. Default 0.1. */
  readonly captionDropout?: number;
  /** Decay of the moving average of the parameters that is the result. Default none. */
  readonly averageDecay?: number;
}

/** The text encoder as it comes, whose hidden states are computed once a caption and remembered. */
export interface FrozenTextEncoder {
  readonly kind: 'frozen';
  readonly encoder: TextEncoder;
}

/** A BERT that is trained along with the decoder: its parameters start with `text_encoder.`. */
export interface TrainedTextEncoder {
  readonly kind: 'trained';
  readonly config: BertConfig;
  readonly tokenizer: CaptionTokenizer;
  readonly maxLength: number;
  /** Its pretrained parameters, by the names that they have in its checkpoint. */
  readonly parameters: ReadonlyMap<string, TensorData>;
}

/** Pictures that are drawn at each evaluation, to be looked at. */
export interface DecoderSamples {
  readonly prompts: readonly string[];
  readonly tokenizer: ImageTokenizer;
  readonly sampling?: SamplingOptions;
}

export interface DecoderTraining extends RunOptions {
  readonly config: DecoderTrainingConfig;
  readonly dataset: TokenDataset;
  /** Which sample comes at a position of the endless stream of training samples. */
  readonly order: (position: number) => number;
  readonly textEncoder: FrozenTextEncoder | TrainedTextEncoder;
  /** Samples that training does not see: their loss is measured with their first captions. */
  readonly evaluation: TokenDataset;
  /** Samples of `evaluation` that are used. Default 256. */
  readonly evaluationSize?: number;
  readonly samples?: DecoderSamples;
  /** Parameters to start from: fine-tuning. */
  readonly parameters?: ReadonlyMap<string, TensorData>;
}

const textEncoderPrefix = 'text_encoder';

/**
 * Trains or fine-tunes a decoder on token grids and captions, by the cross entropy of each token given those before it and
 * the caption. The folder gets checkpoints, `metrics.jsonl`, and a sheet of pictures for the sample prompts.
 *
 * Resolves to the parameters: the decoder's, named as in kuprel/min-dalle, and those of a trained text encoder.
 */
export async function trainDecoder(options: DecoderTraining): Promise<Map<string, TensorData>> {
  const { config, dataset, evaluation, order, seed, steps } = options;
  const { model, batchSize, accumulation = 1, stepsPerRun = 10, captionDropout = 0.1, averageDecay } = config;
  checkDecoderConfig(model);
  for (const { gridSize, vocabularySize } of [dataset, evaluation]) {
    if (gridSize !== model.gridSize || vocabularySize !== model.vocabularySize) {
      throw new RangeError(
        `the data are ${gridSize}×${gridSize} grids of ${vocabularySize} tokens, and the model writes ${model.gridSize}×${model.gridSize} ` +
          `of ${model.vocabularySize}: encode the pictures with the VQ-GAN that belongs to this model`,
      );
    }
  }
  const text = textSource(options.textEncoder, model);
  const perStep = batchSize * accumulation;
  const fall = config.schedule === 'linear' ? linearDecay : cosineDecay;
  const optimizer =
    config.optimizer === 'adafactor'
      ? adafactor({ weightDecay: config.weightDecay ?? 0 })
      : adamW({ beta2: 0.98, weightDecay: config.weightDecay ?? 0.05 });

  return runTraining({
    ...options,
    training: {
      batch: { tokens: { shape: [batchSize, model.gridSize ** 2], dtype: 'int32' }, ...text.batch(batchSize) },
      loss: (scope, batch) => ({ loss: mean(tokenLoss(scope, model, batch, text)) }),
      optimizer,
      stepsPerRun,
      accumulation,
      clipNorm: 1,
      ...(averageDecay === undefined ? {} : { averageDecay }),
    },
    parameters: new Map([...text.parameters, ...(options.parameters ?? [])]),
    learningRate: warmUp(
      config.warmUpSteps,
      fall(config.learningRate, steps - config.warmUpSteps, config.learningRate / 20),
    ),
    fingerprint: createHash('sha256')
      .update(JSON.stringify({ kind: 'decoder', config, seed, steps }))
      .digest('hex'),
    batch: async (step) => {
      const positions = Array.from({ length: perStep }, (_, i) => step * perStep + i);
      const samples = await Promise.all(positions.map((position) => dataset.get(order(position))));
      const captions = samples.map((sample, i) =>
        chooseCaption(sample.captions, { seed, position: positions[i]!, dropout: captionDropout }),
      );
      return { tokens: joined(samples.map(({ tokens }) => tokens)), ...(await text.inputs(captions)) };
    },
    evaluate: async (parameters, step) => {
      const evaluationLoss = await measureLoss(options, parameters, text);
      if (options.samples) await drawSamples(options, options.samples, parameters, step);
      return { evaluationLoss };
    },
  });
}

type Batch = Readonly<Record<string, Tensor>>;

/** How captions come into the graph: as hidden states, or as token ids that the graph encodes. */
interface TextSource {
  readonly batch: (size: number) => Record<string, { shape: number[]; dtype: 'float32' | 'int32' }>;
  readonly hiddenStates: (scope: ParameterScope, batch: Batch) => Tensor;
  readonly inputs: (captions: readonly string[]) => Promise<Record<string, Float32Array | Int32Array>>;
  readonly parameters: ReadonlyMap<string, TensorData>;
}

function textSource(source: FrozenTextEncoder | TrainedTextEncoder, model: DecoderConfig): TextSource {
  const width = source.kind === 'frozen' ? source.encoder.hiddenSize : source.config.hiddenSize;
  if (width !== model.textWidth)
    throw new RangeError(
      `the text encoder's hidden states are ${width} wide, and the model reads ${model.textWidth}: set textWidth`,
    );
  if (source.kind === 'frozen') {
    const { maxLength } = source.encoder;
    const cache = new CaptionCache(source.encoder);
    return {
      batch: (size) => ({
        hiddenStates: { shape: [size, maxLength, width], dtype: 'float32' },
        attentionMask: { shape: [size, maxLength], dtype: 'int32' },
      }),
      hiddenStates: (_, { hiddenStates }) => hiddenStates!,
      inputs: async (captions) => {
        const { hiddenStates, attentionMask } = await cache.encode(captions);
        return { hiddenStates, attentionMask };
      },
      parameters: new Map(),
    };
  }
  const { config, tokenizer, maxLength } = source;
  return {
    batch: (size) => ({
      ids: { shape: [size, maxLength], dtype: 'int32' },
      attentionMask: { shape: [size, maxLength], dtype: 'int32' },
    }),
    hiddenStates: (scope, { ids, attentionMask }) => bert(scope.in(textEncoderPrefix), config, ids!, attentionMask!),
    inputs: async (captions) => {
      const { ids, attentionMask } = tokenizer.encode(captions, maxLength);
      return { ids, attentionMask };
    },
    parameters: new Map([...source.parameters].map(([name, value]) => [`${textEncoderPrefix}.${name}`, value])),
  };
}

/** Cross entropy of each token in nats: `[batch, gridSize²]`. */
function tokenLoss(scope: ParameterScope, model: DecoderConfig, batch: Batch, text: TextSource): Tensor {
  const { tokens, attentionMask } = batch;
  const hiddenStates = text.hiddenStates(scope, batch);
  return crossEntropy(teacherForced(scope, model, tokens!, { hiddenStates, attentionMask: attentionMask! }), tokens!);
}

/** Mean cross entropy a token, in nats, on pictures that training does not see. */
async function measureLoss(
  options: DecoderTraining,
  parameters: ReadonlyMap<string, TensorData>,
  text: TextSource,
): Promise<number> {
  const { config, evaluation, evaluationSize = 256, runtime } = options;
  const batchSize = Math.min(config.batchSize, evaluation.length);
  const spec = {
    tokens: { shape: [batchSize, config.model.gridSize ** 2], dtype: 'int32' as const },
    ...text.batch(batchSize),
  };
  const inputs = Object.fromEntries(
    Object.entries(spec).map(([name, { shape, dtype }]) => [name, input(name, shape, dtype)]),
  );
  const loss = mean(tokenLoss(new ParameterScope(), config.model, inputs, text));
  const executable = await runtime.compile({ inputs, outputs: { loss } }, { parameters });
  try {
    const batches = Math.max(1, Math.floor(Math.min(evaluationSize, evaluation.length) / batchSize));
    const stride = evaluation.length / (batches * batchSize);
    let total = 0;
    for (let batch = 0; batch < batches; batch++) {
      const indices = Array.from({ length: batchSize }, (_, i) => Math.floor((batch * batchSize + i) * stride));
      const samples = await Promise.all(indices.map((index) => evaluation.get(index)));
      const values = {
        tokens: joined(samples.map(({ tokens }) => tokens)),
        ...(await text.inputs(samples.map(({ captions }) => captions[0]!))),
      };
      const given = Object.entries(values).map(([name, data]) => [
        name,
        { ...spec[name as keyof typeof spec], data } as TensorData,
      ]);
      total += (await executable.run(Object.fromEntries(given))).loss!.data[0]!;
    }
    return total / batches;
  } finally {
    await executable.dispose();
  }
}

/** Draws the sample prompts, a picture each, to a sheet named after the step. */
async function drawSamples(
  { config, folder, runtime, textEncoder, seed }: DecoderTraining,
  { prompts, tokenizer, sampling = {} }: DecoderSamples,
  parameters: ReadonlyMap<string, TensorData>,
  step: number,
): Promise<void> {
  const decoder = new DalleMiniDecoder(config.model, parameters, runtime);
  const encoder =
    textEncoder.kind === 'frozen' ? textEncoder.encoder : trainedEncoder(textEncoder, parameters, runtime);
  try {
    const text = await encoder.encode(prompts);
    const unconditional = await encoder.encode(['']);
    const grids = await decoder.generate(text, { seed, ...sampling, unconditional });
    const images = await tokenizer.decode(grids);
    await writeSampleSheet(join(folder, `samples-${String(step).padStart(8, '0')}.png`), images, 8);
  } finally {
    await decoder.dispose();
  }
}

/** The text encoder as it has been trained so far. */
function trainedEncoder(
  { config, tokenizer, maxLength }: TrainedTextEncoder,
  parameters: ReadonlyMap<string, TensorData>,
  runtime: Runtime,
): Pick<TextEncoder, 'encode'> {
  return {
    encode: async (captions) => {
      const { ids, attentionMask } = tokenizer.encode(captions, maxLength);
      const shape = [captions.length, maxLength];
      const inputs = { ids: input('ids', shape, 'int32'), attentionMask: input('attentionMask', shape, 'int32') };
      const outputs = {
        hiddenStates: bert(new ParameterScope().in(textEncoderPrefix), config, inputs.ids, inputs.attentionMask),
      };
      const executable = await runtime.compile({ inputs, outputs }, { parameters });
      const result = await executable.run({
        ids: { dtype: 'int32', shape, data: ids },
        attentionMask: { dtype: 'int32', shape, data: attentionMask },
      });
      await executable.dispose();
      const hiddenStates = result.hiddenStates!.data as Float32Array;
      return { hiddenStates, attentionMask, batch: captions.length, length: maxLength, hiddenSize: config.hiddenSize };
    },
  };
}

function joined(parts: readonly Int32Array[]): Int32Array {
  const all = new Int32Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

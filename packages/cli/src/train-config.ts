/** The settings of a training run, as a JSON file. */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { DalleMiniError, type SamplingOptions } from '@dalle-mini/core';
import { FileError } from '@dalle-mini/core/node';
import { emojiVendors } from '@dalle-mini/data/emoji';
import type { DecoderConfig } from '@dalle-mini/decoder';
import type { DecoderTrainingConfig, VqganTrainingConfig } from '@dalle-mini/train';
import { activationNames, normPositions } from '@dalle-mini/transformer';
import type { VqganConfig } from '@dalle-mini/vqgan';
import { z } from 'zod';

const count = z.int().min(1);
/** A path in the settings, which is relative to the settings' own folder. */
const path = z.string().min(1);

const crop = z.enum(['center', 'random']).optional();
/** Pictures with captions: see `openImageFolder`, `openWebDataset` of @dalle-mini/data, and `prepareEmoji` of @dalle-mini/data/emoji. */
const datasetSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('folder'), path, crop }),
  z.strictObject({ type: z.literal('webdataset'), path, crop }),
  z.strictObject({ type: z.literal('emoji'), path, vendors: z.array(z.enum(emojiVendors)).min(1).optional() }),
]);

/** How long to train, and where; each kind of training has more. */
const runFields = {
  /** Where checkpoints and the result go. */
  folder: path.optional(),
  seed: z.int().min(0).default(0),
  steps: count,
  /** Steps between two checkpoints, and between two evaluations. Default: 50 runs of the graph. */
  checkpointEvery: count.optional(),
  evaluateEvery: count.optional(),
  /** Samples that an evaluation uses. */
  evaluationSize: count.optional(),
  dataset: datasetSchema,
  /** Default: what an emoji dataset holds out, or one in twenty samples. */
  evaluation: datasetSchema.optional(),
};

const trainingFields = {
  batchSize: count,
  stepsPerRun: count.optional(),
  learningRate: z.number().positive(),
  warmUpSteps: z.int().min(0),
  schedule: z.enum(['cosine', 'linear']).optional(),
  weightDecay: z.number().min(0).optional(),
  averageDecay: z.number().gt(0).lt(1).optional(),
};

const vqganModelSchema = z.strictObject({
  resolution: count,
  inChannels: count,
  ch: count,
  chMult: z.array(count).min(1),
  numResBlocks: count,
  attnResolutions: z.array(count),
  zChannels: count,
  embedDim: count,
  nEmbed: count,
  normGroups: count.optional(),
}) satisfies z.ZodType<VqganConfig>;

const flag = z.boolean().optional();
/** The rest is given by the VQ-GAN and by the text encoder. */
const decoderModelSchema = z.strictObject({
  width: count,
  layers: count,
  heads: count,
  feedForwardWidth: count,
  normPositions: z.enum(normPositions).optional(),
  norm: z.enum(['layernorm', 'rmsnorm']).optional(),
  activation: z.enum(activationNames).optional(),
  forceNormScale: flag,
  finalNorm: flag,
  gated: flag,
  bias: flag,
  headScale: flag,
  scaleEmbedding: flag,
  tieEmbeddings: flag,
  absolutePositions: flag,
  relativePositions: flag,
  cosineAttention: flag,
  tau: z.number().gt(0).optional(),
  deepnetScaling: flag,
  sublnInit: flag,
  initStd: z.number().gt(0).optional(),
}) satisfies z.ZodType<Omit<DecoderConfig, 'vocabularySize' | 'gridSize' | 'textWidth' | 'textLength'>>;

const samplingSchema = z.strictObject({
  temperature: z.number().min(0).optional(),
  topK: count.optional(),
  topP: z.number().gt(0).max(1).optional(),
  guidanceScale: z.number().min(0).optional(),
}) satisfies z.ZodType<SamplingOptions>;

/** A new model by its sizes, or one to fine-tune by its folder. */
const oneStart = {
  check: ({ model, startFrom }: { model?: unknown; startFrom?: unknown }) =>
    (model === undefined) !== (startFrom === undefined),
  message: 'give either model, the sizes of a new model, or startFrom, the folder of one to fine-tune',
};

const vqganSchema = z
  .strictObject({
    ...runFields,
    model: vqganModelSchema.optional(),
    startFrom: path.optional(),
    training: z.strictObject({
      ...trainingFields,
      absoluteErrorWeight: z.number().min(0).optional(),
      commitmentWeight: z.number().min(0).optional(),
      restartEvery: z.int().min(0).optional(),
      flip: flag,
    }) satisfies z.ZodType<Omit<VqganTrainingConfig, 'model'>>,
  })
  .refine(oneStart.check, oneStart.message);

const decoderSchema = z
  .strictObject({
    ...runFields,
    /** Of the resulting model. */
    name: z.string().min(1).optional(),
    license: z.string().min(1).optional(),
    /** The folder of a VQ-GAN: `config.json` and `model.safetensors`. */
    imageTokenizer: path,
    /** A BERT as Hugging Face stores it, and whether it is trained too. */
    textEncoder: z.strictObject({ folder: path, maxLength: count, train: z.boolean().default(false) }),
    model: decoderModelSchema.optional(),
    startFrom: path.optional(),
    training: z.strictObject({
      ...trainingFields,
      accumulation: count.optional(),
      optimizer: z.enum(['adamw', 'adafactor']).optional(),
      captionDropout: z.number().min(0).max(1).optional(),
      tokenNoise: z.number().min(0).max(1).optional(),
    }) satisfies z.ZodType<Omit<DecoderTrainingConfig, 'model'>>,
    /** What each evaluation draws. */
    samplePrompts: z.array(z.string()).min(1).optional(),
    /** How samples, and later the resulting model, are drawn. */
    sampling: samplingSchema.optional(),
  })
  .refine(oneStart.check, oneStart.message);

export type DatasetSettings = z.infer<typeof datasetSchema>;
export type VqganSettings = z.infer<typeof vqganSchema>;
export type DecoderSettings = z.infer<typeof decoderSchema>;

/** The settings of a file are wrong. The message names the file and each wrong field. */
export class SettingsError extends DalleMiniError {
  static override readonly code = 'SETTINGS';
}

/** Reads the settings of a VQ-GAN's training; paths in it become absolute. Throws SettingsError or FileError. */
export async function readVqganSettings(file: string): Promise<VqganSettings> {
  const { settings, absolute } = await readSettings(file, vqganSchema);
  return {
    ...settings,
    ...absolutePaths(settings, absolute),
    ...(settings.startFrom === undefined ? {} : { startFrom: absolute(settings.startFrom) }),
  };
}

/** Reads the settings of a decoder's training; paths in it become absolute. Throws SettingsError or FileError. */
export async function readDecoderSettings(file: string): Promise<DecoderSettings> {
  const { settings, absolute } = await readSettings(file, decoderSchema);
  return {
    ...settings,
    ...absolutePaths(settings, absolute),
    ...(settings.startFrom === undefined ? {} : { startFrom: absolute(settings.startFrom) }),
    imageTokenizer: absolute(settings.imageTokenizer),
    textEncoder: { ...settings.textEncoder, folder: absolute(settings.textEncoder.folder) },
  };
}

type RunSettings = Pick<VqganSettings, 'folder' | 'dataset' | 'evaluation'>;

function absolutePaths({ folder, dataset, evaluation }: RunSettings, absolute: (path: string) => string): RunSettings {
  return {
    ...(folder === undefined ? {} : { folder: absolute(folder) }),
    dataset: { ...dataset, path: absolute(dataset.path) },
    ...(evaluation === undefined ? {} : { evaluation: { ...evaluation, path: absolute(evaluation.path) } }),
  };
}

async function readSettings<Settings>(file: string, schema: z.ZodType<Settings>) {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new FileError('read', file, error as NodeJS.ErrnoException);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new SettingsError(`${file}: it is not JSON: ${(error as Error).message}`, { cause: error });
  }
  const result = schema.safeParse(json);
  if (!result.success) {
    const issues = result.error.issues.map((issue) => {
      const place = issue.path.join('.');
      return place === '' ? issue.message : `${place}: ${issue.message}`;
    });
    throw new SettingsError(`${file}: ${issues.join('; ')}`);
  }
  return { settings: result.data, absolute: (path: string) => resolve(dirname(file), path) };
}

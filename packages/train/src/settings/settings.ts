/** The settings of a training run: their fields, and their reader from a JSON file. */
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import {
  boolean,
  ConfigError,
  DalleMiniError,
  type Field,
  type Fields,
  field,
  integer,
  list,
  object,
  oneOf,
  optional,
  parseJsonObject,
  readConfig,
  readOptions,
  refuse,
  type SamplingOptions,
  samplingFields,
  seedField,
  string,
  variant,
  withOverrides,
} from '@dalle-mini/core';
import { readTextFile } from '@dalle-mini/core/node';
import { archiveSeparator, isAddress } from '@dalle-mini/data';
import { type EmojiVendor, emojiVendors } from '@dalle-mini/data/emoji';
import { type AnyDecoderSizes, anyDecoderSizesField } from '@dalle-mini/decoder';
import { isBundledModel } from '@dalle-mini/pipeline';
import { type VqganConfig, vqganConfigField } from '@dalle-mini/vqgan';
import { type WhichWeights, whichField } from '@dalle-mini/weights';
import { isHubName } from '@dalle-mini/weights/hub';
import { checkDevice, type DeviceOptions, deviceFields } from '../run/device.js';
import { type EarlyStopping, earlyStoppingField, resultField } from '../run/options.js';
import { type DecoderTrainingConfig, decoderTrainingFields } from '../train-decoder.js';
import { type VqganTrainingConfig, vqganTrainingFields } from '../train-vqgan.js';

/**
 * Images with captions: see `openImageFolder`, `openWebDataset` of @dalle-mini/data, and `prepareEmoji` of
 * @dalle-mini/data/emoji.
 */
export type DatasetSettings =
  | ({
      readonly type: 'folder';
      /** Where captions come from. Default `given`. With `file-names`, images without one are named by their files. */
      readonly captions?: 'given' | 'file-names' | undefined;
    } & FileDatasetSettings)
  | ({
      readonly type: 'webdataset';
      /** What follows the first dot of the names of images, such as `input.jpg`, if samples have several. */
      readonly image?: string | undefined;
      /** What follows the first dot of the names of texts, such as `outputs.txt`, if samples have several. */
      readonly caption?: string | undefined;
      /**
       * Number of archives whose samples are shuffled together. With it, and for addresses, archives are read when they are needed, and not
       * all of them first. Default 8 for addresses.
       */
      readonly shuffleShards?: number | undefined;
    } & FileDatasetSettings)
  | { readonly type: 'emoji'; readonly path: string; readonly vendors?: readonly EmojiVendor[] | undefined };

/** Images that are encoded to tokens already: the folder of `dalle-mini data encode`, or of `writeTokenShards`. */
export interface TokenDatasetSettings {
  readonly type: 'tokens';
  /** Also an address, `https://…` or `s3://bucket/…`. */
  readonly path: string;
  /** Number of shards whose samples are shuffled together, and kept in memory. Default 8. */
  readonly shuffleShards?: number | undefined;
  /**
   * Whether a text encoder that is not trained runs, or its hidden states are read that `dalle-mini data encode --text-encoder` has stored.
   * Default `stored`, if there are any.
   */
  readonly hiddenStates?: 'stored' | 'computed' | undefined;
}

/** Settings of datasets of image files. */
export interface FileDatasetSettings {
  /** For WebDataset also a pattern, such as `{00000..00012}.tar`, and addresses, `https://…` and `s3://bucket/…`. */
  readonly path: string;
  readonly crop?: 'center' | 'random' | 'none' | 'auto' | undefined;
  /** Whether samples that cannot be used are left out. Default `skip`. */
  readonly onError?: 'skip' | 'fail' | undefined;
  /** The encoding of text that is neither UTF-8 nor UTF-16, such as `windows-1252`. */
  readonly encoding?: string | undefined;
}

/** Settings of every training run. */
export interface RunSettings extends DeviceOptions {
  /** The JSON Schema of the file, for editors. Training ignores it. */
  readonly $schema?: string | undefined;
  /** The folder for checkpoints and the result. */
  readonly folder?: string | undefined;
  /** Default 0. */
  readonly seed: number;
  readonly steps: number;
  /** Steps between two checkpoints, and between two evaluations. Default: `50 · stepsPerRun`. */
  readonly checkpointEvery?: number | undefined;
  readonly evaluateEvery?: number | undefined;
  /** Samples per evaluation. */
  readonly evaluationSize?: number | undefined;
  readonly dataset: DatasetSettings;
  /** Default: the held-out samples of an emoji dataset, or 5 % of the samples of another dataset. */
  readonly evaluation?: DatasetSettings | undefined;
  /**
   * A model to fine-tune, instead of the sizes of a new model: a folder, a hub name or a bundled model. For a decoder, a
   * whole model or the folder of its decoder.
   */
  readonly startFrom?: string | undefined;
  /**
   * The weights of files that training wrote, of the models that the settings name: those of the model, or their moving
   * average (EMA). With `ema`, files without an average are read as they are; one file must have one.
   */
  readonly which?: WhichWeights | undefined;
  /** The step whose parameters are the result. Default `best`, the one with the best evaluation. */
  readonly result?: 'best' | 'last' | undefined;
  /** Whether the folder gets an event file for TensorBoard. Default false. */
  readonly tensorboard?: boolean | undefined;
  /** Ends the run early if evaluations do not improve. */
  readonly earlyStopping?: EarlyStopping | undefined;
}

export interface VqganSettings extends RunSettings {
  readonly model?: VqganConfig | undefined;
  readonly training: Omit<VqganTrainingConfig, 'model'>;
}

export interface TextEncoderSettings {
  /**
   * A text encoder of Hugging Face (BERT and its relatives, BART, T5, CLIP), or that of a DALL·E Mini: a folder or a hub name.
   * Default: that of the model to fine-tune. A decoder-only model takes only its tokenizer, a `tokenizer.json`.
   */
  readonly folder?: string | undefined;
  /** Length of captions in tokens. Default: that of the model, or 64. */
  readonly maxLength?: number | undefined;
  /** Whether the text encoder is trained too. Default false. */
  readonly train?: boolean | undefined;
  /** For DALL·E Mini: the tokenizer of the published code or of min-dalle. Default: that of the model, or `bart`. */
  readonly tokenizer?: 'bart' | 'min-dalle' | undefined;
}

/** How the VQ-GAN is fine-tuned before the decoder is trained. */
export interface VqganFineTuning
  extends Pick<RunSettings, 'checkpointEvery' | 'evaluateEvery' | 'result' | 'earlyStopping'> {
  /** 0 leaves the VQ-GAN as it is. */
  readonly steps: number;
  readonly training: VqganSettings['training'];
}

export interface DecoderSettings extends Omit<RunSettings, 'dataset' | 'evaluation'> {
  readonly dataset: DatasetSettings | TokenDatasetSettings;
  /** Default: see {@link RunSettings}. Token shards need token shards of other images. */
  readonly evaluation?: DatasetSettings | TokenDatasetSettings | undefined;
  readonly model?: AnyDecoderSizes | undefined;
  readonly training: Omit<DecoderTrainingConfig, 'model'>;
  /** Name and license of the resulting model. */
  readonly name?: string | undefined;
  readonly license?: string | undefined;
  /** A VQ-GAN: a folder or a hub name. Default: that of the model to fine-tune. */
  readonly imageTokenizer?: string | undefined;
  /**
   * Captions of images that the model to fine-tune generates first, and that are then among those it is trained on, so that
   * it keeps what it knows (prior preservation, Ruiz et al. 2023).
   */
  readonly priorPrompts?: readonly string[] | undefined;
  /** Fine-tunes the VQ-GAN on the images first, in the subfolder `vqgan-training` of the run. */
  readonly vqgan?: VqganFineTuning | undefined;
  readonly textEncoder?: TextEncoderSettings | undefined;
  /** Captions of the images that each evaluation generates. */
  readonly samplePrompts?: readonly string[] | undefined;
  /** Sampling options for these images, and the defaults of the resulting model. */
  readonly sampling?: SamplingOptions | undefined;
}

const count = integer({ min: 1 });
const crop = optional(oneOf(['center', 'random', 'none', 'auto']));
const onError = optional(oneOf(['skip', 'fail']));
const encoding = optional(string());
const captions = optional(oneOf(['given', 'file-names']));

/** Returns the fields that both kinds of settings have. Relative paths become absolute: they start from `base`. */
function sharedFields(base: string) {
  const place: Field<string> = {
    ...string(),
    read: (value, at) => (isAddress(string().read(value, at)) ? string().read(value, at) : path.read(value, at)),
  };
  const path: Field<string> = { ...string(), read: (value, at) => resolve(base, string().read(value, at)) };
  const model: Field<string> = {
    ...path,
    read: (value, at) => (isModelName(string().read(value, at), base) ? (value as string) : path.read(value, at)),
  };
  // Several archives are joined by '::'.
  const shards: Field<string> = {
    ...path,
    read: (value, at) => {
      const parts = string().read(value, at).split(archiveSeparator);
      return parts.map((part) => place.read(part, at)).join('::');
    },
  };
  const imageDatasets = {
    folder: object<DatasetSettings>({ type: oneOf(['folder']), path, crop, onError, encoding, captions }),
    webdataset: object<DatasetSettings>({
      type: oneOf(['webdataset']),
      path: shards,
      crop,
      onError,
      encoding,
      image: optional(string()),
      caption: optional(string()),
      shuffleShards: optional(count),
    }),
    emoji: object<DatasetSettings>({
      type: oneOf(['emoji']),
      path,
      vendors: optional(list(oneOf(emojiVendors), { min: 1 })),
    }),
  };
  const dataset = variant<DatasetSettings, 'type'>('type', imageDatasets);
  const decoderDataset = variant<DatasetSettings | TokenDatasetSettings, 'type'>('type', {
    ...imageDatasets,
    tokens: object<TokenDatasetSettings>({
      type: oneOf(['tokens']),
      path: place,
      shuffleShards: optional(count),
      hiddenStates: optional(oneOf(['stored', 'computed'])),
    }),
  });
  const run: Fields<RunSettings> = {
    $schema: optional(string()),
    folder: optional(path),
    seed: optional(seedField, 0),
    steps: count,
    checkpointEvery: optional(count),
    evaluateEvery: optional(count),
    evaluationSize: optional(count),
    dataset,
    evaluation: optional(dataset),
    startFrom: optional(model),
    which: whichField,
    result: optional(resultField),
    tensorboard: optional(boolean()),
    earlyStopping: optional(earlyStoppingField),
    ...deviceFields,
  };
  return { model, run, decoderDataset };
}

/** Checks whether a text is the name of a bundled model or of the hub, and not the path of a folder or a file. */
function isModelName(text: string, base: string): boolean {
  return (isBundledModel(text) || isHubName(text)) && !existsSync(resolve(base, text));
}

/** Checks that the settings have either the sizes of a new model or the folder of one to fine-tune, and the devices. */
function checkSettings(settings: VqganSettings | DecoderSettings): void {
  const { model, startFrom, training } = settings;
  if (model === undefined && startFrom === undefined)
    refuse('model', 'the sizes of a new model, unless startFrom is set', model);
  if (model !== undefined && startFrom !== undefined) refuse('model', 'left out if startFrom is set', model);
  if (isStreamed(settings.dataset) && settings.evaluation === undefined)
    refuse('evaluation', 'other images than those of archives that are not all read first', settings.evaluation);
  checkDevice(settings, training.batchSize, 'training.batchSize');
}

/** Whether a dataset is of archives that are read when they are needed: of addresses, or with `shuffleShards`. */
export function isStreamed(dataset: DatasetSettings | TokenDatasetSettings): boolean {
  if (dataset.type !== 'webdataset') return false;
  return dataset.shuffleShards !== undefined || dataset.path.split(archiveSeparator).some(isAddress);
}

/** Settings are wrong. The message names their file and the field. */
export class SettingsError extends DalleMiniError {
  static override readonly code = 'SETTINGS';
}

/** Returns the fields of a {@link VqganSettings}. Relative paths start from `base`. */
export function vqganSettingsField(base: string): Field<VqganSettings> {
  const { run } = sharedFields(base);
  const fields: Fields<VqganSettings> = {
    ...run,
    model: optional(vqganConfigField),
    training: object(vqganTrainingFields),
  };
  return object(fields, { check: checkSettings });
}

/** Checks that both datasets are token shards, or both images, and that nothing needs the images of tokens. */
function checkTokens({ dataset, evaluation, priorPrompts, vqgan }: DecoderSettings): void {
  const isTokens = dataset.type === 'tokens';
  if (isTokens && evaluation?.type !== 'tokens')
    refuse('evaluation', 'token shards of other images, as dataset is', evaluation);
  if (!isTokens && evaluation?.type === 'tokens') refuse('evaluation', 'images, as dataset is', evaluation);
  if (isTokens && priorPrompts?.length) refuse('priorPrompts', 'left out with token shards', priorPrompts);
  if (isTokens && vqgan !== undefined) refuse('vqgan', 'left out with token shards, which are encoded already', vqgan);
}

/** Returns the fields of a {@link DecoderSettings}. Relative paths start from `base`. */
export function decoderSettingsField(base: string): Field<DecoderSettings> {
  const { run, model, decoderDataset } = sharedFields(base);
  const fields: Fields<DecoderSettings> = {
    ...run,
    dataset: decoderDataset,
    evaluation: optional(decoderDataset),
    model: optional(anyDecoderSizesField),
    training: object(decoderTrainingFields),
    name: optional(string()),
    license: optional(string()),
    imageTokenizer: optional(model),
    priorPrompts: optional(list(string())),
    vqgan: optional(
      object<VqganFineTuning>({
        steps: integer(),
        checkpointEvery: optional(count),
        evaluateEvery: optional(count),
        result: optional(resultField),
        earlyStopping: optional(earlyStoppingField),
        training: object(vqganTrainingFields),
      }),
    ),
    textEncoder: optional(
      object<TextEncoderSettings>({
        folder: optional(model),
        maxLength: optional(count),
        train: optional(boolean()),
        tokenizer: optional(oneOf(['bart', 'min-dalle'])),
      }),
    ),
    samplePrompts: optional(list(string({ minLength: 0 }), { min: 1 })),
    sampling: optional(object(samplingFields)),
  };
  return object(fields, {
    check(settings) {
      checkSettings(settings);
      if (settings.priorPrompts?.length && settings.startFrom === undefined)
        refuse('priorPrompts', 'left out without startFrom, whose model generates them', settings.priorPrompts);
      checkTokens(settings);
    },
  });
}

export interface ReadSettingsOptions {
  /**
   * Values that replace those of the file, by the names of the fields that lead to each, joined by dots:
   * `training.learningRate`. Relative paths start from the folder of the file too.
   */
  readonly overrides?: Readonly<Record<string, unknown>> | undefined;
}

const readOptionsField = object<ReadSettingsOptions>({
  overrides: optional(field('an object', (value) => typeof value === 'object' && value !== null)),
});

async function readSettings<Settings>(
  file: string,
  fields: Field<Settings>,
  options: ReadSettingsOptions,
  call: string,
): Promise<Settings> {
  const { overrides = {} } = readOptions(readOptionsField, options, call);
  try {
    const json = parseJsonObject(await readTextFile(file), file, 'Correct it.');
    return readConfig(fields, withOverrides(json, overrides), file);
  } catch (error) {
    throw error instanceof ConfigError ? new SettingsError(error.message, { cause: error }) : error;
  }
}

/**
 * Reads the settings for training a VQ-GAN from a JSON file. Paths in them are relative to the file's folder, and
 * become absolute.
 *
 * @throws SettingsError if a setting is wrong; FileError if the file cannot be read.
 */
export async function readVqganSettings(file: string, options: ReadSettingsOptions = {}): Promise<VqganSettings> {
  return readSettings(file, vqganSettingsField(dirname(file)), options, 'readVqganSettings');
}

/**
 * Reads the settings for training a decoder from a JSON file. Paths in them are relative to the file's folder, and
 * become absolute.
 *
 * @throws SettingsError if a setting is wrong; FileError if the file cannot be read.
 */
export async function readDecoderSettings(file: string, options: ReadSettingsOptions = {}): Promise<DecoderSettings> {
  return readSettings(file, decoderSettingsField(dirname(file)), options, 'readDecoderSettings');
}

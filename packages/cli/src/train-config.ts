/** The settings of a training run, as a JSON file. */
import { dirname, resolve } from 'node:path';
import {
  boolean,
  ConfigError,
  DalleMiniError,
  type Field,
  type Fields,
  integer,
  list,
  object,
  oneOf,
  optional,
  parseJsonObject,
  readConfig,
  refuse,
  type SamplingOptions,
  samplingFields,
  seedField,
  string,
  variant,
} from '@dalle-mini/core';
import { readTextFile } from '@dalle-mini/core/node';
import { type EmojiVendor, emojiVendors } from '@dalle-mini/data/emoji';
import type { DecoderConfig } from '@dalle-mini/decoder';
import {
  type DecoderTrainingConfig,
  decoderTrainingFields,
  type VqganTrainingConfig,
  vqganTrainingFields,
} from '@dalle-mini/train';
import { checkTransformer, type TransformerConfig, transformerFields } from '@dalle-mini/transformer';
import { type VqganConfig, vqganConfigField } from '@dalle-mini/vqgan';

/**
 * Images with captions: see `openImageFolder`, `openWebDataset` of @dalle-mini/data, and `prepareEmoji` of
 * @dalle-mini/data/emoji.
 */
export type DatasetSettings =
  | {
      readonly type: 'folder' | 'webdataset';
      readonly path: string;
      readonly crop?: 'center' | 'random' | undefined;
    }
  | { readonly type: 'emoji'; readonly path: string; readonly vendors?: readonly EmojiVendor[] | undefined };

/** Settings of every training run. */
interface RunSettings {
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
  /** The folder of a model to fine-tune, instead of the sizes of a new model. */
  readonly startFrom?: string | undefined;
}

export interface VqganSettings extends RunSettings {
  readonly model?: VqganConfig | undefined;
  readonly training: Omit<VqganTrainingConfig, 'model'>;
}

/** The sizes of a decoder that do not follow from the VQ-GAN and the text encoder. */
export type DecoderSizes = TransformerConfig & Pick<DecoderConfig, 'tieEmbeddings'>;

export interface DecoderSettings extends RunSettings {
  readonly model?: DecoderSizes | undefined;
  readonly training: Omit<DecoderTrainingConfig, 'model'>;
  /** Name and license of the resulting model. */
  readonly name?: string | undefined;
  readonly license?: string | undefined;
  /** The folder of a VQ-GAN: `config.json` and `model.safetensors`. */
  readonly imageTokenizer: string;
  /** A text encoder in the layout of Hugging Face, and whether it is trained too. */
  readonly textEncoder: { readonly folder: string; readonly maxLength: number; readonly train: boolean };
  /** Captions of the images that each evaluation generates. */
  readonly samplePrompts?: readonly string[] | undefined;
  /** Sampling options for these images, and the defaults of the resulting model. */
  readonly sampling?: SamplingOptions | undefined;
}

const count = integer({ min: 1 });
const crop = optional(oneOf(['center', 'random']));

/** Returns the fields of settings files. Paths are relative to the file's folder, and become absolute. */
function settingsFields(file: string) {
  const path: Field<string> = {
    ...string(),
    read: (value, at) => resolve(dirname(file), string().read(value, at)),
  };
  const dataset = variant<DatasetSettings, 'type'>('type', {
    folder: object<DatasetSettings>({ type: oneOf(['folder']), path, crop }),
    webdataset: object<DatasetSettings>({ type: oneOf(['webdataset']), path, crop }),
    emoji: object<DatasetSettings>({
      type: oneOf(['emoji']),
      path,
      vendors: optional(list(oneOf(emojiVendors), { min: 1 })),
    }),
  });
  const run: Fields<RunSettings> = {
    folder: optional(path),
    seed: optional(seedField, 0),
    steps: count,
    checkpointEvery: optional(count),
    evaluateEvery: optional(count),
    evaluationSize: optional(count),
    dataset,
    evaluation: optional(dataset),
    startFrom: optional(path),
  };
  return { path, run };
}

/** Checks that the settings have either the sizes of a new model or the folder of one to fine-tune. */
function checkStart({ model, startFrom }: { readonly model?: unknown; readonly startFrom?: unknown }): void {
  if (model === undefined && startFrom === undefined)
    refuse('model', 'the sizes of a new model, unless startFrom is set', model);
  if (model !== undefined && startFrom !== undefined) refuse('model', 'left out if startFrom is set', model);
}

/** The settings of a file are wrong. The message names the file and the field. */
export class SettingsError extends DalleMiniError {
  static override readonly code = 'SETTINGS';
}

async function readSettings<Settings>(file: string, fields: Field<Settings>): Promise<Settings> {
  try {
    return readConfig(fields, parseJsonObject(await readTextFile(file), file, 'Correct it.'), file);
  } catch (error) {
    throw error instanceof ConfigError ? new SettingsError(error.message, { cause: error }) : error;
  }
}

/**
 * Reads the settings for training a VQ-GAN. Paths become absolute.
 *
 * @throws SettingsError if a setting is wrong; FileError if the file cannot be read.
 */
export async function readVqganSettings(file: string): Promise<VqganSettings> {
  const { run } = settingsFields(file);
  const fields: Fields<VqganSettings> = {
    ...run,
    model: optional(vqganConfigField),
    training: object(vqganTrainingFields),
  };
  return readSettings(file, object(fields, { check: checkStart }));
}

/**
 * Reads the settings for training a decoder. Paths become absolute.
 *
 * @throws SettingsError if a setting is wrong; FileError if the file cannot be read.
 */
export async function readDecoderSettings(file: string): Promise<DecoderSettings> {
  const { run, path } = settingsFields(file);
  const fields: Fields<DecoderSettings> = {
    ...run,
    model: optional(
      object<DecoderSizes>({ ...transformerFields, tieEmbeddings: optional(boolean()) }, { check: checkTransformer }),
    ),
    training: object(decoderTrainingFields),
    name: optional(string()),
    license: optional(string()),
    imageTokenizer: path,
    textEncoder: object({ folder: path, maxLength: count, train: optional(boolean(), false) }),
    samplePrompts: optional(list(string({ minLength: 0 }), { min: 1 })),
    sampling: optional(object(samplingFields)),
  };
  return readSettings(file, object(fields, { check: checkStart }));
}

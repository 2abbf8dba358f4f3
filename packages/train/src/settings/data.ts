/** Opens the data that settings name. */
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { OptionError } from '@dalle-mini/core';
import { makeFolder, writeFileAtomically } from '@dalle-mini/core/node';
import {
  createSampler,
  type Dataset,
  type DatasetReport,
  groupIndices,
  type HoldOutOptions,
  holdOut,
  openArchives,
  openImageFolder,
  openWebDataset,
  type Sampler,
} from '@dalle-mini/data';
import { prepareEmoji } from '@dalle-mini/data/emoji';
import { spread } from '../evaluation/spread.js';
import { readTrainedKeys } from '../run/data-record.js';
import type { SettingsProgress } from './progress.js';
import { type DatasetSettings, isStreamed, type RunSettings } from './settings.js';

/** Images for training and evaluation. */
export interface TrainingData {
  readonly training: Dataset;
  readonly evaluation: Dataset;
  /** Indices of samples that are variants of one image, if they are known. */
  readonly groups?: readonly (readonly number[])[] | undefined;
  /** Numbers of samples of archives that are read when they are needed, and how many are shuffled together. */
  readonly archives?: { readonly shards: readonly number[]; readonly shuffleShards: number } | undefined;
  close(): Promise<void>;
}

export interface SurveyOptions {
  /** The folder of the run that will train on the images: it keeps the results, so that no image is decoded again. */
  readonly run?: string | undefined;
  /** Where captions come from; see `openImageFolder`. */
  readonly captions?: 'given' | 'file-names' | undefined;
}

/** What a folder of images has for a preset. */
export interface ImageSurvey {
  /** Number of images that have captions and can be read. */
  readonly count: number;
  /** Captions of up to eight of them, for samples. */
  readonly captions: readonly string[];
}

const mostCaptions = 8;

/** Counts the images of a folder that can be trained on. What is left out is reported when they are trained on. */
export async function surveyImages(folder: string, { run, captions }: SurveyOptions = {}): Promise<ImageSurvey> {
  // The paths and the places with which the run opens them.
  const places = run === undefined ? {} : placesOf(resolve(run));
  const dataset = await openImageFolder(resolve(folder), {
    ...places,
    captions,
    imageSize: 64,
    onReport: () => undefined,
  });
  const count = dataset.report.samples;
  const samples = await spread(dataset, Math.min(count, mostCaptions));
  return { count, captions: [...new Set(samples.map((sample) => sample.captions[0]!))] };
}

/** Where a run keeps the results of scans, and what is none of its images: its folder may be below them. */
const placesOf = (run: string) => ({ scanFolder: join(run, 'scans'), exclude: [run] });

/** How to open data. */
export interface DataOptions {
  /** Width and height of the images in pixels. */
  readonly imageSize: number;
  /** The folder of the run. */
  readonly folder: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: SettingsProgress) => void) | undefined;
  /** Called with the report of each dataset of files; see `openImageFolder`. */
  readonly onReport?: ((report: DatasetReport) => unknown) | undefined;
}

/** The file in the folder of a run that lists what was left out. */
export const leftOutName = 'left-out.jsonl';

/**
 * Opens the dataset of settings, and their dataset for evaluation or, without one, held-out samples. Lists what was left
 * out in a file of the run.
 */
export async function openData(
  settings: Pick<RunSettings, 'dataset' | 'evaluation' | 'seed'>,
  options: DataOptions,
): Promise<TrainingData> {
  const { dataset, evaluation, seed } = settings;
  const { folder } = options;
  const split = evaluation === undefined ? { seed, trained: await readTrainedKeys(folder) } : undefined;
  const opened = await openDataset(dataset, split, options);
  const other = evaluation && (await openDataset(evaluation, undefined, options));
  await listLeftOut(
    folder,
    [opened.report, other?.report].filter((report) => report !== undefined),
  );
  if (!other) return opened;
  return {
    ...opened,
    evaluation: other.evaluation,
    close: async () => {
      await Promise.all([opened.close(), other.close()]);
    },
  };
}

/** Writes a line for everything that was left out, or removes the file if there is nothing. */
async function listLeftOut(folder: string, reports: readonly DatasetReport[]): Promise<void> {
  const path = join(folder, leftOutName);
  const lines = reports.flatMap(({ source, omissions }) =>
    omissions.map((omission) => `${JSON.stringify({ source, ...omission })}\n`),
  );
  if (lines.length === 0) return rm(path, { force: true });
  await makeFolder(folder);
  await writeFileAtomically(path, lines.join(''));
}

/**
 * Opens images for training and evaluation. An emoji dataset has held-out images. Other datasets hold out images only
 * with `split`; otherwise all of their images are in both parts.
 */
async function openDataset(
  settings: DatasetSettings,
  split: HoldOutOptions | undefined,
  { imageSize, folder, signal, onProgress, onReport }: DataOptions,
): Promise<TrainingData & { readonly report?: DatasetReport }> {
  if (settings.type === 'emoji') {
    const emoji = await prepareEmoji(settings.path, {
      imageSize,
      ...(settings.vendors ? { vendors: settings.vendors } : {}),
      signal,
      onProgress,
    });
    const training = emoji.subset('train');
    return {
      training,
      evaluation: emoji.subset(({ split }) => split !== 'train'),
      groups: groupIndices(training.entries),
      close: () => emoji.close(),
    };
  }
  if (settings.type === 'webdataset' && isStreamed(settings)) {
    const { type, path, shuffleShards = 8, ...reading } = settings;
    const cacheArchives = 2 * shuffleShards;
    const places = { scanFolder: join(folder, 'scans'), cacheArchives };
    const all = await openArchives(path, { ...reading, ...places, imageSize, signal, onProgress });
    const archives = { shards: all.shardLengths, shuffleShards };
    return { training: all, evaluation: all, archives, close: async () => undefined };
  }
  const { path, crop, onError, encoding } = settings;
  const opening = { imageSize, crop, onError, encoding, signal, onProgress, onReport };
  const places = placesOf(folder);
  const all =
    settings.type === 'folder'
      ? await openImageFolder(path, { ...opening, ...places, captions: settings.captions })
      : await openWebDataset(path, { ...opening, ...places, image: settings.image, caption: settings.caption });
  const { report } = all;
  const close = async () => undefined;
  return { ...(split ? divided(all, split) : { training: all, evaluation: all }), report, close };
}

/** Holds out images. If all are one image or belong together, they are in both parts, with a warning. */
function divided(dataset: Dataset, split: HoldOutOptions): Pick<TrainingData, 'training' | 'evaluation'> {
  try {
    return holdOut(dataset, split);
  } catch (error) {
    if (!OptionError.isInstance(error) || !error.option.startsWith('dataset')) throw error;
    const text = 'All images are one image or group, so that evaluations measure images of the training.';
    process.emitWarning(`${text} Set evaluation to other images.`, { code: 'DALLE_MINI_EVALUATION' });
    return { training: dataset, evaluation: dataset };
  }
}

/** Returns the order of training samples. */
export function sampler({ training, groups, archives }: TrainingData, seed: number): Sampler {
  if (archives) return createSampler({ ...archives, seed });
  return createSampler(groups ? { groups, seed } : { length: training.length, skipped: training.skipped, seed });
}

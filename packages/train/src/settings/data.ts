/** Opens the data that settings name. */
import {
  createSampler,
  type Dataset,
  groupIndices,
  holdOut,
  openImageFolder,
  openWebDataset,
  type Sampler,
} from '@dalle-mini/data';
import { prepareEmoji } from '@dalle-mini/data/emoji';
import type { SettingsProgress } from './progress.js';
import type { DatasetSettings, RunSettings } from './settings.js';

/** Images for training and evaluation. */
export interface TrainingData {
  readonly training: Dataset;
  readonly evaluation: Dataset;
  /** Indices of samples that are variants of one image, if they are known. */
  readonly groups?: readonly (readonly number[])[] | undefined;
  close(): Promise<void>;
}

/** Counts the images of a folder with captions. */
export async function countImages(folder: string): Promise<number> {
  return (await openImageFolder(folder, { imageSize: 64 })).length;
}

/** How to open data. */
export interface DataOptions {
  /** Width and height of the images in pixels. */
  readonly imageSize: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: SettingsProgress) => void) | undefined;
}

/** Opens the dataset of settings, and their dataset for evaluation or, without one, held-out samples. */
export async function openData(
  { dataset, evaluation }: Pick<RunSettings, 'dataset' | 'evaluation'>,
  options: DataOptions,
): Promise<TrainingData> {
  const opened = await openDataset(dataset, evaluation === undefined, options);
  if (evaluation === undefined) return opened;
  const other = await openDataset(evaluation, false, options);
  return {
    ...opened,
    evaluation: other.evaluation,
    close: async () => {
      await Promise.all([opened.close(), other.close()]);
    },
  };
}

/**
 * Opens images for training and evaluation. An emoji dataset has held-out images. Other datasets hold out images only
 * if `isSplit`; otherwise all of their images are in both parts.
 */
async function openDataset(
  settings: DatasetSettings,
  isSplit: boolean,
  { imageSize, signal, onProgress }: DataOptions,
): Promise<TrainingData> {
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
  const open = settings.type === 'folder' ? openImageFolder : openWebDataset;
  const all = await open(settings.path, { imageSize, ...(settings.crop ? { crop: settings.crop } : {}) });
  const close = async () => undefined;
  return isSplit && all.length > 1 ? { ...holdOut(all), close } : { training: all, evaluation: all, close };
}

/** Returns the order of training samples. */
export function sampler({ training, groups }: TrainingData, seed: number): Sampler {
  return createSampler(groups ? { groups, seed } : { length: training.length, seed });
}

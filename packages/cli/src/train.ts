import { basename, join, resolve } from 'node:path';
import { OptionError } from '@dalle-mini/core';
import {
  createSampler,
  type Dataset,
  groupIndices,
  holdOut,
  openImageFolder,
  openTokenShards,
  openWebDataset,
  type Sampler,
  writeTokenShards,
} from '@dalle-mini/data';
import { prepareEmoji } from '@dalle-mini/data/emoji';
import type { DecoderConfig } from '@dalle-mini/decoder';
import type { Runtime } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { readDecoder, readTextEncoder, readVqgan, writeModelFolder, writeVqgan } from '@dalle-mini/pipeline';
import { HuggingFaceTextEncoder, parseBertConfig } from '@dalle-mini/text-encoder';
import {
  type FrozenTextEncoder,
  type TrainedTextEncoder,
  type TrainingProgress,
  textEncoderWeights,
  trainDecoder,
  trainedTextEncoder,
  trainVqgan,
} from '@dalle-mini/train';
import { VqganTokenizer } from '@dalle-mini/vqgan';
import { UsageError } from './errors.js';
import { duration, ProgressBar } from './progress-bar.js';
import {
  type DatasetSettings,
  type DecoderSettings,
  readDecoderSettings,
  readVqganSettings,
  SettingsError,
  type VqganSettings,
} from './train-config.js';

export interface TrainCommand {
  /** Path of the settings file. */
  readonly config: string;
  /** The folder of the run. Overrides the folder in the settings. */
  readonly folder?: string | undefined;
  readonly signal: AbortSignal;
}

/** Runs `dalle-mini train`: trains a model, or resumes a stopped run, and prints the path of the result. */
export async function trainFromConfig(kind: 'vqgan' | 'decoder', command: TrainCommand): Promise<void> {
  const bar = new ProgressBar();
  const runtime = new OnnxRuntime();
  // A second runtime, so that captions are encoded while training steps are computed.
  const textRuntime = new OnnxRuntime({ threads: 1 });
  try {
    const result =
      kind === 'vqgan'
        ? await trainVqganFrom(await readVqganSettings(command.config), command, runtime, bar)
        : await trainDecoderFrom(await readDecoderSettings(command.config), command, runtime, textRuntime, bar);
    bar.clear();
    process.stdout.write(`${result}\n`);
  } catch (error) {
    throw error instanceof OptionError
      ? new SettingsError(`${command.config}: ${inSettings(error)}`, { cause: error })
      : error;
  } finally {
    bar.clear();
    await Promise.all([runtime.dispose(), textRuntime.dispose()]);
  }
}

/** Returns the message of an error about training options, with the names of the fields in the settings. */
function inSettings({ message }: OptionError): string {
  return message.replace(/^config\.model\b/, 'model').replace(/\bconfig\./, 'training.');
}

async function trainVqganFrom(
  settings: VqganSettings,
  command: TrainCommand,
  runtime: Runtime,
  bar: ProgressBar,
): Promise<string> {
  const { signal } = command;
  const folder = folderOf(settings, command);
  const start = settings.startFrom === undefined ? undefined : await readVqgan(settings.startFrom);
  const model = start?.config ?? settings.model!;
  const data = await openData(settings, model.resolution, signal, bar);
  const parameters = await trainVqgan({
    ...runOptions(settings, folder, signal, bar),
    runtime,
    config: { ...settings.training, model },
    dataset: data.training,
    order: sampler(data, settings.seed),
    evaluation: data.evaluation,
    parameters: start?.parameters,
  });
  await data.close();
  const result = join(folder, 'vqgan');
  await writeVqgan(result, { config: model, parameters });
  return result;
}

async function trainDecoderFrom(
  settings: DecoderSettings,
  command: TrainCommand,
  runtime: Runtime,
  textRuntime: Runtime,
  bar: ProgressBar,
): Promise<string> {
  const { signal } = command;
  const folder = folderOf(settings, command);
  const vqgan = await readVqgan(settings.imageTokenizer);
  const files = await readTextEncoder(settings.textEncoder.folder);
  const start = settings.startFrom === undefined ? undefined : await readDecoder(settings.startFrom);
  const tokenizer = new VqganTokenizer(vqgan.config, vqgan.parameters, { runtime });
  const { gridSize, vocabularySize } = tokenizer;
  const { width: textWidth } = parseBertConfig(files.config);
  const model: DecoderConfig = start?.config ?? {
    ...settings.model!,
    gridSize,
    vocabularySize,
    textWidth,
    // Relative positions have a bias per caption token.
    ...(settings.model!.relativePositions ? { textLength: settings.textEncoder.maxLength } : {}),
  };

  const data = await openData(settings, tokenizer.imageSize, signal, bar);
  const encode = async (dataset: Dataset, name: string) => {
    const path = join(folder, 'tokens', name);
    const onProgress = ({ done, total }: { done: number; total: number }) =>
      bar.show(done / total, `encoding image ${done} of ${total} for ${name}`);
    await writeTokenShards(dataset, tokenizer, path, { signal, onProgress });
    return openTokenShards(path);
  };
  const dataset = await encode(data.training, 'training');
  const evaluation = await encode(data.evaluation, 'evaluation');
  await data.close();

  const { maxLength } = settings.textEncoder;
  const textEncoder: FrozenTextEncoder | TrainedTextEncoder = settings.textEncoder.train
    ? await trainedTextEncoder(files, maxLength)
    : { kind: 'frozen', encoder: await HuggingFaceTextEncoder.fromFiles(files, { runtime: textRuntime, maxLength }) };
  const trained = await trainDecoder({
    ...runOptions(settings, folder, signal, bar),
    runtime,
    config: { ...settings.training, model },
    dataset,
    order: createSampler({ groups: await dataset.groups(), seed: settings.seed }),
    textEncoder,
    evaluation,
    samples: settings.samplePrompts && {
      prompts: settings.samplePrompts,
      imageTokenizer: tokenizer,
      sampling: settings.sampling,
    },
    parameters: start?.parameters,
  });
  const result = join(folder, 'model');
  await writeModelFolder(result, {
    name: settings.name ?? basename(folder),
    ...(settings.license === undefined ? {} : { license: settings.license }),
    imageTokenizer: vqgan,
    textEncoder: {
      files: textEncoder.kind === 'trained' ? { ...files, weights: textEncoderWeights(trained) } : files,
      maxLength,
    },
    decoder: { config: model, parameters: trained },
    sampling: settings.sampling ?? {},
  });
  return result;
}

function folderOf(settings: { readonly folder?: string | undefined }, command: TrainCommand): string {
  const folder = command.folder === undefined ? settings.folder : resolve(command.folder);
  if (folder === undefined)
    throw new UsageError(`The folder of the run is missing. Set --folder, or folder in ${command.config}.`);
  return folder;
}

/** Returns the options that both kinds of training have. */
function runOptions(
  { steps, seed, training, evaluationSize, ...settings }: VqganSettings | DecoderSettings,
  folder: string,
  signal: AbortSignal,
  bar: ProgressBar,
) {
  const often = 50 * (training.stepsPerRun ?? 10);
  const { checkpointEvery = often, evaluateEvery = often } = settings;
  signal.addEventListener('abort', () => {
    bar.clear();
    process.stderr.write(
      'Stopping after the current steps, with a checkpoint. Run the same command again to resume.\n',
    );
  });
  return {
    folder,
    steps,
    seed,
    checkpointEvery,
    evaluateEvery,
    evaluationSize,
    signal,
    onProgress: reporter(bar),
  };
}

/** Returns a callback that shows progress: a bar on a terminal, or else a line on stderr every 30 seconds. */
function reporter(bar: ProgressBar): (progress: TrainingProgress) => void {
  let last = Number.NEGATIVE_INFINITY;
  return ({ done, total, rate, secondsLeft, loss }) => {
    const left = done === total ? '' : `, ${duration(secondsLeft)} left`;
    const text = `step ${done} of ${total}, loss ${loss.toPrecision(4)}, ${rate.toPrecision(3)} steps/s${left}`;
    if (process.stderr.isTTY) return bar.show(done / total, text);
    const now = performance.now();
    if (now - last < 30_000 && done < total) return;
    last = now;
    process.stderr.write(`${text}\n`);
  };
}

interface TrainingData {
  readonly training: Dataset;
  readonly evaluation: Dataset;
  /** Indices of samples that are variants of one image, if they are known. */
  readonly groups?: readonly (readonly number[])[] | undefined;
  close(): Promise<void>;
}

async function openData(
  { dataset, evaluation }: { dataset: DatasetSettings; evaluation?: DatasetSettings | undefined },
  imageSize: number,
  signal: AbortSignal,
  bar: ProgressBar,
): Promise<TrainingData> {
  const opened = await openDataset(dataset, imageSize, evaluation === undefined, signal, bar);
  if (evaluation === undefined) return opened;
  const other = await openDataset(evaluation, imageSize, false, signal, bar);
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
  imageSize: number,
  isSplit: boolean,
  signal: AbortSignal,
  bar: ProgressBar,
): Promise<TrainingData> {
  if (settings.type === 'emoji') {
    const emoji = await prepareEmoji(settings.path, {
      imageSize,
      ...(settings.vendors ? { vendors: settings.vendors } : {}),
      signal,
      onProgress: ({ done, total }) => bar.show(done / total, `rendering emoji ${done} of ${total}`),
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

function sampler({ training, groups }: TrainingData, seed: number): Sampler {
  return createSampler(groups ? { groups, seed } : { length: training.length, seed });
}

/** Runs of training from settings: opens data and models, trains, and writes the result. */
import { basename, join, resolve } from 'node:path';
import {
  abortSignal,
  boolean,
  callback,
  implementation,
  OptionError,
  object,
  optional,
  readOptions,
  string,
} from '@dalle-mini/core';
import { exists } from '@dalle-mini/core/node';
import { createSampler, type Dataset, type DatasetReport, openTokenShards, writeTokenShards } from '@dalle-mini/data';
import type { AnyDecoderConfig, AnyDecoderSizes } from '@dalle-mini/decoder';
import type { Runtime, TensorData } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { type Hosts, oneHost } from '@dalle-mini/hosts';
import { type VqganPart, writeModelFolder, writeVqgan } from '@dalle-mini/pipeline';
import { type VqganConfig, VqganTokenizer } from '@dalle-mini/vqgan';
import { onDevice } from '../run/device.js';
import type { TrainingProgress } from '../run/options.js';
import { readRunLog } from '../run/run-log.js';
import { trainDecoder } from '../train-decoder.js';
import { trainVqgan } from '../train-vqgan.js';
import { openData, sampler, type TrainingData } from './data.js';
import { type OpenedTextEncoder, openDecoderModels, openVqgan } from './models.js';
import { openPrior, withPrior } from './prior.js';
import type { SettingsProgress, StepProgress } from './progress.js';
import {
  type DatasetSettings,
  type DecoderSettings,
  decoderSettingsField,
  SettingsError,
  type TokenDatasetSettings,
  type VqganSettings,
  vqganSettingsField,
} from './settings.js';

export interface TrainFromSettingsOptions {
  /** The folder of the run. Default: `folder` of the settings. */
  readonly folder?: string | undefined;
  /** The name of the settings in error messages, such as the path of their file. Default `settings`. */
  readonly source?: string | undefined;
  /** The runtime, which the caller disposes of. Default: one for the device of the settings, for this call. */
  readonly runtime?: Runtime | undefined;
  /**
   * The processes that train together, from `joinHosts` of @dalle-mini/hosts. They need the same paths: a file system that they share.
   * Default: this process alone.
   */
  readonly hosts?: Hosts | undefined;
  /** Stops the run after the current steps, with a checkpoint. The promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: SettingsProgress) => void) | undefined;
  /**
   * Called with what was found in each dataset of files, before training. Without it, samples that are left out are named
   * in a warning of the process. `left-out.jsonl` in the folder of the run lists all of them.
   */
  readonly onReport?: ((report: DatasetReport) => unknown) | undefined;
  /** Whether a run may resume after its data have changed. Default false. */
  readonly acceptDataChanges?: boolean | undefined;
}

/** What a run from settings leaves. */
export interface TrainedModel {
  /** The folder of the run, with its checkpoints and metrics. */
  readonly folder: string;
  /** The folder of the trained model: a VQ-GAN, or a whole model for a decoder. */
  readonly result: string;
  /** For a decoder: a caption of its training data. */
  readonly caption?: string | undefined;
}

const optionsField = object<TrainFromSettingsOptions>({
  folder: optional(string()),
  source: optional(string()),
  runtime: optional(implementation<Runtime>('a runtime', ['compile'])),
  hosts: optional(implementation<Hosts>('hosts', ['sum', 'broadcast', 'gather'])),
  signal: optional(abortSignal()),
  onProgress: optional(callback()),
  onReport: optional(callback()),
  acceptDataChanges: optional(boolean()),
});

/** The options of a run, and what it computes with. */
interface Run extends Pick<TrainFromSettingsOptions, 'signal' | 'onProgress' | 'onReport' | 'acceptDataChanges'> {
  readonly folder: string;
  readonly runtime: Runtime;
  readonly hosts: Hosts;
}

/**
 * Trains a VQ-GAN as its settings say, or resumes a stopped run. Writes the VQ-GAN into the subfolder `vqgan` of the run.
 *
 * @param settings The settings, as {@link readVqganSettings} reads them from a file. Relative paths start from the
 *   current folder.
 * @throws SettingsError if a setting is wrong; the errors of `trainVqgan`, of the data and of the models.
 */
export async function trainVqganFromSettings(
  settings: VqganSettings,
  options: TrainFromSettingsOptions = {},
): Promise<TrainedModel> {
  const given = readOptions(vqganSettingsField(process.cwd()), settings, 'trainVqganFromSettings');
  return withRun(given, options, 'trainVqganFromSettings', (run) => trainVqganIn(run, given));
}

/**
 * Encodes images with a VQ-GAN, which it fine-tunes first if `vqgan` is set, and trains a decoder as its settings say, or
 * resumes a stopped run. Writes the whole model into the subfolder `model` of the run: `fromPretrained` opens it.
 *
 * @param settings The settings, as {@link readDecoderSettings} reads them from a file. Relative paths start from the
 *   current folder.
 * @throws SettingsError if a setting is wrong; the errors of `trainDecoder`, of the data and of the models.
 */
export async function trainDecoderFromSettings(
  settings: DecoderSettings,
  options: TrainFromSettingsOptions = {},
): Promise<TrainedModel> {
  const given = readOptions(decoderSettingsField(process.cwd()), settings, 'trainDecoderFromSettings');
  return withRun(given, options, 'trainDecoderFromSettings', (run) => trainDecoderIn(run, given));
}

async function withRun(
  settings: VqganSettings | DecoderSettings,
  options: TrainFromSettingsOptions,
  call: string,
  work: (run: Run) => Promise<Omit<TrainedModel, 'folder'>>,
): Promise<TrainedModel> {
  const { source = 'settings', ...given } = readOptions(optionsField, options, call);
  const folder = given.folder === undefined ? settings.folder : resolve(given.folder);
  if (folder === undefined) throw new SettingsError(`${source}: folder is missing; it must be the folder of the run.`);
  const { device, mesh, sharding, compute } = settings;
  try {
    const result = await onDevice({ ...given, device, mesh, sharding, compute }, ({ runtime }) =>
      work({ ...given, folder, runtime, hosts: given.hosts ?? oneHost }),
    );
    return { folder, ...result };
  } catch (error) {
    if (OptionError.isInstance(error)) throw new SettingsError(`${source}: ${inSettings(error)}`, { cause: error });
    if (SettingsError.isInstance(error)) throw new SettingsError(`${source}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** Returns the message of an error about training options, with the names of the fields in the settings. */
function inSettings({ message }: OptionError): string {
  return message.replace(/^config\.model\b/, 'model').replace(/\bconfig\./, 'training.');
}

/** Prepares files on rank 0 first. The other hosts then find them. */
async function prepareInTurn<Prepared>({ hosts }: Run, prepare: () => Promise<Prepared>): Promise<Prepared> {
  if (hosts.rank !== 0) await hosts.gather('wait');
  const prepared = await prepare();
  if (hosts.rank === 0) await hosts.gather('done');
  return prepared;
}

async function openStart(run: Run, { startFrom, which, training }: VqganSettings) {
  const discriminator = training.discriminator !== undefined;
  return startFrom === undefined ? undefined : openVqgan(startFrom, { ...run, which, discriminator });
}

async function trainVqganIn(run: Run, settings: VqganSettings): Promise<Omit<TrainedModel, 'folder'>> {
  const { start, model, data } = await prepareInTurn(run, async () => {
    const start = await openStart(run, settings);
    const model = start?.config ?? settings.model!;
    return { start, model, data: await openData(settings, { ...run, imageSize: model.resolution }) };
  });
  const parameters = await trainVqganOn(data, run, settings, { model, parameters: start?.parameters });
  await data.close();
  const result = join(run.folder, 'vqgan');
  if (run.hosts.rank === 0) await writeVqgan(result, { config: model, parameters });
  return { result };
}

async function trainVqganOn(
  data: TrainingData,
  run: Run,
  settings: Omit<VqganSettings, 'dataset'>,
  { model, parameters }: { readonly model: VqganConfig; readonly parameters?: VqganPart['parameters'] | undefined },
): Promise<Map<string, TensorData>> {
  return trainVqgan({
    ...runOptions('vqgan', run, settings),
    config: { ...settings.training, model },
    dataset: data.training,
    order: sampler(data, settings.seed),
    evaluation: data.evaluation,
    parameters,
  });
}

/** Fine-tunes the VQ-GAN of a decoder, in a folder of its own below that of the run. */
async function fineTuneVqgan(
  { config, parameters }: VqganPart,
  data: TrainingData,
  run: Run,
  { seed, evaluationSize, tensorboard, vqgan }: DecoderSettings,
): Promise<VqganPart> {
  const folder = join(run.folder, 'vqgan-training');
  const { steps = 0 } = vqgan ?? {};
  await checkVqganSteps(run.folder, folder, steps);
  if (vqgan === undefined || steps === 0) return { config, parameters };
  if (run.hosts.size > 1)
    throw new SettingsError(
      `vqgan.steps must be 0 on several hosts, not ${steps}. Train the VQ-GAN first, and set imageTokenizer to it.`,
    );
  const settings = { ...vqgan, seed, evaluationSize, tensorboard };
  try {
    return {
      config,
      parameters: await trainVqganOn(data, { ...run, folder }, settings, { model: config, parameters }),
    };
  } catch (error) {
    if (!OptionError.isInstance(error)) throw error;
    throw new SettingsError(`vqgan: ${inSettings(error)}`, { cause: error });
  }
}

/** Refuses another number of steps once images have been encoded: their tokens would be those of another VQ-GAN. */
async function checkVqganSteps(folder: string, training: string, steps: number): Promise<void> {
  if (!(await exists(join(folder, tokensName)))) return;
  const start = (await readRunLog(training)).findLast(({ event }) => event === 'start');
  const before = start?.event === 'start' ? start.settings.steps : 0;
  if (steps === before) return;
  throw new SettingsError(
    `vqgan.steps must be ${before}, as when the images of the run were encoded, not ${steps}. ` +
      'Train into another folder, with the result of this run as startFrom.',
  );
}

async function trainDecoderIn(run: Run, settings: DecoderSettings): Promise<Omit<TrainedModel, 'folder'>> {
  // A runtime of its own, so that captions are encoded while training steps are computed.
  const textRuntime = new OnnxRuntime({ threads: 1 });
  try {
    return await trainDecoderWith(run, settings, textRuntime);
  } finally {
    await textRuntime.dispose();
  }
}

async function trainDecoderWith(
  run: Run,
  settings: DecoderSettings,
  textRuntime: Runtime,
): Promise<Omit<TrainedModel, 'folder'>> {
  const { folder } = run;
  const { models, vqgan, tokenizer, encoder, dataset, order, evaluation } = await prepareInTurn(run, () =>
    prepareDecoder(run, settings, textRuntime),
  );
  const { textEncoder, start, ...inherited } = models;
  const { gridSize, vocabularySize } = tokenizer;
  const model = start?.config ?? newModel(settings.model!, { gridSize, vocabularySize }, textEncoder);

  const { license = inherited.license, sampling = inherited.sampling } = settings;
  const isTrained = settings.textEncoder?.train ?? false;
  const trained = await trainDecoder({
    ...runOptions('decoder', run, settings),
    config: { ...settings.training, model },
    dataset,
    order,
    textEncoder: isTrained ? await textEncoder.trained() : { kind: 'frozen', encoder },
    evaluation,
    samples: settings.samplePrompts && {
      prompts: settings.samplePrompts,
      imageTokenizer: tokenizer,
      sampling,
    },
    parameters: start?.parameters,
  });
  const result = join(folder, 'model');
  if (run.hosts.rank === 0)
    await writeModelFolder(result, {
      name: settings.name ?? basename(folder),
      ...(license === undefined ? {} : { license }),
      imageTokenizer: vqgan,
      textEncoder: textEncoder.part(isTrained ? trained : undefined),
      decoder: { config: model, parameters: trained },
      sampling: sampling ?? {},
    });
  return { result, caption: (await dataset.get(0)).captions[0] };
}

/** Completes the sizes of a new model by those of its image tokenizer and of its text encoder. */
function newModel(
  sizes: AnyDecoderSizes,
  grid: Pick<AnyDecoderConfig, 'gridSize' | 'vocabularySize'>,
  { width, maxLength, vocabularySize }: OpenedTextEncoder,
): AnyDecoderConfig {
  switch (sizes.kind) {
    case 'decoder-only':
      return { ...sizes, ...grid, textVocabularySize: vocabularySize!, textLength: maxLength };
    case 'llama-gen':
      return { ...sizes, ...grid, textWidth: width, textLength: maxLength };
    case 'masked':
      return { ...sizes, ...grid, textWidth: width };
    default:
      // Relative positions have a bias per caption token.
      return { ...sizes, ...grid, textWidth: width, ...(sizes.relativePositions ? { textLength: maxLength } : {}) };
  }
}

/** Opens the models and the data, fine-tunes the VQ-GAN, and encodes the images. */
async function prepareDecoder(run: Run, settings: DecoderSettings, textRuntime: Runtime) {
  const { folder, runtime, signal, onProgress } = run;
  const models = await openDecoderModels(settings, run);
  const { start, sampling } = models;
  const { dataset: given, evaluation: other, seed, priorPrompts = [] } = settings;
  const encoder = await models.textEncoder.frozen(textRuntime);
  if (given.type === 'tokens') {
    const { vqgan } = models;
    const tokenizer = new VqganTokenizer(vqgan.config, vqgan.parameters, { runtime });
    const open = ({ path, hiddenStates }: TokenDatasetSettings) => openTokenShards(path, { hiddenStates });
    const dataset = await open(given);
    const order = createSampler({ shards: dataset.shardLengths, shuffleShards: given.shuffleShards, seed });
    return { models, vqgan, tokenizer, encoder, dataset, order, evaluation: await open(other as TokenDatasetSettings) };
  }
  // The settings have been checked: both are images.
  const sources = { dataset: given, evaluation: other as DatasetSettings | undefined, seed };
  const data = await openData(sources, { ...run, imageSize: models.vqgan.config.resolution });
  const vqgan = await fineTuneVqgan(models.vqgan, data, run, settings);
  const tokenizer = new VqganTokenizer(vqgan.config, vqgan.parameters, { runtime });
  let images = data.training;
  if (start && priorPrompts.length > 0) {
    const before = new VqganTokenizer(models.vqgan.config, models.vqgan.parameters, { runtime });
    const prior = { decoder: start, tokenizer: before, textEncoder: encoder, sampling };
    images = withPrior(images, await openPrior(priorPrompts, prior, { ...run, seed }));
    await before.dispose();
  }
  const encode = async (images: Dataset, dataset: 'training' | 'evaluation') => {
    const path = join(folder, tokensName, dataset);
    await writeTokenShards(images, tokenizer, path, {
      signal,
      onProgress: (progress) => onProgress?.({ ...progress, dataset }),
    });
    return openTokenShards(path);
  };
  const dataset = await encode(images, 'training');
  const evaluation = await encode(data.evaluation, 'evaluation');
  await data.close();
  const order = createSampler({ groups: await dataset.groups(), seed });
  return { models, vqgan, tokenizer, encoder, dataset, order, evaluation };
}

/** The folder of the run with the images as tokens. */
const tokensName = 'tokens';

/** Returns the options that both kinds of training have. */
function runOptions(
  trains: StepProgress['trains'],
  { folder, runtime, hosts, signal, onProgress, acceptDataChanges }: Run,
  {
    steps,
    seed,
    training,
    evaluationSize,
    result,
    tensorboard,
    earlyStopping,
    ...settings
  }: Omit<VqganSettings, 'dataset'> | DecoderSettings,
) {
  const often = 50 * (training.stepsPerRun ?? 10);
  const { checkpointEvery = often, evaluateEvery = often } = settings;
  return {
    folder,
    runtime,
    hosts,
    steps,
    seed,
    checkpointEvery,
    evaluateEvery,
    evaluationSize,
    result,
    tensorboard,
    earlyStopping,
    acceptDataChanges,
    signal,
    onProgress: (progress: TrainingProgress) => onProgress?.({ ...progress, trains }),
  };
}

import {
  abortSignal,
  boolean,
  callback,
  type Fields,
  field,
  implementation,
  integer,
  number,
  object,
  oneOf,
  optional,
  type Progress,
  refuse,
  seedField,
  string,
} from '@dalle-mini/core';
import type { Dataset } from '@dalle-mini/data';
import type { Runtime, TensorData } from '@dalle-mini/graph';
import { constantRate, cosineDecay, linearDecay, type Schedule, warmUp } from '@dalle-mini/graph/training';
import type { Hosts } from '@dalle-mini/hosts';
import { checkDevice, type DeviceOptions, deviceFields } from './device.js';
import { type LearningRateGroup, learningRatesField } from './learning-rates.js';
import { type Order, orderField } from './order.js';

/** The progress of training, reported after each run of the graph. */
export interface TrainingProgress extends Progress {
  readonly stage: 'train';
  readonly unit: 'steps';
  /** Steps per second in the last run of the graph, including the wait for its batches, excluding evaluation. */
  readonly rate: number;
  readonly secondsLeft: number;
  /** Loss of the last batch. */
  readonly loss: number;
}

/** When a run ends before its last step. */
export interface EarlyStopping {
  /** Number of evaluations in a row that are not better than the best one before them, at least 1. */
  readonly patience: number;
}

export const earlyStoppingField = object<EarlyStopping>({ patience: integer({ min: 1 }) });
export const resultField = oneOf(['best', 'last']);

/** Options that every kind of training has. */
export interface RunOptions extends DeviceOptions {
  /**
   * The folder for checkpoints, metrics and samples; created if it is missing. A run resumes from its newest checkpoint
   * in this folder. Two runs must not use one folder at the same time.
   */
  readonly folder: string;
  /** What computes, instead of `device`. The caller disposes of it. */
  readonly runtime?: Runtime | undefined;
  /**
   * The processes that train together, from `joinHosts` of @dalle-mini/hosts. Each reads its share of every batch, so that the result does
   * not depend on their number, except for rounding. Rank 0 evaluates, and reads and writes the folder; the checkpoints of a state that is divided
   * over devices are written by all, into a folder that they share. Default: this process alone.
   */
  readonly hosts?: Hosts | undefined;
  /**
   * Total number of steps, a multiple of `stepsPerRun`. It may be changed when a run resumes, also after its end: the
   * learning rate of the steps to come is that of the new number of steps.
   */
  readonly steps: number;
  /** Seed of all randomness: initial values, choice of captions, flips. A whole number from 0 to 2⁵³ − 1. */
  readonly seed: number;
  /** Steps between two checkpoints, a multiple of `stepsPerRun`. */
  readonly checkpointEvery: number;
  /** Steps between two evaluations, a multiple of `stepsPerRun`. */
  readonly evaluateEvery: number;
  /**
   * The order of training samples: a sampler, or a function from a position in the endless stream of samples to an
   * index into the dataset. Position = step · samples per step + index in the step.
   */
  readonly order: Order;
  /** Number of samples of `evaluation` that are used, evenly spaced. Default 256. */
  readonly evaluationSize?: number | undefined;
  /**
   * Whether a run may resume after samples were added, removed or changed. Default false: it is refused with a list of
   * the changes. The result then depends on when they were made.
   */
  readonly acceptDataChanges?: boolean | undefined;
  /**
   * The parameters that a run results in: those of the step with the best evaluation, or of the last step. Default
   * `best`.
   */
  readonly result?: 'best' | 'last' | undefined;
  /** Ends the run early if evaluations do not improve. Default: all steps are taken. */
  readonly earlyStopping?: EarlyStopping | undefined;
  /** Initial parameters, for fine-tuning. Parameters that the model does not have are ignored. */
  readonly parameters?: ReadonlyMap<string, TensorData> | undefined;
  /** Whether to write an event file for TensorBoard too: metrics, sheets of images and the settings. Default false. */
  readonly tensorboard?: boolean | undefined;
  /** Stops the run after the current steps and saves a checkpoint. The promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Called after each run of the graph. If it throws or rejects, the run ends with that error. */
  readonly onProgress?: ((progress: TrainingProgress) => void) | undefined;
}

/** The configuration that all kinds of training share. */
export interface TrainingConfig {
  /** Samples per batch. */
  readonly batchSize: number;
  /** Steps per run of the graph. Default 10. */
  readonly stepsPerRun?: number | undefined;
  /** The highest learning rate, above 0. */
  readonly learningRate: number;
  /** Steps over which the learning rate rises, at least 0 and fewer than `steps`. */
  readonly warmUpSteps: number;
  /** How the learning rate then falls, to a twentieth at the last step, or `constant`. Default `cosine`. */
  readonly schedule?: 'cosine' | 'linear' | 'constant' | undefined;
  /**
   * Factors of the learning rate by layer. The first entry that matches a parameter's name decides; other parameters have
   * the factor 1. Names are those of the result: `layers.0.*` of a decoder, `text_encoder.*` of a trained text encoder,
   * `encoder.down.0.*` of a VQ-GAN.
   */
  readonly learningRates?: readonly LearningRateGroup[] | undefined;
  /** Weight decay of matrices, at least 0: a step reduces them by the fraction `learningRate · weightDecay`. */
  readonly weightDecay?: number | undefined;
  /**
   * Computes each layer again in the backward pass instead of keeping its results (gradient checkpointing): less memory for
   * large models and batches, and about a third more computation. Default false.
   */
  readonly rematerialize?: boolean | undefined;
  /**
   * Decay of the moving average of the parameters, above 0 and below 1. The average is then the result. Default none.
   */
  readonly averageDecay?: number | undefined;
}

export const trainingDefaults = { stepsPerRun: 10, schedule: 'cosine', rematerialize: false } as const;

const count = integer({ min: 1 });

export const trainingConfigFields: Fields<TrainingConfig> = {
  batchSize: count,
  stepsPerRun: optional(count),
  learningRate: number({ above: 0 }),
  warmUpSteps: integer(),
  schedule: optional(oneOf(['cosine', 'linear', 'constant'])),
  learningRates: optional(learningRatesField),
  weightDecay: optional(number({ min: 0 })),
  rematerialize: optional(boolean()),
  averageDecay: optional(number({ above: 0, below: 1 })),
};

export const parametersField = field<ReadonlyMap<string, TensorData>>(
  'a Map of tensors by name',
  (value) => value instanceof Map,
);

export const runFields: Fields<RunOptions> = {
  folder: string(),
  ...deviceFields,
  runtime: optional(implementation<Runtime>('a runtime', ['compile'])),
  hosts: optional(implementation<Hosts>('hosts', ['sum', 'broadcast', 'gather'])),
  steps: count,
  seed: seedField,
  checkpointEvery: count,
  evaluateEvery: count,
  order: orderField,
  evaluationSize: optional(count),
  acceptDataChanges: optional(boolean()),
  result: optional(resultField),
  earlyStopping: optional(earlyStoppingField),
  parameters: optional(parametersField),
  tensorboard: optional(boolean()),
  signal: optional(abortSignal()),
  onProgress: optional(callback()),
};

/** Checks the options of a run against each other. */
export function checkRun(
  options: RunOptions & {
    readonly config: TrainingConfig;
    readonly dataset: Dataset<unknown>;
    readonly evaluation: Dataset<unknown>;
  },
): void {
  const { steps, config, dataset, evaluation, hosts } = options;
  const { stepsPerRun = trainingDefaults.stepsPerRun, warmUpSteps } = config;
  for (const name of ['steps', 'checkpointEvery', 'evaluateEvery'] as const) {
    if (options[name] % stepsPerRun !== 0)
      refuse(name, `a multiple of config.stepsPerRun, ${stepsPerRun}`, options[name]);
  }
  checkDevice(options, config.batchSize, 'config.batchSize');
  if (hosts && config.batchSize < hosts.size)
    refuse('config.batchSize', `at least ${hosts.size}, the number of hosts`, config.batchSize);
  const { data = 1 } = options.mesh ?? {};
  if (hosts && data > 1 && config.batchSize % (hosts.size * data) !== 0)
    refuse('config.batchSize', `a multiple of ${hosts.size * data}, the hosts times mesh.data`, config.batchSize);
  if (warmUpSteps >= steps) refuse('config.warmUpSteps', `less than steps, ${steps}`, warmUpSteps);
  for (const [name, { length, skipped }] of Object.entries({ dataset, evaluation })) {
    const usable = length - (skipped?.size ?? 0);
    if (usable < 1) refuse(`${name}.length`, 'at least 1', usable);
  }
}

/** Returns the learning rate at each step: a linear rise, then a fall to a twentieth at the last step, or none. */
export function learningRateOf(config: TrainingConfig, steps: number): Schedule {
  const { learningRate, warmUpSteps, schedule } = config;
  if (schedule === 'constant') return warmUp(warmUpSteps, constantRate(learningRate));
  const fall = schedule === 'linear' ? linearDecay : cosineDecay;
  return warmUp(warmUpSteps, fall(learningRate, steps - warmUpSteps, learningRate / 20));
}

/**
 * Returns the segment of a layer for rematerialization: the layer of a transformer or the block of a VQ-GAN that it is part
 * of, such as `layers.3` of `layers.3.self_attn.q_proj`.
 */
export function segmentOf(layer: string): string | undefined {
  return /^(?:.*\.)?(?:layers?|block|attn)[._]\d+(?=\.|$)/.exec(layer)?.[0];
}

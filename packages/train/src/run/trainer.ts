import { join } from 'node:path';
import { DalleMiniError } from '@dalle-mini/core';
import { makeFolder } from '@dalle-mini/core/node';
import { type Shape, sizeOf, type TensorData } from '@dalle-mini/graph';
import { initializeParameters } from '@dalle-mini/graph/initializers';
import { checkParameters } from '@dalle-mini/graph/stored';
import {
  initialState,
  type Schedule,
  type TrainingGraph,
  type TrainingOptions,
  trainingGraph,
} from '@dalle-mini/graph/training';
import { deleteUnfinishedFiles, loadCheckpoint, saveCheckpoint, type TrainingState } from './checkpoint.js';
import { appendMetrics, type MetricsRecord, truncateMetrics } from './metrics.js';
import type { RunOptions } from './options.js';
import { digestOf, type Settings } from './settings.js';
import { whenAll } from './when-all.js';

/** Training failed: the loss or another figure is not a finite number any more. */
export class DivergenceError extends DalleMiniError {
  static override readonly code = 'DIVERGENCE';
}

export interface TrainerOptions extends Omit<RunOptions, 'order' | 'evaluationSize' | 'parameters'> {
  readonly training: Omit<TrainingOptions, 'trains'>;
  readonly learningRate: Schedule;
  /** Values that parameters start from instead of random ones; all whose names begin with `prefix` must have one. */
  readonly start?: { readonly prefix: string; readonly values: ReadonlyMap<string, TensorData> } | undefined;
  /** Everything that decides the outcome, except `seed`, `steps` and `start`. A checkpoint of other settings is refused. */
  readonly settings: Settings;
  /** Defaults of the settings: a checkpoint that was made before there was such a setting is taken to have it. */
  readonly defaults: Settings;
  /** The inputs of one step, each `[accumulation, …]` as one array: a function of the step alone, so that runs can resume. */
  readonly batch: (step: number) => Promise<Readonly<Record<string, Float32Array | Int32Array>>>;
  /** State that only `afterRun` uses: its tensors by name and shape, zeros at first, saved in checkpoints. */
  readonly memory?: ReadonlyMap<string, Shape> | undefined;
  /**
   * May change the state between two runs of the graph; must depend on its arguments alone. `step` counts steps taken, and
   * the state has what `memory` names too.
   */
  readonly afterRun?: (
    state: ReadonlyMap<string, Float32Array>,
    outputs: Readonly<Record<string, TensorData>>,
    step: number,
  ) => void;
  /** Measures the model: called with its parameters every `evaluateEvery` steps and at the end. */
  readonly evaluate: (
    parameters: ReadonlyMap<string, TensorData>,
    step: number,
  ) => Promise<Readonly<Record<string, number>>>;
}

/**
 * Trains until `steps` are taken, from the last checkpoint of the same run if the folder holds one, and returns the
 * parameters: their moving averages where the training keeps them.
 *
 * The same options give the same bytes on the same machine, whether or not the run was interrupted.
 *
 * @throws GraphError if `start` does not fit the model; ResumeError if the folder's checkpoint is damaged or of other settings;
 *   DivergenceError; FileError if the disk refuses; and the signal's reason when aborted, after a checkpoint was saved.
 */
export async function runTraining(options: TrainerOptions): Promise<Map<string, TensorData>> {
  const { folder, runtime, steps, seed, signal, start } = options;
  const { stepsPerRun } = options.training;
  signal?.throwIfAborted();
  const training = trainingGraph(options.training);
  const initial = initializeParameters(training.parameters, seed);
  if (start) {
    const started = [...training.parameters].filter(([name]) => name.startsWith(start.prefix));
    checkParameters(new Map(started), start.values);
    for (const [name] of started) initial.set(name, start.values.get(name)!);
  }
  const settings = { ...options.settings, seed, steps, start: start ? digestOf(initial) : 'random' };

  await makeFolder(folder);
  await deleteUnfinishedFiles(folder);
  const metricsPath = join(folder, 'metrics.jsonl');
  const memory = [...(options.memory ?? [])];
  const shapes = new Map([...training.state, ...memory]);
  let state: TrainingState | undefined = await loadCheckpoint(folder, shapes, settings, options.defaults);
  if (!state) {
    const tensors = initialState(training, initial as ReadonlyMap<string, { data: Float32Array }>);
    for (const [name, shape] of memory) tensors.set(name, new Float32Array(sizeOf(shape)));
    state = { step: 0, tensors };
  }
  await truncateMetrics(metricsPath, state.step);
  if (state.step === steps) return trainedParameters(state.tensors, training);

  const executable = await runtime.compile(training.graph);
  let savedStep = state.step;
  const save = async ({ step, tensors }: TrainingState) => {
    if (step > savedStep) await saveCheckpoint(folder, { step, tensors }, shapes, settings);
    savedStep = step;
  };
  let batches = startLoading(options, training, state.step);
  try {
    while (state.step < steps) {
      if (signal?.aborted) {
        await save(state);
        signal.throwIfAborted();
      }
      const started = performance.now();
      const inputs = { ...toInputs(state.tensors, training), ...(await batches) };
      const running = executable.run(inputs, { transfer: true });
      const step: number = state.step + stepsPerRun;
      // The next batches are loaded while this run computes.
      if (step < steps) batches = startLoading(options, training, step);
      const outputs = await running;
      const seconds = (performance.now() - started) / 1000;
      const tensors = new Map([...training.state.keys()].map((name) => [name, outputs[name]!.data as Float32Array]));
      for (const [name] of memory) tensors.set(name, state.tensors.get(name)!);
      options.afterRun?.(tensors, outputs, step);
      state = { step, tensors };

      const records = metricsOf(outputs, training, step, options);
      for (const record of records) checkFinite(record, folder);
      if (step % options.evaluateEvery === 0 || step === steps) {
        const measured = await options.evaluate(trainedParameters(tensors, training), step);
        records[stepsPerRun - 1] = { ...records[stepsPerRun - 1]!, ...measured };
        checkFinite(records[stepsPerRun - 1]!, folder);
      }
      await appendMetrics(metricsPath, records);
      if (step % options.checkpointEvery === 0 || step === steps) await save(state);
      const rate = stepsPerRun / seconds;
      const secondsLeft = (steps - step) / rate;
      const loss = records.at(-1)!.loss!;
      await options.onProgress?.({ stage: 'train', unit: 'steps', done: step, total: steps, rate, secondsLeft, loss });
    }
  } finally {
    // Nothing is read after the call, so that the caller may close the dataset.
    await batches.catch(() => undefined);
    await executable.dispose();
  }
  return trainedParameters(state.tensors, training);
}

/** The model's parameters, in their averaged form where there is one. */
function trainedParameters(
  state: ReadonlyMap<string, Float32Array>,
  { parameters }: TrainingGraph,
): Map<string, TensorData> {
  const values = [...parameters].map(([name, { shape }]): [string, TensorData] => {
    const data = state.get(`average/${name}`) ?? state.get(name)!;
    return [name, { dtype: 'float32', shape, data }];
  });
  return new Map(values);
}

function toInputs(state: ReadonlyMap<string, Float32Array>, training: TrainingGraph): Record<string, TensorData> {
  const inputs = [...training.state].map(([name, shape]): [string, TensorData] => {
    return [name, { dtype: 'float32', shape, data: state.get(name)! }];
  });
  return Object.fromEntries(inputs);
}

/** Loads the inputs of one run of the graph. A failure is reported to the caller that awaits it, and to nobody if the run ended before. */
function startLoading(
  options: TrainerOptions,
  training: TrainingGraph,
  step: number,
): Promise<Record<string, TensorData>> {
  const batches = loadBatches(options, training, step);
  batches.catch(() => undefined);
  return batches;
}

/** The inputs of one run of the graph that are not its state: for the steps after `step` steps. */
async function loadBatches(
  options: TrainerOptions,
  training: TrainingGraph,
  step: number,
): Promise<Record<string, TensorData>> {
  const steps = Array.from({ length: options.training.stepsPerRun }, (_, i) => step + i);
  const batches = await whenAll(steps.map(options.batch));
  const inputs: Record<string, TensorData> = {};
  for (const name of Object.keys(options.training.batch)) {
    const { shape, dtype } = training.graph.inputs[name]!;
    const data = dtype === 'int32' ? new Int32Array(sizeOf(shape)) : new Float32Array(sizeOf(shape));
    for (const [i, batch] of batches.entries()) data.set(batch[name]!, (i * data.length) / batches.length);
    inputs[name] = { dtype, shape, data } as TensorData;
  }
  const rates = Float32Array.from(steps, options.learningRate);
  inputs.learningRate = { dtype: 'float32', shape: [rates.length], data: rates };
  inputs.step = { dtype: 'int32', shape: [], data: Int32Array.of(step) };
  return inputs;
}

/** One record a step: the learning rate and all that the graph reports of it as a scalar. */
function metricsOf(
  outputs: Readonly<Record<string, TensorData>>,
  { state }: TrainingGraph,
  step: number,
  { learningRate, training: { stepsPerRun } }: TrainerOptions,
): MetricsRecord[] {
  const scalars = Object.entries(outputs).filter(([name, { shape }]) => !state.has(name) && shape.length === 1);
  return Array.from({ length: stepsPerRun }, (_, i) => {
    const before = step - stepsPerRun + i;
    const values = scalars.map(([name, { data }]) => [name, data[i]!] as const);
    return { step: before + 1, ...Object.fromEntries(values), learningRate: learningRate(before) };
  });
}

function checkFinite(record: MetricsRecord, folder: string): void {
  const broken = Object.entries(record).find(([, value]) => !Number.isFinite(value));
  if (!broken) return;
  throw new DivergenceError(
    `Training diverged: ${broken[0]} is ${broken[1]} at step ${record.step}. Lower the learning rate or warm up over more steps, ` +
      `and train into a new folder. The checkpoints in ${folder} are from before.`,
  );
}

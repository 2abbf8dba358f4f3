import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  createRandom,
  initializeParameters,
  initialState,
  type Runtime,
  type Schedule,
  type Shape,
  sizeOf,
  type TensorData,
  type TrainingGraph,
  type TrainingOptions,
  trainingGraph,
} from '@dalle-mini/graph';
import { loadCheckpoint, saveCheckpoint, type TrainingState } from './checkpoint.js';
import { appendMetrics, type MetricsRecord, truncateMetrics } from './metrics.js';

/** What a caller may watch. */
export interface TrainingProgress {
  readonly step: number;
  readonly steps: number;
  /** Steps a second, over the last run of the graph. */
  readonly stepsPerSecond: number;
  readonly loss: number;
}

/** Settings that every kind of training has. */
export interface RunOptions {
  /** Where checkpoints, metrics and samples go. A run that finds a checkpoint of its own there goes on from it. */
  readonly folder: string;
  readonly runtime: Runtime;
  /** Steps to take in all. */
  readonly steps: number;
  /** Seeds everything: first values, order of samples, captions. */
  readonly seed: number;
  /** Steps between two checkpoints, and between two evaluations; multiples of the steps a run of the graph takes. */
  readonly checkpointEvery: number;
  readonly evaluateEvery: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: TrainingProgress) => void;
}

export interface TrainerOptions extends RunOptions {
  readonly training: TrainingOptions;
  readonly learningRate: Schedule;
  /** Parameters that start from given values instead of random ones, or that are not trained. */
  readonly parameters?: ReadonlyMap<string, TensorData>;
  /** Describes everything that decides the outcome; a checkpoint made under another description is refused. */
  readonly fingerprint: string;
  /** The inputs of one step, each `[accumulation, …]` as one array: a function of the step alone, so that runs can resume. */
  readonly batch: (step: number) => Promise<Readonly<Record<string, Float32Array | Int32Array>>>;
  /** What `afterRun` remembers beside what the graph carries: by name and shape, zeros at first, saved in checkpoints. */
  readonly memory?: ReadonlyMap<string, Shape>;
  /**
   * May change the state between two runs of the graph; must depend on its arguments alone. `step` counts steps taken, and
   * the state has what `memory` names too.
   */
  readonly afterRun?: (
    state: Map<string, Float32Array>,
    outputs: Readonly<Record<string, TensorData>>,
    step: number,
  ) => void;
  /** Measures the model: called with its parameters every `evaluateEvery` steps and at the end. */
  readonly evaluate?: (
    parameters: ReadonlyMap<string, TensorData>,
    step: number,
  ) => Promise<Readonly<Record<string, number>>>;
}

const keptCheckpoints = 2;

/**
 * Trains until `steps` are taken, from a checkpoint of the same run if the folder holds one, and returns the parameters:
 * their moving averages where the training keeps them.
 *
 * The same options give the same bytes, whether or not the run was interrupted.
 *
 * @throws the signal's reason when aborted, after a checkpoint was saved.
 */
export async function runTraining(options: TrainerOptions): Promise<Map<string, TensorData>> {
  const { folder, runtime, steps, seed, signal } = options;
  const { stepsPerRun } = options.training;
  for (const field of ['steps', 'checkpointEvery', 'evaluateEvery'] as const) {
    if (!Number.isSafeInteger(options[field]) || options[field] < 1 || options[field] % stepsPerRun !== 0) {
      throw new RangeError(
        `${field} must be a positive multiple of stepsPerRun, ${stepsPerRun}, not ${options[field]}`,
      );
    }
  }
  signal?.throwIfAborted();
  await mkdir(folder, { recursive: true });
  const metricsPath = join(folder, 'metrics.jsonl');
  const training = trainingGraph(options.training);
  const fixed = new Map<string, TensorData>();
  const initial = initializeParameters(training.parameters, createRandom(seed));
  for (const [name, value] of options.parameters ?? []) if (initial.has(name)) initial.set(name, value);
  for (const [name, value] of initial) if (!training.state.has(name)) fixed.set(name, value);

  const shapes = new Map([...training.state, ...(options.memory ?? [])]);
  let state: TrainingState | undefined = await loadCheckpoint(folder, shapes, options.fingerprint);
  if (!state) {
    const tensors = initialState(training, initial as ReadonlyMap<string, { data: Float32Array }>);
    for (const [name, shape] of options.memory ?? []) tensors.set(name, new Float32Array(sizeOf(shape)));
    state = { step: 0, tensors };
  }
  await truncateMetrics(metricsPath, state.step);
  const executable = await runtime.compile(training.graph);
  const save = () => saveCheckpoint(folder, state!, shapes, options.fingerprint, keptCheckpoints);
  let savedStep = state.step;
  try {
    let next = state.step < steps ? loadBatches(options, training, state.step) : undefined;
    while (state.step < steps) {
      if (signal?.aborted) {
        if (savedStep < state.step) await save();
        signal.throwIfAborted();
      }
      const started = performance.now();
      const batches = await next!;
      const running = executable.run(
        { ...toInputs(state.tensors, training), ...Object.fromEntries(fixed), ...batches },
        { transfer: fixed.size === 0 },
      );
      // The next batches are made while this run computes.
      if (state.step + stepsPerRun < steps) next = loadBatches(options, training, state.step + stepsPerRun);
      const outputs = await running;
      const step: number = state.step + stepsPerRun;
      const tensors = new Map([...training.state.keys()].map((name) => [name, outputs[name]!.data as Float32Array]));
      for (const name of options.memory?.keys() ?? []) tensors.set(name, state.tensors.get(name)!);
      options.afterRun?.(tensors, outputs, step);
      state = { step, tensors };

      const records = metricsOf(outputs, training, step, options);
      const last = records.at(-1)!;
      if (!Number.isFinite(last.loss)) {
        throw new Error(
          `the loss is ${last.loss} at step ${step}: lower the learning rate, and delete ${folder} or go on from its last checkpoint`,
        );
      }
      const isLast = step === steps;
      if (options.evaluate && (step % options.evaluateEvery === 0 || isLast)) {
        const measured = await options.evaluate(trainedParameters(state.tensors, training, fixed), step);
        records[records.length - 1] = { ...last, ...measured };
      }
      await appendMetrics(metricsPath, records);
      if (step % options.checkpointEvery === 0 || isLast) {
        await save();
        savedStep = step;
      }
      const seconds = (performance.now() - started) / 1000;
      options.onProgress?.({ step, steps, stepsPerSecond: stepsPerRun / seconds, loss: last.loss! });
    }
  } finally {
    await executable.dispose();
  }
  return trainedParameters(state.tensors, training, fixed);
}

/** The model's parameters, in their averaged form where there is one. */
function trainedParameters(
  state: ReadonlyMap<string, Float32Array>,
  training: TrainingGraph,
  fixed: ReadonlyMap<string, TensorData>,
): Map<string, TensorData> {
  const parameters = new Map<string, TensorData>();
  for (const [name, { shape }] of training.parameters) {
    const data = state.get(`average/${name}`) ?? state.get(name);
    parameters.set(name, data ? { dtype: 'float32', shape, data } : fixed.get(name)!);
  }
  return parameters;
}

function toInputs(state: ReadonlyMap<string, Float32Array>, training: TrainingGraph): Record<string, TensorData> {
  return Object.fromEntries(
    [...training.state].map(([name, shape]) => [
      name,
      { dtype: 'float32', shape, data: state.get(name)! } as TensorData,
    ]),
  );
}

async function loadBatches(
  options: TrainerOptions,
  training: TrainingGraph,
  step: number,
): Promise<Record<string, TensorData>> {
  const { stepsPerRun } = options.training;
  const batches = await Promise.all(Array.from({ length: stepsPerRun }, (_, i) => options.batch(step + i)));
  const inputs: Record<string, TensorData> = {};
  for (const name of Object.keys(options.training.batch)) {
    const { shape, dtype } = training.graph.inputs[name]!;
    const parts = batches.map((batch) => batch[name]!);
    const data =
      dtype === 'int32'
        ? new Int32Array(parts.length * parts[0]!.length)
        : new Float32Array(parts.length * parts[0]!.length);
    for (const [i, part] of parts.entries()) data.set(part, i * part.length);
    inputs[name] = { dtype, shape, data } as TensorData;
  }
  inputs.learningRate = {
    dtype: 'float32',
    shape: [stepsPerRun],
    data: Float32Array.from({ length: stepsPerRun }, (_, i) => options.learningRate(step + i)),
  };
  inputs.step = { dtype: 'int32', shape: [], data: Int32Array.of(step) };
  return inputs;
}

/** One record a step: the loss, the norm of the gradients, the learning rate and every metric that is a scalar. */
function metricsOf(
  outputs: Readonly<Record<string, TensorData>>,
  { state }: TrainingGraph,
  step: number,
  { learningRate, training: { stepsPerRun } }: TrainerOptions,
): MetricsRecord[] {
  const scalars = Object.entries(outputs).filter(([name, { shape }]) => !state.has(name) && shape.length === 1);
  return Array.from({ length: stepsPerRun }, (_, i) => {
    const taken = step - stepsPerRun + i + 1;
    const values = scalars.map(([name, { data }]) => [name, data[i]!] as const);
    return { step: taken, ...Object.fromEntries(values), learningRate: learningRate(taken - 1) };
  });
}

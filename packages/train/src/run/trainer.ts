import { DalleMiniError } from '@dalle-mini/core';
import { type ResidentState, type Shape, sizeOf, type TensorData } from '@dalle-mini/graph';
import { initializeParameters } from '@dalle-mini/graph/initializers';
import { checkParameters } from '@dalle-mini/graph/stored';
import {
  holdState,
  initialState,
  type Schedule,
  type TrainingGraph,
  type TrainingOptions,
  trainingGraph,
} from '@dalle-mini/graph/training';
import { HostError, type Hosts, oneHost } from '@dalle-mini/hosts';
import { agree } from './agreement.js';
import type { Score } from './best.js';
import { saveCheckpoint, type TrainingState } from './checkpoint.js';
import { type Combination, compileDataParallel, type TrainingExecutable } from './data-parallel.js';
import type { DataRecord } from './data-record.js';
import type { OnRuntime } from './device.js';
import type { MetricsRecord } from './metrics.js';
import type { RunOptions } from './options.js';
import { RunFiles } from './run-files.js';
import { digestOf, type Settings } from './settings.js';
import type { Share } from './share.js';
import { whenAll } from './when-all.js';

/** Training diverged: the loss or another metric is not finite. */
export class DivergenceError extends DalleMiniError {
  static override readonly code = 'DIVERGENCE';
}

/** Initial values of parameters. */
export interface Start {
  /** Whether `values` must have a parameter. */
  readonly covers: (name: string) => boolean;
  readonly values: ReadonlyMap<string, TensorData>;
}

export interface TrainerOptions extends Omit<OnRuntime<RunOptions>, 'order' | 'evaluationSize' | 'parameters'> {
  readonly training: TrainingOptions;
  readonly learningRate: Schedule;
  /** Initial values instead of random ones, for all parameters that it covers. */
  readonly start?: Start | undefined;
  /** Values of parameters that are not trained and not in the result, such as those of a network in the loss. Default: none. */
  readonly fixed?: ReadonlyMap<string, TensorData> | undefined;
  /** Selects the parameters of the result. Default: all. */
  readonly isResult?: ((name: string) => boolean) | undefined;
  /**
   * Everything that decides a step, except `seed`, `steps` and `start`. Checkpoints of other settings are refused.
   */
  readonly settings: Settings;
  /** The samples, so that a change of them is noticed. */
  readonly data: DataRecord;
  /** Defaults of the settings, for settings that an older checkpoint lacks. */
  readonly defaults: Settings;
  /** The samples of each batch that this host reads. The batches of `training` have this size. */
  readonly share: Share;
  /** How the metrics of several hosts become those of the whole batch. */
  readonly combination?: Combination | undefined;
  /**
   * Returns the inputs of one step, each `[accumulation, …]` as one array. Depends only on the step and the share, so that runs
   * can resume.
   */
  readonly batch: (step: number) => Promise<Readonly<Record<string, Float32Array | Int32Array>>>;
  /** Names and shapes of tensors for `afterRun`. They start as zeros and are saved in checkpoints. */
  readonly memory?: ReadonlyMap<string, Shape> | undefined;
  /**
   * May change the state and the memory between two runs of the graph. It must depend only on its arguments. `step` is the
   * number of steps taken.
   */
  readonly afterRun?: (
    state: ResidentState,
    memory: ReadonlyMap<string, Float32Array>,
    outputs: Readonly<Record<string, TensorData>>,
    step: number,
  ) => Promise<void>;
  /** The captions of the images that `evaluate` writes. */
  readonly samplePrompts?: readonly string[] | undefined;
  /** The metric of `evaluate` by which the best step is chosen. */
  readonly score: Score;
  /** Evaluates the model. Called with its parameters every `evaluateEvery` steps and at the end. */
  readonly evaluate: (
    parameters: ReadonlyMap<string, TensorData>,
    step: number,
  ) => Promise<Readonly<Record<string, number>>>;
}

/**
 * Trains for `steps` steps, from the newest checkpoint if the folder has one. Returns the parameters, or their moving
 * averages with `averageDecay`, of the best evaluation or of the last step.
 *
 * The same options give the same bytes on the same machine, whether or not the run was interrupted.
 *
 * @throws GraphError if `start` does not match the model; ResumeError if the checkpoint is damaged or of other
 *   settings or data; DivergenceError if a metric is not finite; FileError if a file cannot be written; HostError if a host is
 *   lost or differs; the signal's reason if it aborts, and the error of a sample that cannot be read, after saving a checkpoint.
 */
export async function runTraining(options: TrainerOptions): Promise<Map<string, TensorData>> {
  const { runtime, steps, seed, signal, hosts = oneHost, data } = options;
  const { stepsPerRun } = options.training;
  signal?.throwIfAborted();
  const training = trainingGraph(options.training);
  const { fixed = new Map<string, TensorData>() } = options;
  const initial = initialParameters(options, training);
  const start = options.start ? digestOf(initial) : 'random';
  const settings = { ...options.settings, data: { length: data.length }, seed, steps, start };
  const frozen = new Map([...[...initial].filter(([name]) => !training.state.has(name)), ...fixed]);
  const { isResult = () => true } = options;
  const results = new Map([...training.parameters].filter(([name]) => isResult(name)));
  const memoryShapes = options.memory ?? new Map<string, Shape>();
  const shapes = new Map([...training.state, ...memoryShapes]);

  await agree(hosts, runtime, settings, data);
  // Rank 0 has the folder, and decides when the run ends.
  const files = hosts.rank === 0 ? await RunFiles.open({ ...options, settings, shapes }) : undefined;
  const first = await shareState(hosts, files?.state ?? firstState(training, initial, memoryShapes));
  let { step } = first;
  const decided = async (own: boolean): Promise<boolean> => (await hosts.gather(own))[0]!;
  const hasEnded = () => decided(step === steps || files?.isStuck === true);
  const finish = async (state: Pick<ResidentState, 'names' | 'read'>) => {
    const result = (await files?.readBest(step, results)) ?? (await trainedParameters(state, results, frozen));
    await broadcastAll(hosts, result.values());
    return result;
  };
  const firstValues = stateValues(first.tensors, training);
  if (await hasEnded()) return finish({ names: new Set(training.state.keys()), read: async () => firstValues });

  await files?.startLog(step);
  const executable = await compileTraining(options, training, frozen);
  let batches = startLoading(options, training, step);
  try {
    const state = await executable.hold(firstValues);
    const memory = new Map([...memoryShapes.keys()].map((name) => [name, first.tensors.get(name)!]));
    /** Writes a checkpoint if rank 0 wants one, unless there is one of this step. */
    const save = async (isWanted: boolean) => {
      if (!(await decided(isWanted && files?.isUnsaved(step) === true))) return;
      // Each host writes parts of its own copy of a divided state, and rank 0 all of another.
      if (state.division) await alignStates(hosts, state);
      const writers = state.division ? hosts : oneHost;
      if (files || state.division)
        await saveCheckpoint(options.folder, step, { state, memory }, shapes, settings, writers);
      await files?.saved(step);
    };
    /** Returns the next batches. If a host cannot read its share, or is asked to stop, all stop after a checkpoint. */
    const takeBatches = async () => {
      const [own] = await Promise.allSettled([batches]);
      const problem = signal?.aborted ? 'it was asked to' : own.status === 'rejected' ? String(own.reason) : null;
      const problems = await hosts.gather(problem);
      const stopping = problems.findIndex((given) => given !== null);
      if (own.status === 'fulfilled' && stopping === -1) return own.value;
      await save(true);
      // A launcher that sees one host end may end rank 0 before it has saved.
      await hosts.gather('saved');
      signal?.throwIfAborted();
      if (own.status === 'rejected') throw own.reason;
      throw new HostError(
        `All hosts stopped after a checkpoint, because of ${hosts.nameOf(stopping)}: ${problems[stopping]}.`,
      );
    };
    while (!(await hasEnded())) {
      const started = performance.now();
      const running = state.run(await takeBatches());
      step += stepsPerRun;
      // The next batches are loaded while this run computes.
      if (step < steps) batches = startLoading(options, training, step);
      const outputs = await running;
      const seconds = (performance.now() - started) / 1000;
      await options.afterRun?.(state, memory, outputs, step);

      const latest = metricsOf(outputs, step, options);
      for (const record of latest) checkFinite(record, options.folder);
      if (files && (step % options.evaluateEvery === 0 || step === steps)) {
        const trained = await trainedParameters(state, results, frozen);
        const record = { ...latest[stepsPerRun - 1]!, ...(await options.evaluate(trained, step)) };
        latest[stepsPerRun - 1] = record;
        checkFinite(record, options.folder);
        await files.addEvaluation(record, trained);
      }
      await files?.add(latest, seconds);
      const isRegular = step % options.checkpointEvery === 0;
      if (isRegular && !state.division) await alignStates(hosts, state);
      await save(isRegular || step === steps || files?.isStuck === true);
      const rate = stepsPerRun / seconds;
      const secondsLeft = (steps - step) / rate;
      const loss = latest.at(-1)!.loss!;
      await options.onProgress?.({ stage: 'train', unit: 'steps', done: step, total: steps, rate, secondsLeft, loss });
    }
    return await finish(state);
  } finally {
    // Waits for the last reads, so that the caller may close the dataset.
    await batches.catch(() => undefined);
    await executable.dispose();
  }
}

/** Returns the parameters before the first step, without the fixed ones. */
function initialParameters(
  { seed, start, fixed }: TrainerOptions,
  { parameters }: TrainingGraph,
): Map<string, TensorData> {
  const initial = initializeParameters(new Map([...parameters].filter(([name]) => !fixed?.has(name))), seed);
  if (!start) return initial;
  const started = [...parameters].filter(([name]) => start.covers(name));
  checkParameters(new Map(started), start.values);
  for (const [name] of started) initial.set(name, start.values.get(name)!);
  return initial;
}

async function compileTraining(
  { runtime, hosts = oneHost, training, share, combination = {} }: TrainerOptions,
  { graph, roles }: TrainingGraph,
  frozen: ReadonlyMap<string, TensorData>,
): Promise<TrainingExecutable> {
  if (hosts.size > 1) return compileDataParallel({ runtime, hosts, share, training, frozen, combination });
  const executable = await runtime.compile(graph, { roles, ...(frozen.size > 0 ? { parameters: frozen } : {}) });
  return { hold: (values) => holdState(executable, values), dispose: () => executable.dispose() };
}

/** Returns the state of rank 0 on all hosts. */
async function shareState(hosts: Hosts, state: TrainingState): Promise<TrainingState> {
  const [step] = await hosts.gather(state.step);
  for (const values of state.tensors.values()) await hosts.broadcast(values);
  return { ...state, step: step! };
}

/** Gives all hosts the state of rank 0. They may round differently, and a run that resumes has it too. */
async function alignStates(hosts: Hosts, state: ResidentState): Promise<void> {
  if (hosts.size === 1) return;
  // One at a time: the state may be on devices because it is large.
  for (const name of state.names) {
    const value = await state.read([name]);
    await broadcastAll(hosts, Object.values(value));
    await state.write(value);
  }
}

async function broadcastAll(hosts: Hosts, tensors: Iterable<TensorData>): Promise<void> {
  for (const { data } of tensors) await hosts.broadcast(data as Float32Array);
}

/** Returns the state before the first step. */
function firstState(
  training: TrainingGraph,
  initial: ReadonlyMap<string, TensorData>,
  memory: ReadonlyMap<string, Shape>,
): TrainingState {
  const tensors = initialState(training, initial as ReadonlyMap<string, { data: Float32Array }>);
  for (const [name, shape] of memory) tensors.set(name, new Float32Array(sizeOf(shape)));
  return { step: 0, tensors };
}

/** Returns parameters, or their moving averages if the state has them. */
async function trainedParameters(
  state: Pick<ResidentState, 'names' | 'read'>,
  parameters: ReadonlyMap<string, unknown>,
  frozen: ReadonlyMap<string, TensorData>,
): Promise<Map<string, TensorData>> {
  const trained = [...parameters.keys()].filter((name) => !frozen.has(name));
  const sources = new Map(trained.map((name) => [name, state.names.has(`average/${name}`) ? `average/${name}` : name]));
  const values = await state.read(sources.values());
  return new Map([...parameters.keys()].map((name) => [name, frozen.get(name) ?? values[sources.get(name)!]!]));
}

function stateValues(
  tensors: ReadonlyMap<string, Float32Array>,
  training: TrainingGraph,
): Readonly<Record<string, TensorData>> {
  const values = [...training.state].map(([name, shape]): [string, TensorData] => {
    return [name, { dtype: 'float32', shape, data: tensors.get(name)! }];
  });
  return Object.fromEntries(values);
}

/**
 * Starts loading the inputs of one run of the graph. A rejection that is never awaited is not an unhandled rejection.
 */
function startLoading(
  options: TrainerOptions,
  training: TrainingGraph,
  step: number,
): Promise<Record<string, TensorData>> {
  const batches = loadBatches(options, training, step);
  batches.catch(() => undefined);
  return batches;
}

/** Loads the inputs of one run of the graph, except its state, for the steps after `step`. */
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

/** Returns one record per step: the learning rate and the scalar outputs of the graph, without its state. */
function metricsOf(
  outputs: Readonly<Record<string, TensorData>>,
  step: number,
  { learningRate, training: { stepsPerRun } }: TrainerOptions,
): MetricsRecord[] {
  const scalars = Object.entries(outputs).filter(([, { shape }]) => shape.length === 1);
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
      `and train into a new folder. The checkpoints in ${folder} are from earlier steps.`,
  );
}

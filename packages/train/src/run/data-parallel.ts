import {
  type Executable,
  mul,
  parametersOf,
  type ResidentState,
  type Runtime,
  type Shape,
  type StateBlock,
  type StateDivision,
  type StatisticKind,
  type Tensor,
  type TensorData,
} from '@dalle-mini/graph';
import {
  type GraphWithRoles,
  holdState,
  type SplitUpdate,
  type StatisticsGraph,
  splitTrainingGraph,
  type TrainingOptions,
  type UpdateOptions,
} from '@dalle-mini/graph/training';
import type { Hosts } from '@dalle-mini/hosts';
import { wholeBlocks } from './checkpoint-parts.js';
import type { Share } from './share.js';

/**
 * How the values of a metric on several hosts become that of the whole batch: a `sum`, or the `rows` of all samples along the first axis.
 * Without an entry it is their mean, weighted by the samples of each host, as for the loss.
 */
export type Combination = Readonly<Record<string, 'sum' | 'rows'>>;

export interface DataParallelOptions {
  readonly runtime: Runtime;
  readonly hosts: Hosts;
  readonly share: Share;
  /** Its batches are those of the share. */
  readonly training: TrainingOptions;
  readonly frozen: ReadonlyMap<string, TensorData>;
  readonly combination: Combination;
}

/** A training graph that runs. */
export interface TrainingExecutable {
  /** Keeps the state, the first values of which it takes over. */
  hold(values: Values): Promise<ResidentState>;
  dispose(): Promise<void>;
}

type Values = Readonly<Record<string, TensorData>>;

/**
 * Compiles training for several hosts. Each computes the gradients of its share of a batch. Their sum over all hosts is the gradient of the
 * whole batch, from which each host updates its own copy of the state. Inputs and outputs are those of `trainingGraph`.
 */
export async function compileDataParallel(options: DataParallelOptions): Promise<TrainingExecutable> {
  const { runtime, share, training, frozen, combination } = options;
  const weight = share.size / share.batchSize;
  const { adversary } = training;
  const { updates, state } = splitTrainingGraph(
    {
      ...training,
      loss: weighted(training.loss, weight, combination),
      adversary: adversary && { ...adversary, loss: weighted(adversary.loss, weight, combination) },
    },
    share,
  );
  const compiled: CompiledUpdate[] = [];
  const dispose = async () => {
    for (const { statistics, gradients, update } of compiled)
      for (const one of [...statistics, gradients, update]) await one.executable.dispose();
  };
  try {
    for (const update of updates) compiled.push(await compileUpdate(runtime, update, frozen));
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    dispose,
    async hold(values) {
      const held = await Promise.all(
        compiled.map(({ update, state }) => holdState(update.executable, pick(values, state))),
      );
      const names = new Set(state.keys());
      const buffers = pick(
        values,
        [...names].filter((name) => !held.some((one) => one.names.has(name))),
      );
      return new StateOnHost(options, compiled, state, held, buffers);
    },
  };
}

/** A compiled graph with the names of its inputs. */
interface CompiledPart {
  readonly executable: Executable;
  readonly inputs: readonly string[];
}

interface CompiledUpdate extends Pick<SplitUpdate, 'assigned' | 'state'> {
  readonly statistics: readonly (CompiledPart & Pick<StatisticsGraph, 'kinds'>)[];
  readonly gradients: CompiledPart;
  readonly update: CompiledPart;
}

async function compileUpdate(
  runtime: Runtime,
  { statistics, gradients, update, assigned, state }: SplitUpdate,
  frozen: ReadonlyMap<string, TensorData>,
): Promise<CompiledUpdate> {
  const compile = async ({ graph, roles }: GraphWithRoles): Promise<CompiledPart> => {
    const names = [...parametersOf(Object.values(graph.outputs)).keys()];
    const parameters = names.length > 0 ? new Map(names.map((name) => [name, frozen.get(name)!])) : undefined;
    const executable = await runtime.compile(graph, { roles, parameters });
    return { executable, inputs: Object.keys(graph.inputs) };
  };
  const stages = [];
  for (const stage of statistics) stages.push({ ...(await compile(stage)), kinds: stage.kinds });
  return {
    statistics: stages,
    gradients: await compile(gradients),
    update: await compile(update),
    assigned,
    state,
  };
}

/** The state of a host. Its parts are those of the updates, on devices if the runtime has some, and the buffers. */
class StateOnHost implements ResidentState {
  readonly names: ReadonlySet<string>;

  constructor(
    private readonly options: DataParallelOptions,
    private readonly updates: readonly CompiledUpdate[],
    shapes: ReadonlyMap<string, Shape>,
    private readonly held: readonly ResidentState[],
    private buffers: Values,
  ) {
    this.names = new Set(shapes.keys());
  }

  async run(inputs: Values): Promise<Record<string, TensorData>> {
    const { stepsPerRun, batch } = this.options.training;
    const reports: Values[] = [];
    for (let i = 0; i < stepsPerRun; i++) {
      const batches = Object.fromEntries(Object.keys(batch).map((name) => [name, elementOf(inputs[name]!, i)]));
      const [step, learningRate] = [inputs.step!.data[0]! + i, inputs.learningRate!.data[i]!];
      const reported: Values[] = [];
      for (const [index, update] of this.updates.entries())
        reported.push(await this.take(update, this.held[index]!, { batches, step, learningRate }));
      reports.push(Object.assign({}, ...reported));
    }
    const names = Object.keys(reports[0]!);
    return Object.fromEntries(names.map((name) => [name, stack(reports.map((one) => one[name]!))]));
  }

  /** Takes the step of an update. Returns its loss and metrics. */
  private async take(
    { statistics, gradients, update, assigned }: CompiledUpdate,
    state: ResidentState,
    { batches, step, learningRate }: { readonly batches: Values; readonly step: number; readonly learningRate: number },
  ): Promise<Values> {
    const { hosts, share, combination } = this.options;
    const inputs = { ...batches, step: int32(step) };
    const whole: Record<string, TensorData> = {};
    for (const stage of statistics) {
      for (const [name, own] of Object.entries(await this.compute(stage, { ...inputs, ...whole }))) {
        whole[name] = summand(own, stage.kinds[name]!, share);
        await hosts.sum(whole[name].data as Float32Array);
      }
    }
    const { gradients: vector, ...outputs } = await this.compute(gradients, { ...inputs, ...whole });
    await hosts.sum(vector!.data as Float32Array);
    const reported: Record<string, TensorData> = {};
    for (const [name, part] of Object.entries(outputs)) {
      if (assigned.includes(name)) continue;
      reported[name] = combination[name] === 'rows' ? amongRows(part, share) : part;
      await hosts.sum(reported[name].data as Float32Array);
    }
    await this.write(pick(outputs, assigned));
    // The memory of these inputs is taken over.
    const own = { gradients: vector!, step: int32(step), learningRate: float32(learningRate) };
    const norm = await state.run(pick(own, update.inputs));
    return { ...reported, ...norm };
  }

  /** Computes a graph whose inputs may be in the state. */
  private async compute({ executable, inputs }: CompiledPart, given: Values): Promise<Record<string, TensorData>> {
    const own = pick({ ...this.buffers, ...given }, inputs);
    if (executable.holdState) return executable.run(own, { state: this.held });
    const values = await this.read(inputs.filter((name) => !(name in own)));
    return executable.run({ ...values, ...own });
  }

  async read(names: Iterable<string> = this.names): Promise<Record<string, TensorData>> {
    const wanted = [...names];
    const values = await Promise.all(this.held.map((one) => one.read(wanted.filter((name) => one.names.has(name)))));
    return Object.assign({}, pick(this.buffers, wanted), ...values);
  }

  async write(values: Values): Promise<void> {
    for (const one of this.held) {
      const own = pick(values, one.names);
      if (Object.keys(own).length > 0) await one.write(own);
    }
    this.buffers = { ...this.buffers, ...pick(values, Object.keys(this.buffers)) };
  }

  get division(): StateDivision | undefined {
    const parts = Math.max(1, ...this.held.map(({ division }) => division?.parts ?? 1));
    if (parts === 1) return undefined;
    const partOf = async (state: ResidentState, part: number): Promise<Record<string, StateBlock>> => {
      if (state.division) return part < state.division.parts ? state.division.read(part) : {};
      return part === 0 ? wholeBlocks(await state.read()) : {};
    };
    return {
      parts,
      read: async (part) => {
        const blocks = await Promise.all(this.held.map((one) => partOf(one, part)));
        return Object.assign(part === 0 ? wholeBlocks(this.buffers) : {}, ...blocks);
      },
    };
  }

  async dispose(): Promise<void> {
    for (const one of this.held) await one.dispose();
  }
}

const int32 = (value: number): TensorData => ({ dtype: 'int32', shape: [], data: Int32Array.of(value) });
const float32 = (value: number): TensorData => ({ dtype: 'float32', shape: [], data: Float32Array.of(value) });

/** Multiplies means over the samples of a host by its weight, so that their sum over all hosts is the mean over the batch. */
function weighted(loss: UpdateOptions['loss'], weight: number, combination: Combination): UpdateOptions['loss'] {
  return (scope, batch, step) => {
    const result = loss(scope, batch, step);
    const metrics = Object.entries(result.metrics ?? {}).map(([name, metric]): [string, Tensor] => [
      name,
      combination[name] === undefined ? mul(metric, weight) : metric,
    ]);
    return {
      loss: mul(result.loss, weight),
      surrogate: result.surrogate && mul(result.surrogate, weight),
      metrics: Object.fromEntries(metrics),
    };
  };
}

/** Returns what a host adds to the sum over all hosts that is a statistic of the whole batch. */
function summand(own: TensorData, kind: StatisticKind, share: Share): TensorData {
  if (kind === 'rows') return amongRows(own, share);
  const weight = kind === 'mean' ? share.size / share.batchSize : 1;
  return { ...own, data: (own.data as Float32Array).map((value) => value * weight) } as TensorData;
}

/** Returns zeros for the rows of the whole batch, with those of a share in their place. */
function amongRows({ shape, data }: TensorData, { start, size, batchSize }: Share): TensorData {
  const [rows, ...rest] = shape as [number, ...number[]];
  const perSample = data.length / size;
  const whole = new Float32Array(perSample * batchSize);
  whole.set(data, start * perSample);
  return { dtype: 'float32', shape: [(rows / size) * batchSize, ...rest], data: whole };
}

/** Returns the values with some names, as far as they are there. */
const pick = (values: Values, names: Iterable<string>): Values =>
  Object.fromEntries([...names].filter((name) => name in values).map((name) => [name, values[name]!]));

/** Returns a copy of an element along the first axis. */
function elementOf({ dtype, shape: [count, ...shape], data }: TensorData, index: number): TensorData {
  const length = data.length / count!;
  return { dtype, shape, data: data.slice(index * length, (index + 1) * length) } as TensorData;
}

/** Joins float32 tensors along a new first axis. */
function stack(tensors: readonly TensorData[]): TensorData {
  const { shape, data } = tensors[0]!;
  const whole = new Float32Array(tensors.length * data.length);
  for (const [i, tensor] of tensors.entries()) whole.set(tensor.data, i * data.length);
  return { dtype: 'float32', shape: [tensors.length, ...shape], data: whole };
}

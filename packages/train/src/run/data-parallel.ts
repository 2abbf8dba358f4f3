import { type Executable, mul, type Runtime, type Tensor, type TensorData } from '@dalle-mini/graph';
import { splitTrainingGraph, type TrainingOptions } from '@dalle-mini/graph/training';
import type { Hosts } from '@dalle-mini/hosts';
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
export type TrainingExecutable = Pick<Executable, 'run' | 'dispose'>;

/**
 * Compiles training for several hosts. Each computes the gradients of its share of a batch. Their sum over all hosts is the gradient of the
 * whole batch, from which each host updates its own copy of the state. Inputs and outputs are those of `trainingGraph`.
 */
export async function compileDataParallel(options: DataParallelOptions): Promise<TrainingExecutable> {
  const { runtime, hosts, share, training, frozen, combination } = options;
  const weight = share.size / share.batchSize;
  const graphs = splitTrainingGraph({ ...training, loss: weighted(training.loss, weight, combination) });
  const backward = await runtime.compile(graphs.gradients, frozen.size > 0 ? { parameters: frozen } : {});
  const update = await runtime.compile(graphs.update);
  const batchNames = Object.keys(training.batch);
  const trained = [...graphs.parameters.keys()].filter((name) => graphs.state.has(name));

  const takeStep = async (state: Values, batches: Values, learningRate: number, step: number) => {
    const stepsTaken: TensorData = { dtype: 'int32', shape: [], data: Int32Array.of(step) };
    const { gradients, ...reported } = await backward.run({ ...pick(state, trained), ...batches, step: stepsTaken });
    await hosts.sum(gradients!.data as Float32Array);
    for (const [name, part] of Object.entries(reported)) {
      const whole = combination[name] === 'rows' ? amongRows(part, share) : part;
      await hosts.sum(whole.data as Float32Array);
      reported[name] = whole;
    }
    const { gradientNorm, ...next } = await update.run(
      {
        ...state,
        gradients: gradients!,
        learningRate: { dtype: 'float32', shape: [], data: Float32Array.of(learningRate) },
        step: stepsTaken,
      },
      { transfer: true },
    );
    return { next, reported: { ...reported, gradientNorm: gradientNorm! } };
  };

  return {
    async run(inputs) {
      let state: Values = pick(inputs, [...graphs.state.keys()]);
      const reports: Values[] = [];
      for (let i = 0; i < training.stepsPerRun; i++) {
        const batches = Object.fromEntries(batchNames.map((name) => [name, elementOf(inputs[name]!, i)]));
        const { learningRate, step } = inputs;
        const { next, reported } = await takeStep(state, batches, learningRate!.data[i]!, step!.data[0]! + i);
        state = next;
        reports.push(reported);
      }
      const names = Object.keys(reports[0]!);
      return { ...state, ...Object.fromEntries(names.map((name) => [name, stack(reports.map((one) => one[name]!))])) };
    },
    async dispose() {
      await backward.dispose();
      await update.dispose();
    },
  };
}

type Values = Readonly<Record<string, TensorData>>;

/** Multiplies means over the samples of a host by its weight, so that their sum over all hosts is the mean over the batch. */
function weighted(loss: TrainingOptions['loss'], weight: number, combination: Combination): TrainingOptions['loss'] {
  return (scope, batch, step) => {
    const result = loss(scope, batch, step);
    const metrics = Object.entries(result.metrics ?? {}).map(([name, metric]): [string, Tensor] => [
      name,
      combination[name] === undefined ? mul(metric, weight) : metric,
    ]);
    return { loss: mul(result.loss, weight), metrics: Object.fromEntries(metrics) };
  };
}

/** Returns zeros for the rows of the whole batch, with those of a share in their place. */
function amongRows({ shape, data }: TensorData, { start, size, batchSize }: Share): TensorData {
  const [rows, ...rest] = shape as [number, ...number[]];
  const perSample = data.length / size;
  const whole = new Float32Array(perSample * batchSize);
  whole.set(data, start * perSample);
  return { dtype: 'float32', shape: [(rows / size) * batchSize, ...rest], data: whole };
}

const pick = (values: Values, names: readonly string[]): Values =>
  Object.fromEntries(names.map((name) => [name, values[name]!]));

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

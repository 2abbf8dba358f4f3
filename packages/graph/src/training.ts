import { grad } from './gradient.js';
import { add, cast, div, gather, input, loop, minimum, mul, scalar, sub } from './operators.js';
import { clipByGlobalNorm, type Optimizer } from './optimizers.js';
import { ParameterScope } from './parameters.js';
import { type DType, type Graph, GraphError, type Shape, type Tensor } from './tensor.js';

/** The loss of one batch and what else is to be reported of it. */
export interface LossResult {
  /** A float32 scalar. */
  readonly loss: Tensor;
  /** float32 of any shape, averaged over accumulated batches. Not named as anything of the training graph's own. */
  readonly metrics?: Readonly<Record<string, Tensor>>;
}

export interface TrainingOptions {
  /** The inputs of one batch, by name. */
  readonly batch: Readonly<Record<string, { readonly shape: Shape; readonly dtype: DType }>>;
  /** The model: from parameters and one batch to the loss. */
  readonly loss: (scope: ParameterScope, batch: Readonly<Record<string, Tensor>>) => LossResult;
  readonly optimizer: Optimizer;
  /** Steps that one run of the graph takes: what is remembered stays inside between them. */
  readonly stepsPerRun: number;
  /** Batches whose gradients are averaged before a step. Default 1. */
  readonly accumulation?: number;
  /** Largest norm of all gradients together. Default no limit. */
  readonly clipNorm?: number;
  /** Which parameters are trained. Default all; the others are given at each run and stay as they are. */
  readonly trains?: (name: string) => boolean;
  /**
   * Also keeps an exponential moving average of the parameters, with this decay at most: at step t it is (1 + t) / (10 + t),
   * so that the first values are soon forgotten. Default none.
   */
  readonly averageDecay?: number;
}

/** A training graph and what its inputs and outputs mean. */
export interface TrainingGraph {
  /**
   * Inputs: `learningRate` float32 `[stepsPerRun]`; `step` int32, the number of steps taken before; the batches
   * `[stepsPerRun, accumulation, …]` by their names; the state by its names; the parameters.
   * Outputs: the state after the steps, by the same names; `loss` and `gradientNorm`, float32 `[stepsPerRun]`, and the metrics, `[stepsPerRun, …]`.
   */
  readonly graph: Graph;
  /** All parameters of the model. */
  readonly parameters: ReadonlyMap<string, Tensor>;
  /** What changes from run to run: trained parameters under their names, slots as `optimizer/<slot>/<name>`, averages as `average/<name>`. */
  readonly state: ReadonlyMap<string, Shape>;
}

/**
 * Builds a graph that takes several training steps in one run: forward, backward, clipping and the optimizer, with the
 * state carried from step to step inside the graph.
 */
export function trainingGraph(options: TrainingOptions): TrainingGraph {
  const { optimizer, stepsPerRun, accumulation = 1, clipNorm, averageDecay } = options;
  const specs = Object.entries(options.batch);

  // A first building of the model tells which parameters it has.
  const scope = new ParameterScope();
  options.loss(scope, Object.fromEntries(specs.map(([name, { shape, dtype }]) => [name, input(name, shape, dtype)])));
  const parameters = scope.parameters;
  const trained = [...parameters.keys()].filter((name) => options.trains?.(name) ?? true);
  if (trained.length === 0) throw new GraphError('trainingGraph: no parameter is trained');

  const state = new Map<string, Shape>();
  const initial: Tensor[] = [];
  const inputs: Record<string, Tensor> = {};
  const remember = (name: string, shape: Shape, tensor: Tensor) => {
    state.set(name, shape);
    initial.push(tensor);
  };
  const stateInput = (name: string, shape: Shape) => {
    inputs[name] = input(name, shape);
    remember(name, shape, inputs[name]);
  };
  for (const name of trained) remember(name, parameters.get(name)!.shape, parameters.get(name)!);
  for (const name of trained) {
    const { shape } = parameters.get(name)!;
    for (const [slot, slotShape] of Object.entries(optimizer.slots(shape)))
      stateInput(`optimizer/${slot}/${name}`, slotShape);
    if (averageDecay !== undefined) stateInput(`average/${name}`, shape);
  }

  const learningRates = input('learningRate', [stepsPerRun]);
  const stepsBefore = input('step', [], 'int32');
  const batches = Object.fromEntries(
    specs.map(([name, { shape, dtype }]) => [name, input(name, [stepsPerRun, accumulation, ...shape], dtype)]),
  );
  Object.assign(inputs, { learningRate: learningRates, step: stepsBefore, ...batches });

  const metricNames: string[] = [];
  const result = loop(stepsPerRun, initial, (iteration, carried) => {
    const now = new Map([...state.keys()].map((name, i) => [name, carried[i]!]));
    const values = new Map([...parameters].map(([name, tensor]) => [name, now.get(name) ?? tensor]));
    const weights = trained.map((name) => now.get(name)!);

    /** Loss, metrics and gradients of one batch. */
    const differentiate = (index: Tensor): { reported: Tensor[]; gradients: Tensor[] } => {
      const batch = Object.fromEntries(
        Object.entries(batches).map(([name, tensor]) => [name, gather(gather(tensor, iteration), index)]),
      );
      const { loss, metrics = {} } = options.loss(new ParameterScope('', new Map(values)), batch);
      if (metricNames.length === 0) metricNames.push('loss', ...Object.keys(metrics));
      return { reported: [loss, ...Object.values(metrics)], gradients: grad(loss, weights) };
    };
    let { reported, gradients } = differentiate(scalar(0, 'int32'));
    if (accumulation > 1) {
      const sums = loop(accumulation - 1, [...reported, ...gradients], (index, totals) => {
        const more = differentiate(add(index, 1));
        return { carried: [...more.reported, ...more.gradients].map((tensor, i) => add(totals[i]!, tensor)) };
      }).carried.map((tensor) => mul(tensor, 1 / accumulation));
      reported = sums.slice(0, reported.length);
      gradients = sums.slice(reported.length);
    }
    const clipped = clipByGlobalNorm(gradients, clipNorm ?? Number.MAX_VALUE);
    if (clipNorm !== undefined) gradients = clipped.gradients;

    const step = cast(add(add(stepsBefore, iteration), 1), 'float32');
    const learningRate = gather(learningRates, iteration);
    const decay = minimum(div(add(step, 1), add(step, 10)), averageDecay ?? 1);
    const next = new Map<string, Tensor>();
    for (const [i, name] of trained.entries()) {
      const parameter = now.get(name)!;
      const slotNames = Object.keys(optimizer.slots(parameter.shape));
      const slots = Object.fromEntries(slotNames.map((slot) => [slot, now.get(`optimizer/${slot}/${name}`)!]));
      const updated = optimizer.update({ name, parameter, gradient: gradients[i]!, slots, learningRate, step });
      next.set(name, updated.parameter);
      for (const slot of slotNames) next.set(`optimizer/${slot}/${name}`, updated.slots[slot]!);
      if (averageDecay !== undefined) {
        const average = now.get(`average/${name}`)!;
        next.set(`average/${name}`, add(average, mul(sub(updated.parameter, average), sub(1, decay))));
      }
    }
    return { carried: [...state.keys()].map((name) => next.get(name)!), stacked: [...reported, clipped.norm] };
  });

  const outputs: Record<string, Tensor> = {};
  for (const [i, name] of [...state.keys()].entries()) outputs[name] = result.carried[i]!;
  for (const [i, name] of [...metricNames, 'gradientNorm'].entries()) outputs[name] = result.stacked[i]!;
  return { graph: { inputs, outputs }, parameters, state };
}

/** The state before the first step: the parameters' values, averages equal to them, and slots of zeros. */
export function initialState(
  training: TrainingGraph,
  parameters: ReadonlyMap<string, { readonly data: Float32Array }>,
): Map<string, Float32Array> {
  const values = new Map<string, Float32Array>();
  for (const [name, shape] of training.state) {
    const source = name.startsWith('average/') ? name.slice('average/'.length) : name;
    const given = parameters.get(source)?.data;
    values.set(name, given ? given.slice() : new Float32Array(shape.reduce((product, size) => product * size, 1)));
  }
  return values;
}

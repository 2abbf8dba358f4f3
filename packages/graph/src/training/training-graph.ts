import { GraphError } from '../graph-error.js';
import {
  add,
  cast,
  concat,
  div,
  gather,
  input,
  loop,
  minimum,
  mul,
  reshape,
  scalar,
  sliceAxis,
  sub,
} from '../operators.js';
import { ParameterScope } from '../parameters.js';
import { sizeOf } from '../shape.js';
import type { DType, Graph, Shape, Tensor } from '../tensor.js';
import { type GradOptions, grad } from './gradient.js';
import { clipByGlobalNorm, type Optimizer } from './optimizers.js';

/** The loss and the metrics of one batch. */
export interface LossResult {
  /** A float32 scalar. */
  readonly loss: Tensor;
  /** float32 of any shape, averaged over accumulated batches. A name must differ from the other outputs of the training graph. */
  readonly metrics?: Readonly<Record<string, Tensor>> | undefined;
}

export interface TrainingOptions {
  /** The inputs of one batch, by name. */
  readonly batch: Readonly<Record<string, { readonly shape: Shape; readonly dtype: DType }>>;
  /** Builds the model: computes the loss from the parameters and one batch. */
  readonly loss: (scope: ParameterScope, batch: Readonly<Record<string, Tensor>>) => LossResult;
  readonly optimizer: Optimizer;
  /** Number of steps per run of the graph. Between them the state stays inside the graph. */
  readonly stepsPerRun: number;
  /** Number of batches whose gradients are averaged before a step. Default 1. */
  readonly accumulation?: number | undefined;
  /** Largest global norm of the gradients. Default: no limit. */
  readonly clipNorm?: number | undefined;
  /**
   * Multiplies the learning rate of a parameter by a factor of at least 0. A parameter with the factor 0 is frozen: it has
   * no state, and is a parameter of the graph whose value does not change. Default 1 for all.
   */
  readonly rateFactor?: ((name: string) => number) | undefined;
  /** Segments that are computed again in the backward pass, to save memory: see {@link GradOptions}. Default: none. */
  readonly rematerialize?: GradOptions['rematerialize'];
  /**
   * Also keeps an exponential moving average of the parameters. The decay at step t is the smaller of `averageDecay` and
   * (1 + t) / (10 + t), so that the initial values fade quickly. Default: no average.
   */
  readonly averageDecay?: number | undefined;
}

/** A training graph with its parameters and its state. */
export interface TrainingGraph {
  /**
   * Inputs: `learningRate` float32 `[stepsPerRun]`; `step` int32, the number of steps taken so far; the batches
   * `[stepsPerRun, accumulation, …]` and the state, each under its name. Frozen parameters are parameters of the graph.
   * Outputs: the state after the steps, under the same names; `loss` and `gradientNorm`, float32 `[stepsPerRun]`; and the metrics
   * `[stepsPerRun, …]`.
   */
  readonly graph: Graph;
  /** All parameters of the model. */
  readonly parameters: ReadonlyMap<string, Tensor>;
  /** The state that each run updates: trained parameters by name, slots as `optimizer/<slot>/<name>`, averages as `average/<name>`. */
  readonly state: ReadonlyMap<string, Shape>;
}

/**
 * Builds a graph that takes several training steps in one run. A step consists of the forward pass, the backward pass, gradient
 * clipping and the optimizer. The state passes from step to step inside the graph.
 */
export function trainingGraph(options: TrainingOptions): TrainingGraph {
  const { optimizer, stepsPerRun, accumulation = 1, clipNorm, averageDecay, rateFactor = () => 1 } = options;
  const specs = Object.entries(options.batch);

  // Build the model once to find its parameters.
  const scope = new ParameterScope();
  options.loss(scope, Object.fromEntries(specs.map(([name, { shape, dtype }]) => [name, input(name, shape, dtype)])));
  const parameters = scope.parameters;
  const factors = new Map([...parameters.keys()].map((name) => [name, rateFactor(name)]));
  for (const [name, factor] of factors)
    if (!(factor >= 0 && factor < Number.POSITIVE_INFINITY))
      throw new GraphError(`trainingGraph: rateFactor of ${name} must be a number of at least 0, not ${factor}.`);
  const trained = [...parameters.keys()].filter((name) => factors.get(name) !== 0);
  if (trained.length === 0)
    throw new GraphError('trainingGraph: rateFactor must be above 0 for at least one parameter.');

  const inputs: Record<string, Tensor> = {};
  const stateInput = (name: string, shape: Shape) => {
    inputs[name] = input(name, shape);
    return inputs[name];
  };
  const groups = groupParameters(parameters, trained, optimizer, factors).map((names) => {
    const shapes = names.map((name) => parameters.get(name)!.shape);
    const slots = Object.keys(optimizer.slots(shapes[0]!));
    // Flatten a single 1×1 kernel too: to broadcast a scalar over trailing axes of size 1, ONNX Runtime takes 30 ns per element.
    const flat = optimizer.kind !== undefined && (names.length > 1 || shapes[0]!.at(-1) === 1);
    /** The group's state, one carried tensor of the loop each: the parameters, the slots and the averages. */
    const carried = [
      { names, shapes, flat },
      ...slots.map((slot) => ({
        names: names.map((name) => `optimizer/${slot}/${name}`),
        shapes: shapes.map((shape) => optimizer.slots(shape)[slot]!),
        flat,
      })),
      ...(averageDecay === undefined ? [] : [{ names: names.map((name) => `average/${name}`), shapes, flat }]),
    ];
    return { names, shapes, flat, slots, carried, factor: factors.get(names[0]!)! };
  });
  const carriedParts = groups.flatMap(({ carried }) => carried);
  const state = new Map(carriedParts.flatMap(({ names, shapes }) => names.map((name, i) => [name, shapes[i]!])));
  const initial = carriedParts.map(({ names, shapes, flat }) =>
    join(
      names.map((name, i) => stateInput(name, shapes[i]!)),
      flat,
    ),
  );

  const learningRates = input('learningRate', [stepsPerRun]);
  const stepsBefore = input('step', [], 'int32');
  const batches = Object.fromEntries(
    specs.map(([name, { shape, dtype }]) => [name, input(name, [stepsPerRun, accumulation, ...shape], dtype)]),
  );
  Object.assign(inputs, { learningRate: learningRates, step: stepsBefore, ...batches });

  const metricNames: string[] = [];
  const result = loop(stepsPerRun, initial, (iteration, carried) => {
    const now = new Map(carriedParts.map((part, i) => [part, carried[i]!]));
    const values = new Map(parameters);
    for (const { names, shapes, carried } of groups)
      for (const [name, tensor] of zip(names, cut(now.get(carried[0]!)!, shapes))) values.set(name, tensor);

    /** Computes the loss and the metrics of one batch, and each group's gradient. */
    const differentiate = (index: Tensor): { reported: Tensor[]; gradients: Tensor[] } => {
      const batch = Object.fromEntries(
        Object.entries(batches).map(([name, tensor]) => [name, gather(gather(tensor, iteration), index)]),
      );
      const { loss, metrics = {} } = options.loss(new ParameterScope('', new Map(values)), batch);
      if (metricNames.length === 0) metricNames.push('loss', ...Object.keys(metrics));
      const weights = trained.map((name) => values.get(name)!);
      const byParameter = new Map(zip(trained, grad(loss, weights, { rematerialize: options.rematerialize })));
      const gradients = groups.map(({ names, flat }) =>
        join(
          names.map((name) => byParameter.get(name)!),
          flat,
        ),
      );
      return { reported: [loss, ...Object.values(metrics)], gradients };
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
    const next = groups.flatMap(({ names, shapes, slots, carried, factor }, i) => {
      const [parameter, ...remembered] = carried.map((part) => now.get(part)!);
      const updated = optimizer.update({
        name: names[0]!,
        shape: shapes[0]!,
        parameter: parameter!,
        gradient: gradients[i]!,
        slots: Object.fromEntries(zip(slots, remembered)),
        learningRate: factor === 1 ? learningRate : mul(learningRate, factor),
        step,
      });
      const average = remembered[slots.length];
      return [
        updated.parameter,
        ...slots.map((slot) => updated.slots[slot]!),
        ...(average ? [add(average, mul(sub(updated.parameter, average), sub(1, decay)))] : []),
      ];
    });
    return { carried: next, stacked: [...reported, clipped.norm] };
  });

  const outputs: Record<string, Tensor> = {};
  for (const [{ names, shapes }, tensor] of zip(carriedParts, result.carried))
    for (const [name, part] of zip(names, cut(tensor, shapes))) outputs[name] = part;
  for (const [name, tensor] of zip([...metricNames, 'gradientNorm'], result.stacked)) outputs[name] = tensor;
  return { graph: { inputs, outputs }, parameters, state };
}

/** For parameters with fewer elements, the calls of the update's operators cost more than their work. */
const smallSize = 32768;

/**
 * Groups the parameters that are updated together: small ones of the same kind and factor. Every other parameter is a group of its
 * own.
 */
function groupParameters(
  parameters: ReadonlyMap<string, Tensor>,
  trained: readonly string[],
  optimizer: Optimizer,
  factors: ReadonlyMap<string, number>,
): string[][] {
  const groups = new Map<string, string[]>();
  for (const name of trained) {
    const { shape } = parameters.get(name)!;
    const kind = sizeOf(shape) < smallSize ? optimizer.kind?.(name, shape) : undefined;
    const key = kind === undefined ? `alone/${name}` : `kind/${factors.get(name)}/${kind}`;
    groups.set(key, [...(groups.get(key) ?? []), name]);
  }
  return [...groups.values()];
}

/** Concatenates tensors to one vector if `flat`; otherwise returns the only tensor. */
function join(tensors: readonly Tensor[], flat: boolean): Tensor {
  const [first, ...others] = flat ? tensors.map((tensor) => reshape(tensor, [-1])) : tensors;
  return others.length === 0 ? first! : concat([first!, ...others], 0);
}

/** Splits a tensor into the tensors that {@link join} joined. */
function cut(joined: Tensor, shapes: readonly Shape[]): Tensor[] {
  if (shapes.length === 1) return [reshape(joined, shapes[0]!)];
  let end = 0;
  return shapes.map((shape) => {
    const start = end;
    end += sizeOf(shape);
    return reshape(sliceAxis(joined, 0, start, end), shape);
  });
}

const zip = <A, B>(a: readonly A[], b: readonly B[]): [A, B][] => a.slice(0, b.length).map((item, i) => [item, b[i]!]);

/** Returns the state before the first step: the parameters' values, averages equal to them, and slots of zeros. */
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

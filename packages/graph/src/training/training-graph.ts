import { GraphError } from '../graph-error.js';
import { add, cast, div, gather, input, loop, minimum, mul, scalar, stopGradient, sub } from '../operators.js';
import { ParameterScope } from '../parameters.js';
import type { TensorRoles } from '../runtimes/runtime.js';
import type { DType, Graph, Shape, Tensor } from '../tensor.js';
import { type GradOptions, grad } from './gradient.js';
import { clipByGlobalNorm, type Optimizer } from './optimizers.js';
import {
  averageOf,
  cut,
  join,
  type Part,
  partOf,
  type UpdateGroup,
  updateGroups,
  type Values,
  zip,
} from './update-groups.js';

/** The loss and the metrics of one batch. */
export interface LossResult {
  /** A float32 scalar. */
  readonly loss: Tensor;
  /**
   * A float32 scalar with the gradients of `loss`, which is differentiated instead: it may be cheaper to differentiate if the loss already
   * computes some of these gradients.
   */
  readonly surrogate?: Tensor | undefined;
  /** float32 of any shape, averaged over accumulated batches. A name must differ from the other outputs of the training graph. */
  readonly metrics?: Readonly<Record<string, Tensor>> | undefined;
}

/** An update of some parameters: the gradients of a loss, and a step of an optimizer. */
export interface UpdateOptions {
  /**
   * Builds the model: computes the loss from the parameters and one batch. What it assigns in the scope is kept.
   *
   * @param step The number of steps taken before this one: int32 scalar.
   */
  readonly loss: (scope: ParameterScope, batch: Readonly<Record<string, Tensor>>, step: Tensor) => LossResult;
  readonly optimizer: Optimizer;
  /** Largest global norm of the gradients. Default: no limit. */
  readonly clipNorm?: number | undefined;
}

export interface TrainingOptions extends UpdateOptions {
  /** The inputs of one batch, by name. */
  readonly batch: Readonly<Record<string, { readonly shape: Shape; readonly dtype: DType }>>;
  /**
   * A second update in each step, with the values that the first one leaves: that of the discriminator of a GAN. It changes the
   * parameters whose names begin with `prefix`, and the first update changes the others. `name` begins the names of its loss and of the
   * norm of its gradients: `discriminatorLoss` and `discriminatorGradientNorm`.
   */
  readonly adversary?: (UpdateOptions & { readonly name: string; readonly prefix: string }) | undefined;
  /** Number of steps per run of the graph. Between them the state stays inside the graph. */
  readonly stepsPerRun: number;
  /** Number of batches whose gradients are averaged before an update. Default 1. */
  readonly accumulation?: number | undefined;
  /**
   * Multiplies the learning rate of a parameter by a factor of at least 0. A parameter with the factor 0 is frozen: it has
   * no state, and is a parameter of the graph whose value does not change. Default 1 for all.
   */
  readonly rateFactor?: ((name: string) => number) | undefined;
  /** Segments that are computed again in the backward pass, to save memory: see {@link GradOptions}. Default: none. */
  readonly rematerialize?: GradOptions['rematerialize'];
  /**
   * Also keeps an exponential moving average of the parameters, except those of `adversary`. The decay at step t is the smaller of
   * `averageDecay` and (1 + t) / (10 + t), so that the initial values fade quickly. Default: no average.
   */
  readonly averageDecay?: number | undefined;
}

/** A training graph with its parameters and its state. */
export interface TrainingGraph {
  /**
   * Inputs: `learningRate` float32 `[stepsPerRun]`; `step` int32, the number of steps taken so far; the batches
   * `[stepsPerRun, accumulation, …]` and the state, each under its name. Frozen parameters are parameters of the graph.
   * Outputs: the state after the steps, under the same names; `loss` and `gradientNorm`, float32 `[stepsPerRun]`, also of an adversary;
   * and the metrics `[stepsPerRun, …]`.
   */
  readonly graph: Graph;
  /** All parameters of the model. */
  readonly parameters: ReadonlyMap<string, Tensor>;
  /**
   * The state that each run updates: trained parameters and buffers by name, slots as `optimizer/<slot>/<name>`, averages as
   * `average/<name>`.
   */
  readonly state: ReadonlyMap<string, Shape>;
  /** What tensors of the graph are, to divide it over several devices. */
  readonly roles: TensorRoles;
}

/** The axis of the samples in the batches of a training graph. */
const sampleAxis = 2;

/**
 * Builds a graph that takes several training steps in one run. A step consists of the forward pass, the backward pass, gradient
 * clipping and the optimizer, for each update. The state passes from step to step inside the graph.
 *
 * @throws GraphError if a rate factor is not a number of at least 0, or if no parameter is trained.
 */
export function trainingGraph(options: TrainingOptions): TrainingGraph {
  const { stepsPerRun, accumulation = 1, averageDecay, adversary } = options;
  const specs = Object.entries(options.batch);

  // Build the model once to find its parameters.
  const scope = new ParameterScope();
  const sample = Object.fromEntries(specs.map(([name, { shape, dtype }]) => [name, input(name, shape, dtype)]));
  for (const { loss } of adversary ? [options, adversary] : [options]) loss(scope, sample, input('step', [], 'int32'));
  const { parameters, bufferNames } = scope;
  const updates = updatesOf(options, scope);
  const first = updates[0]!;
  const averages = new Map(averageDecay === undefined ? [] : first.groups.map((group) => [group, averageOf(group)]));

  const buffers = partOf([...bufferNames], parameters);
  const groups = updates.flatMap(({ groups }) => groups);
  /** The parts with values of parameters. */
  const valueParts = [...groups.map(({ value }) => value), ...(bufferNames.size > 0 ? [buffers] : [])];
  /** What the loop carries. */
  const parts = [...valueParts, ...groups.flatMap(({ slots }) => [...slots.values()]), ...averages.values()];
  const state = new Map(parts.flatMap(({ names, shapes }) => zip(names, shapes)));

  const stateInputs = new Map([...state].map(([name, shape]) => [name, input(name, shape)]));
  const learningRates = input('learningRate', [stepsPerRun]);
  const stepsBefore = input('step', [], 'int32');
  const batches = Object.fromEntries(
    specs.map(([name, { shape, dtype }]) => [name, input(name, [stepsPerRun, accumulation, ...shape], dtype)]),
  );
  const inputs = { ...Object.fromEntries(stateInputs), learningRate: learningRates, step: stepsBefore, ...batches };

  const reportedNames: string[] = [];
  const initial = parts.map((part) => join(part, stateInputs));
  const roles = {
    sampleAxes: Object.fromEntries(Object.keys(batches).map((name) => [name, sampleAxis])),
    parameterOf: parametersByState(groups, averages),
    values: new Map([...parameters].map(([name, tensor]) => [tensor, name])),
    gradients: new Map<Tensor, string>(),
    joined: new Set(initial.filter((_, i) => parts[i]!.flat)),
  };
  const result = loop(stepsPerRun, initial, (iteration, carried) => {
    const stepsTaken = add(stepsBefore, iteration);
    const step = cast(add(stepsTaken, 1), 'float32');
    const learningRate = gather(learningRates, iteration);
    const decay = minimum(div(add(step, 1), add(step, 10)), averageDecay ?? 1);
    const now = new Map(zip(parts, carried));
    for (const [part, tensor] of now) if (part.flat) roles.joined.add(tensor);
    const values = new Map(parameters);
    // No gradient of an update flows into an earlier one.
    const unpack = (part: Part) => {
      for (const [name, piece] of zip(part.names, cut(now.get(part)!, part))) {
        const tensor = stopGradient(piece);
        values.set(name, tensor);
        if (part !== buffers) roles.values.set(tensor, name);
      }
    };
    for (const part of valueParts) unpack(part);

    const reported: (readonly [string, Tensor])[] = [];
    for (const { groups, optimizer, clipNorm, names, loss } of updates) {
      // The loss and its gradients.
      const lossOf = (values: Values, index: Tensor) => {
        const scope = new ParameterScope('', new Map(values));
        const batch = Object.entries(batches).map(([name, all]) => [name, gather(gather(all, iteration), index)]);
        return { ...loss(scope, Object.fromEntries(batch), stepsTaken), assigned: scope.assignments };
      };
      const result = accumulate(accumulation, values, (values, index) =>
        differentiate(lossOf(values, index), values, groups, options.rematerialize, roles),
      );
      const clipped = clipByGlobalNorm(result.gradients, clipNorm ?? Number.MAX_VALUE);
      const gradients = clipNorm === undefined ? result.gradients : clipped.gradients;
      reported.push([names.loss, result.loss], ...result.metrics, [names.norm, clipped.norm]);

      // What the loss has assigned.
      for (const [name, tensor] of result.assigned) values.set(name, stopGradient(tensor));
      for (const part of valueParts)
        if (part.names.some((name) => result.assigned.has(name))) now.set(part, join(part, values));

      // The optimizer's step.
      for (const [i, group] of groups.entries()) {
        const { value, slots, factor } = group;
        const updated = optimizer.update({
          name: value.names[0]!,
          shape: value.shapes[0]!,
          parameter: now.get(value)!,
          gradient: gradients[i]!,
          slots: Object.fromEntries([...slots].map(([slot, part]) => [slot, now.get(part)!])),
          learningRate: factor === 1 ? learningRate : mul(learningRate, factor),
          step,
        });
        now.set(value, updated.parameter);
        unpack(value);
        for (const [slot, part] of slots) now.set(part, updated.slots[slot]!);
        const average = averages.get(group);
        if (!average) continue;
        const before = now.get(average)!;
        now.set(average, add(before, mul(sub(updated.parameter, before), sub(1, decay))));
      }
    }
    reportedNames.push(...reported.map(([name]) => name));
    return { carried: parts.map((part) => now.get(part)!), stacked: reported.map(([, tensor]) => tensor) };
  });

  const outputs: Record<string, Tensor> = {};
  for (const [part, tensor] of zip(parts, result.carried))
    for (const [name, piece] of zip(part.names, cut(tensor, part))) outputs[name] = piece;
  for (const [name, tensor] of zip(reportedNames, result.stacked)) outputs[name] = tensor;
  return { graph: { inputs, outputs }, parameters, state, roles };
}

/** An update with the groups of its parameters, and the names of its outputs. */
interface Update extends UpdateOptions {
  readonly groups: readonly UpdateGroup[];
  readonly names: { readonly loss: string; readonly norm: string };
}

/** Returns the updates of a step, the first first. */
function updatesOf(options: TrainingOptions, { parameters, bufferNames }: ParameterScope): Update[] {
  const { adversary, rateFactor = () => 1 } = options;
  const factors = new Map([...parameters.keys()].map((name) => [name, rateFactor(name)]));
  for (const [name, factor] of factors)
    if (!(factor >= 0 && factor < Number.POSITIVE_INFINITY))
      throw new GraphError(`trainingGraph: rateFactor of ${name} must be a number of at least 0, not ${factor}.`);
  const trained = [...parameters.keys()].filter((name) => factors.get(name) !== 0 && !bufferNames.has(name));
  if (trained.length === 0)
    throw new GraphError('trainingGraph: rateFactor must be above 0 for at least one parameter.');
  const update = (given: UpdateOptions, own: readonly string[], names: Update['names']): Update => ({
    ...given,
    names,
    groups: updateGroups(own, { parameters, factors, optimizer: given.optimizer }),
  });
  const names = { loss: 'loss', norm: 'gradientNorm' };
  if (!adversary) return [update(options, trained, names)];
  const { name, prefix } = adversary;
  const [own, others] = [true, false].map((is) => trained.filter((name) => name.startsWith(prefix) === is));
  return [
    update(options, others!, names),
    update(adversary, own!, { loss: `${name}Loss`, norm: `${name}GradientNorm` }),
  ];
}

/** The loss and the metrics of a batch, the gradient of each group, and new values of parameters by name. */
interface Derivatives {
  readonly loss: Tensor;
  readonly metrics: readonly (readonly [string, Tensor])[];
  readonly gradients: readonly Tensor[];
  readonly assigned: Values;
}

function differentiate(
  { loss, surrogate, metrics = {}, assigned }: LossResult & { readonly assigned: Values },
  values: Values,
  groups: readonly UpdateGroup[],
  rematerialize: GradOptions['rematerialize'],
  roles: KnownRoles,
): Derivatives {
  const names = groups.flatMap(({ value }) => value.names);
  const by = names.map((name) => values.get(name)!);
  const gradients = new Map(zip(names, grad(surrogate ?? loss, by, { rematerialize })));
  for (const [name, gradient] of gradients) roles.gradients.set(gradient, name);
  const joined = groups.map(({ value }) => join(value, gradients));
  for (const [{ value }, gradient] of zip(groups, joined)) if (value.flat) roles.joined.add(gradient);
  return { loss, metrics: Object.entries(metrics), gradients: joined, assigned };
}

/** The roles of tensors that are known when a loss has been differentiated. */
interface KnownRoles {
  readonly gradients: Map<Tensor, string>;
  readonly joined: Set<Tensor>;
}

/** Returns the parameter that each tensor of the state belongs to, by names. */
function parametersByState(
  groups: readonly UpdateGroup[],
  averages: ReadonlyMap<UpdateGroup, Part>,
): ReadonlyMap<string, string> {
  const pairs = groups.flatMap((group) => {
    const { value, slots } = group;
    return [value, ...slots.values(), averages.get(group) ?? value].flatMap(({ names }) => zip(names, value.names));
  });
  return new Map(pairs);
}

/** Averages what is computed from several batches, each with the values that the one before it assigned. */
function accumulate(
  count: number,
  values: Values,
  derive: (values: Values, index: Tensor) => Derivatives,
): Derivatives {
  const first = derive(values, scalar(0, 'int32'));
  if (count === 1) return first;
  const listed = ({ loss, metrics, gradients }: Derivatives) => [
    loss,
    ...metrics.map(([, tensor]) => tensor),
    ...gradients,
  ];
  const names = [...first.assigned.keys()];
  const size = listed(first).length;
  const { carried } = loop(count - 1, [...listed(first), ...first.assigned.values()], (index, carried) => {
    const latest = new Map([...values, ...zip(names, carried.slice(size))]);
    const more = derive(latest, add(index, 1));
    const totals = listed(more).map((tensor, i) => add(carried[i]!, tensor));
    return { carried: [...totals, ...names.map((name) => more.assigned.get(name)!)] };
  });
  const [loss, ...means] = carried.slice(0, size).map((total) => mul(total, 1 / count));
  return {
    loss: loss!,
    metrics: first.metrics.map(([name], i) => [name, means[i]!]),
    gradients: means.slice(first.metrics.length),
    assigned: new Map(zip(names, carried.slice(size))),
  };
}

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

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
  stopGradient,
  sub,
} from '../operators.js';
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

/** The two halves of a training step, between which hosts average their gradients. */
export interface SplitTrainingGraph extends Pick<TrainingGraph, 'parameters' | 'state'> {
  /**
   * Inputs: the trained parameters and the batches `[accumulation, …]`, each under its name; `step`, an int32 scalar, the number of steps
   * taken so far. Frozen parameters are parameters of the graph. Outputs: `gradients` float32 `[n]`, those of all trained parameters; the
   * scalar `loss`; and the metrics.
   */
  readonly gradients: Graph;
  /**
   * Inputs: `gradients`; `learningRate`, a float32 scalar; `step`; and the state. Outputs: the state after the step, and the scalar
   * `gradientNorm`.
   */
  readonly update: Graph;
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
  const { stepsPerRun, accumulation = 1 } = options;
  const plan = planStep(options);
  const { parameters, updates, groups, averages, buffers, valueParts, parts, state } = plan;

  const stateInputs = inputsOf(state);
  const learningRates = input('learningRate', [stepsPerRun]);
  const stepsBefore = input('step', [], 'int32');
  const batches = batchInputs(options, [stepsPerRun, accumulation]);
  const inputs = {
    ...Object.fromEntries(stateInputs),
    learningRate: learningRates,
    step: stepsBefore,
    ...Object.fromEntries(batches),
  };

  const reportedNames: string[] = [];
  const initial = parts.map((part) => join(part, stateInputs));
  const roles = {
    sampleAxes: Object.fromEntries([...batches.keys()].map((name) => [name, sampleAxis])),
    parameterOf: parametersByState(groups, averages),
    values: new Map([...parameters].map(([name, tensor]) => [tensor, name])),
    gradients: new Map<Tensor, string>(),
    joined: new Set(initial.filter((_, i) => parts[i]!.flat)),
  };
  const result = loop(stepsPerRun, initial, (iteration, carried) => {
    const stepsTaken = add(stepsBefore, iteration);
    const learningRate = gather(learningRates, iteration);
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
    for (const update of updates) {
      const derived = derive(update, options, values, stepsTaken, roles, (index) =>
        mapValues(batches, (all) => gather(gather(all, iteration), index)),
      );
      for (const [name, tensor] of derived.assigned) values.set(name, stopGradient(tensor));
      for (const part of valueParts)
        if (part.names.some((name) => derived.assigned.has(name))) now.set(part, join(part, values));
      const norm = takeStep(update, plan, now, derived.gradients, learningRate, stepsTaken);
      for (const { value } of update.groups) unpack(value);
      reported.push([update.names.loss, derived.loss], ...derived.metrics, [update.names.norm, norm]);
    }
    reportedNames.push(...reported.map(([name]) => name));
    return { carried: parts.map((part) => now.get(part)!), stacked: reported.map(([, tensor]) => tensor) };
  });

  const outputs = Object.fromEntries([...unjoin(parts, result.carried), ...zip(reportedNames, result.stacked)]);
  return { graph: { inputs, outputs }, parameters, state, roles };
}

/**
 * Builds the two halves of the steps that {@link trainingGraph} takes, as two graphs. A run of both takes one step.
 *
 * @throws GraphError as `trainingGraph` does, and if the loss assigns buffers: hosts would assign different values.
 */
export function splitTrainingGraph(options: Omit<TrainingOptions, 'stepsPerRun' | 'adversary'>): SplitTrainingGraph {
  const plan = planStep(options);
  const { parameters, parts, state, bufferNames } = plan;
  const update = plan.updates[0]!;
  for (const name of bufferNames)
    throw new GraphError(`splitTrainingGraph: the loss must not assign buffers, but it assigns ${name}.`);

  const step = input('step', [], 'int32');
  const trained = update.groups.flatMap(({ value }) => value.names);
  const weights = inputsOf(new Map(trained.map((name) => [name, parameters.get(name)!.shape])));
  const batches = batchInputs(options, [options.accumulation ?? 1]);
  const values = new Map([...parameters, ...weights]);
  const { loss, metrics, ...derived } = derive(update, options, values, step, undefined, (index) =>
    mapValues(batches, (all) => gather(all, index)),
  );
  const vector = concat(
    derived.gradients.map((gradient) => reshape(gradient, [-1])),
    0,
  );
  const gradients = {
    inputs: { ...Object.fromEntries([...weights, ...batches]), step },
    outputs: { gradients: vector, loss, ...Object.fromEntries(metrics) },
  };

  const [stateInputs, averaged, learningRate] = [
    inputsOf(state),
    input('gradients', vector.shape),
    input('learningRate', []),
  ];
  const now = new Map(parts.map((part) => [part, join(part, stateInputs)]));
  const whole = { names: trained, shapes: derived.gradients.map(({ shape }) => shape), flat: true };
  const gradientNorm = takeStep(update, plan, now, cut(averaged, whole), learningRate, step);
  const next = unjoin(
    parts,
    parts.map((part) => now.get(part)!),
  );
  return {
    gradients,
    update: {
      inputs: { ...Object.fromEntries(stateInputs), gradients: averaged, learningRate, step },
      outputs: { ...Object.fromEntries(next), gradientNorm },
    },
    parameters,
    state,
  };
}

/** What a step computes, and what it changes. */
interface StepPlan {
  readonly parameters: Values;
  readonly bufferNames: ReadonlySet<string>;
  readonly updates: readonly Update[];
  /** Those of all updates. */
  readonly groups: readonly UpdateGroup[];
  readonly averages: ReadonlyMap<UpdateGroup, Part>;
  readonly averageDecay: number | undefined;
  readonly buffers: Part;
  /** The parts with values of parameters. */
  readonly valueParts: readonly Part[];
  /** All that passes from step to step. */
  readonly parts: readonly Part[];
  readonly state: ReadonlyMap<string, Shape>;
}

function planStep(options: Omit<TrainingOptions, 'stepsPerRun'>): StepPlan {
  const { averageDecay, adversary } = options;
  // Build the model once to find its parameters.
  const scope = new ParameterScope();
  const sample = Object.fromEntries(batchInputs(options, []));
  for (const { loss } of adversary ? [options, adversary] : [options]) loss(scope, sample, input('step', [], 'int32'));
  const { parameters, bufferNames } = scope;
  const updates = updatesOf(options, scope);
  const first = updates[0]!;
  const averages = new Map(averageDecay === undefined ? [] : first.groups.map((group) => [group, averageOf(group)]));

  const buffers = partOf([...bufferNames], parameters);
  const groups = updates.flatMap(({ groups }) => groups);
  const valueParts = [...groups.map(({ value }) => value), ...(bufferNames.size > 0 ? [buffers] : [])];
  const parts = [...valueParts, ...groups.flatMap(({ slots }) => [...slots.values()]), ...averages.values()];
  const state = new Map(parts.flatMap(({ names, shapes }) => zip(names, shapes)));
  return { parameters, bufferNames, updates, groups, averages, averageDecay, buffers, valueParts, parts, state };
}

/** Computes the loss of an update and its gradients. */
function derive(
  { loss, groups }: Update,
  { accumulation = 1, rematerialize }: Pick<TrainingOptions, 'accumulation' | 'rematerialize'>,
  values: Values,
  stepsTaken: Tensor,
  roles: KnownRoles | undefined,
  batchAt: (index: Tensor) => Readonly<Record<string, Tensor>>,
): Derivatives {
  return accumulate(accumulation, values, (values, index) => {
    const scope = new ParameterScope('', new Map(values));
    const result = { ...loss(scope, batchAt(index), stepsTaken), assigned: scope.assignments };
    return differentiate(result, values, groups, rematerialize, roles);
  });
}

/**
 * Clips the gradients of an update, and takes the optimizer's step.
 *
 * @param now The carried tensors, which it changes.
 * @returns The global norm of the gradients.
 */
function takeStep(
  { groups, optimizer, clipNorm }: Update,
  { averages, averageDecay }: StepPlan,
  now: Map<Part, Tensor>,
  given: readonly Tensor[],
  learningRate: Tensor,
  stepsTaken: Tensor,
): Tensor {
  const step = cast(add(stepsTaken, 1), 'float32');
  const decay = minimum(div(add(step, 1), add(step, 10)), averageDecay ?? 1);
  const clipped = clipByGlobalNorm(given, clipNorm ?? Number.MAX_VALUE);
  const gradients = clipNorm === undefined ? given : clipped.gradients;
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
    for (const [slot, part] of slots) now.set(part, updated.slots[slot]!);
    const average = averages.get(group);
    if (!average) continue;
    const before = now.get(average)!;
    now.set(average, add(before, mul(sub(updated.parameter, before), sub(1, decay))));
  }
  return clipped.norm;
}

const inputsOf = (shapes: ReadonlyMap<string, Shape>): Map<string, Tensor> =>
  new Map([...shapes].map(([name, shape]) => [name, input(name, shape)]));

/** Declares the inputs of batches, with more axes in front. */
const batchInputs = ({ batch }: Pick<TrainingOptions, 'batch'>, axes: Shape): Map<string, Tensor> =>
  new Map(Object.entries(batch).map(([name, { shape, dtype }]) => [name, input(name, [...axes, ...shape], dtype)]));

const mapValues = (tensors: Values, change: (tensor: Tensor) => Tensor): Record<string, Tensor> =>
  Object.fromEntries([...tensors].map(([name, tensor]) => [name, change(tensor)]));

/** Splits carried tensors into those of the state, by name. */
const unjoin = (parts: readonly Part[], carried: readonly Tensor[]): [string, Tensor][] =>
  zip(parts, carried).flatMap(([part, tensor]) => zip(part.names, cut(tensor, part)));

/** An update with the groups of its parameters, and the names of its outputs. */
interface Update extends UpdateOptions {
  readonly groups: readonly UpdateGroup[];
  readonly names: { readonly loss: string; readonly norm: string };
}

/** Returns the updates of a step, the first first. */
function updatesOf(
  options: Omit<TrainingOptions, 'stepsPerRun'>,
  { parameters, bufferNames }: ParameterScope,
): Update[] {
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
  roles: KnownRoles | undefined,
): Derivatives {
  const names = groups.flatMap(({ value }) => value.names);
  const by = names.map((name) => values.get(name)!);
  const gradients = new Map(zip(names, grad(surrogate ?? loss, by, { rematerialize })));
  for (const [name, gradient] of gradients) roles?.gradients.set(gradient, name);
  const joined = groups.map(({ value }) => join(value, gradients));
  for (const [{ value }, gradient] of zip(groups, joined)) if (value.flat) roles?.joined.add(gradient);
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
  training: Pick<TrainingGraph, 'state'>,
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

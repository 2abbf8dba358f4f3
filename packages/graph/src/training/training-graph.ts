import { GraphError } from '../graph-error.js';
import { isOperation } from '../operation.js';
import {
  add,
  cast,
  concat,
  div,
  fill,
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
import { type CombineStatistic, ParameterScope, type StatisticKind } from '../parameters.js';
import type { TensorRoles } from '../runtimes/runtime.js';
import type { DType, Graph, Shape, Tensor } from '../tensor.js';
import { inputNamesOf } from '../traversal.js';
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

/** A training step as graphs, between which several hosts combine what each has computed from its share of a batch. */
export interface SplitTrainingGraph extends Pick<TrainingGraph, 'parameters' | 'state'> {
  /** The updates of a step, in their order: one, or two with an adversary. */
  readonly updates: readonly SplitUpdate[];
}

/** A graph with the roles of its tensors. */
export type GraphWithRoles = Pick<TrainingGraph, 'graph' | 'roles'>;

/** Some statistics of a batch. */
export interface StatisticsGraph extends GraphWithRoles {
  /** How those of the shares become those of the batch. */
  readonly kinds: Readonly<Record<string, StatisticKind>>;
}

/** The samples of each batch that a host has. */
export interface BatchShare {
  /** Index in the batch of the first of them. */
  readonly start: number;
  readonly size: number;
  /** Samples of a batch on all hosts. */
  readonly batchSize: number;
}

/** An update of a training step. Its graphs have only the inputs that they need. */
export interface SplitUpdate {
  /**
   * The statistics of the whole batch that the gradients need, from the samples at hand, in the order in which they are computed: some need
   * those before them. Inputs: those of `gradients`. Outputs: `statistics/<name>`.
   */
  readonly statistics: readonly StatisticsGraph[];
  /**
   * Inputs: the trained parameters, the buffers and the batches `[accumulation, …]`, each under its name; `statistics/<name>`; `step`, an
   * int32 scalar, the number of steps taken so far. Frozen parameters are parameters of the graph. Outputs: `gradients` float32 `[n]`,
   * those of all parameters of the update; the scalar loss; the metrics; and new values of parameters and buffers, under their names.
   */
  readonly gradients: GraphWithRoles;
  /** The names of parameters and buffers to which `gradients` gives new values, before the update. They do not differ between hosts. */
  readonly assigned: readonly string[];
  /**
   * Inputs: `gradients`; `learningRate`, a float32 scalar; `step`; and the state of the update. Outputs: that state after the step, and the
   * scalar norm of the gradients.
   */
  readonly update: GraphWithRoles;
  /** The names of the state of the update. */
  readonly state: readonly string[];
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
 * Builds the steps that {@link trainingGraph} takes as several graphs, for hosts that have shares of each batch. A run of each of them, in
 * their order, takes one step. The loss must be that of the share, multiplied by its weight: the sum over all hosts is the loss of the
 * batch.
 *
 * @param share The share of this host. Default: the whole batch.
 * @throws GraphError as `trainingGraph` does; if the loss assigns what depends on the batch otherwise than through
 *   `ParameterScope.statistic`; and if it needs statistics or assigns something with accumulated batches.
 */
export function splitTrainingGraph(
  options: Omit<TrainingOptions, 'stepsPerRun'>,
  share: BatchShare = { start: 0, size: 1, batchSize: 1 },
): SplitTrainingGraph {
  const plan = planStep(options);
  const { parameters, state, updates } = plan;
  return { parameters, state, updates: updates.map((update) => splitUpdate(update, plan, options, share)) };
}

function splitUpdate(
  update: Update,
  plan: StepPlan,
  options: Omit<TrainingOptions, 'stepsPerRun'>,
  share: BatchShare,
): SplitUpdate {
  const { groups, names } = update;
  const step = input('step', [], 'int32');
  const trained = groups.flatMap(({ value }) => value.names);
  const values = inputsOf(new Map(plan.valueParts.flatMap(({ names, shapes }) => zip(names, shapes))));
  const batches = batchInputs(options, [options.accumulation ?? 1]);
  const statistics = new Map<string, Statistic>();
  const roles = {
    sampleAxes: Object.fromEntries([...batches.keys()].map((name) => [name, sampleAxis - 1])),
    parameterOf: new Map([...values.keys()].filter((name) => !plan.bufferNames.has(name)).map((name) => [name, name])),
    values: new Map([...plan.parameters, ...values].map(([name, tensor]) => [tensor, name])),
    gradients: new Map<Tensor, string>(),
    joined: new Set<Tensor>(),
  };
  const derived = derive(
    update,
    options,
    new Map([...plan.parameters, ...values]),
    step,
    roles,
    (index) => mapValues(batches, (all) => gather(all, index)),
    (name, own, kind) => {
      const statistic = statisticOf(`statistics/${name}`, own, kind, share);
      statistics.set(`statistics/${name}`, statistic);
      return statistic.result;
    },
  );
  const vector = concat(
    derived.gradients.map((gradient) => reshape(gradient, [-1])),
    0,
  );
  const outputs = {
    gradients: vector,
    [names.loss]: derived.loss,
    ...Object.fromEntries([...derived.metrics, ...derived.assigned]),
  };
  const inputs = new Map([...values, ...batches, ['step', step], ...inputsOfStatistics(statistics)]);
  const graphOf = (outputs: Readonly<Record<string, Tensor>>) => {
    const needed = inputNamesOf(Object.values(outputs));
    return { graph: { inputs: pick(inputs, needed), outputs }, roles };
  };
  const gradients = graphOf(outputs);
  const stages = stagesOf(statistics, Object.keys(gradients.graph.inputs));
  const results = new Set([...statistics.values()].map(({ result }) => result));
  checkSplit(options, stages.flat(), derived.assigned, { batches: new Set(batches.keys()), results });
  return {
    statistics: stages.map((stage) => ({
      ...graphOf(Object.fromEntries(stage.map((name) => [name, statistics.get(name)!.own]))),
      kinds: Object.fromEntries(stage.map((name) => [name, statistics.get(name)!.kind])),
    })),
    gradients,
    assigned: [...derived.assigned.keys()],
    ...updateGraph(update, plan, { step, trained, gradients: derived.gradients, vector }),
  };
}

interface Statistic {
  /** That of the samples at hand. */
  readonly own: Tensor;
  readonly kind: StatisticKind;
  /** The input that has that of the whole batch. */
  readonly whole: Tensor;
  /** The value of `whole`, with the gradient of `own`. */
  readonly result: Tensor;
}

function statisticOf(
  name: string,
  own: Tensor,
  kind: StatisticKind,
  { start, size, batchSize }: BatchShare,
): Statistic {
  const [rows = 1, ...rest] = own.shape;
  const perSample = rows / size;
  const whole = input(name, kind === 'rows' ? [perSample * batchSize, ...rest] : own.shape);
  if (isOperation(own.operation, 'stopGradient')) return { own, kind, whole, result: whole };
  // Adding zeros leaves the value exactly as it is: all hosts compute with the same.
  const zero = sub(own, stopGradient(own));
  if (kind !== 'rows') return { own, kind, whole, result: add(whole, zero) };
  // The loss is multiplied by the weight of the share, but these rows alone have their part of the gradient.
  const among = [
    fill([perSample * start, ...rest], 0),
    mul(zero, batchSize / size),
    fill([perSample * (batchSize - start - size), ...rest], 0),
  ];
  return { own, kind, whole, result: add(whole, concat(among, 0)) };
}

const inputsOfStatistics = (statistics: ReadonlyMap<string, Statistic>): Map<string, Tensor> =>
  new Map([...statistics].map(([name, { whole }]) => [name, whole]));

/** Returns the names of the statistics among some inputs, and of those that they need, each after those that it needs. */
function stagesOf(statistics: ReadonlyMap<string, Statistic>, inputs: readonly string[]): string[][] {
  const depths = new Map<string, number>();
  const depthOf = (name: string): number => {
    const known = depths.get(name);
    if (known !== undefined) return known;
    const needed = [...inputNamesOf([statistics.get(name)!.own])].filter((other) => statistics.has(other));
    const depth = Math.max(-1, ...needed.map(depthOf)) + 1;
    depths.set(name, depth);
    return depth;
  };
  for (const name of inputs) if (statistics.has(name)) depthOf(name);
  const stages = Array.from({ length: Math.max(-1, ...depths.values()) + 1 }, (): string[] => []);
  for (const [name, depth] of depths) stages[depth]!.push(name);
  return stages;
}

/** @throws GraphError if hosts with shares of a batch would not compute what one host computes. */
function checkSplit(
  { accumulation = 1 }: Pick<TrainingOptions, 'accumulation'>,
  statistics: readonly string[],
  assigned: Values,
  { batches, results }: { readonly batches: ReadonlySet<string>; readonly results: ReadonlySet<Tensor> },
): void {
  const [first] = [...statistics, ...assigned.keys()];
  if (accumulation > 1 && first !== undefined)
    throw new GraphError(
      `splitTrainingGraph: accumulation must be 1 with statistics of the batch and assigned values, not ${accumulation}: the loss has ${first}.`,
    );
  for (const [name, value] of assigned)
    if ([...inputNamesOf([value], results)].some((input) => batches.has(input)))
      throw new GraphError(
        `splitTrainingGraph: what the loss assigns to ${name} must depend on the batch through statistics of its scope alone: hosts would assign different values.`,
      );
}

const pick = (tensors: Values, names: ReadonlySet<string>): Record<string, Tensor> =>
  Object.fromEntries([...tensors].filter(([name]) => names.has(name)));

/** Returns the half of an update that clips the gradients and takes the optimizer's step. */
function updateGraph(
  update: Update,
  plan: StepPlan,
  {
    step,
    trained,
    gradients,
    vector,
  }: {
    readonly step: Tensor;
    readonly trained: readonly string[];
    readonly gradients: readonly Tensor[];
    readonly vector: Tensor;
  },
): Pick<SplitUpdate, 'update' | 'state'> {
  const { groups, names } = update;
  const parts = groups.flatMap((group) => {
    const average = plan.averages.get(group);
    return [group.value, ...group.slots.values(), ...(average ? [average] : [])];
  });
  const shapes = new Map(parts.flatMap(({ names, shapes }) => zip(names, shapes)));
  const [state, averaged, learningRate] = [
    inputsOf(shapes),
    input('gradients', vector.shape),
    input('learningRate', []),
  ];
  const now = new Map(parts.map((part) => [part, join(part, state)]));
  const pieces = cut(averaged, { names: trained, shapes: gradients.map(({ shape }) => shape), flat: true });
  const alone = zip(groups, pieces).filter(([{ value }]) => !value.flat);
  const roles = {
    sampleAxes: {},
    parameterOf: parametersByState(groups, plan.averages),
    values: new Map<Tensor, string>(),
    gradients: new Map(alone.map(([{ value }, piece]) => [piece, value.names[0]!])),
    joined: new Set([...now].filter(([{ flat }]) => flat).map(([, tensor]) => tensor)),
  };
  const gradientNorm = takeStep(update, plan, now, pieces, learningRate, step);
  const next = unjoin(
    parts,
    parts.map((part) => now.get(part)!),
  );
  const inputs = { ...Object.fromEntries(state), gradients: averaged, learningRate, step };
  const outputs = { ...Object.fromEntries(next), [names.norm]: gradientNorm };
  return { update: { graph: { inputs, outputs }, roles }, state: [...shapes.keys()] };
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
  combine?: CombineStatistic,
): Derivatives {
  return accumulate(accumulation, values, (values, index) => {
    const scope = new ParameterScope('', new Map(values), combine);
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

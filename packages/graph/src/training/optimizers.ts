import { callback, type Fields, number, object, optional, readOptions } from '@dalle-mini/core';
import {
  add,
  div,
  maximum,
  mean,
  minimum,
  mul,
  pow,
  reciprocal,
  scalar,
  sqrt,
  square,
  sub,
  sum,
} from '../operators.js';
import type { Shape, Tensor } from '../tensor.js';

/** One optimizer step of a parameter, or of several concatenated parameters: see `Optimizer.kind`. */
export interface ParameterStep {
  /** The name of the parameter, or of one of them. */
  readonly name: string;
  /** The declared shape of the parameter, or of one of them. */
  readonly shape: Shape;
  readonly parameter: Tensor;
  /** The gradient of the loss by the parameter. */
  readonly gradient: Tensor;
  /** The optimizer's state for the parameter. */
  readonly slots: Readonly<Record<string, Tensor>>;
  /** float32 scalar. */
  readonly learningRate: Tensor;
  /** The number of this step, counted from 1: float32 scalar. */
  readonly step: Tensor;
}

/** An update rule for parameters, as a function from graph to graph. */
export interface Optimizer {
  /** Returns the shapes of the state for a parameter of the given shape, by name. The state is zero before the first step. */
  slots(shape: Shape): Readonly<Record<string, Shape>>;
  /**
   * Returns a key; small parameters with equal keys are concatenated and updated together. Implement it only if the update is
   * elementwise and the slots have the parameter's shape.
   */
  kind?(name: string, shape: Shape): string;
  /** Computes the parameter and the slots after one step. */
  update(step: ParameterStep): { readonly parameter: Tensor; readonly slots: Readonly<Record<string, Tensor>> };
}

export interface SgdOptions {
  /** Fraction of the last update that is kept. Range `[0, 1)`. Default 0. */
  readonly momentum?: number | undefined;
}

/** The fraction of a value that is kept from step to step. */
const keptShare = optional(number({ min: 0, below: 1 }));
const atLeastZero = optional(number({ min: 0 }));

const sgdOptions = object<SgdOptions>({ momentum: keptShare });

/** Creates stochastic gradient descent with momentum, as in PyTorch: v ← momentum · v + g, p ← p − learningRate · v. */
export function sgd(options: SgdOptions = {}): Optimizer {
  const { momentum = 0 } = readOptions(sgdOptions, options, 'sgd');
  return {
    slots: (shape): Record<string, Shape> => (momentum === 0 ? {} : { velocity: shape }),
    kind: () => 'all',
    update: ({ parameter, gradient, slots, learningRate }) => {
      const next: Record<string, Tensor> = {};
      if (momentum > 0) next.velocity = add(mul(slots.velocity!, momentum), gradient);
      return { parameter: sub(parameter, mul(next.velocity ?? gradient, learningRate)), slots: next };
    },
  };
}

export interface AdamOptions {
  /** Decay of the mean of gradients. Default 0.9. */
  readonly beta1?: number | undefined;
  /** Decay of the mean of squared gradients. Default 0.999. */
  readonly beta2?: number | undefined;
  /** Added to the root mean square of the gradients. Default 1e-8. */
  readonly epsilon?: number | undefined;
}

/** Decoupled weight decay: each step multiplies a parameter by `1 − learningRate · weightDecay`. */
export interface WeightDecayOptions {
  /** Default 0.01 in AdamW, 0 in Adafactor. */
  readonly weightDecay?: number | undefined;
  /** Selects the parameters that decay. Default: those with at least two axes, so not biases or scales of norms. */
  readonly decays?: ((name: string, shape: Shape) => boolean) | undefined;
}

export interface AdamWOptions extends AdamOptions, WeightDecayOptions {}

const adamFields: Fields<AdamOptions> = { beta1: keptShare, beta2: keptShare, epsilon: atLeastZero };
const weightDecayFields: Fields<WeightDecayOptions> = { weightDecay: atLeastZero, decays: optional(callback()) };
const adamOptions = object<AdamOptions>(adamFields);
export const adamWOptions = object<AdamWOptions>({ ...adamFields, ...weightDecayFields });

/** Creates Adam (Kingma and Ba 2015). */
export function adam(options: AdamOptions = {}): Optimizer {
  return adamW({ ...readOptions(adamOptions, options, 'adam'), weightDecay: 0 });
}

/** Creates AdamW: Adam with decoupled weight decay (Loshchilov and Hutter 2019). */
export function adamW(options: AdamWOptions = {}): Optimizer {
  const given = readOptions(adamWOptions, options, 'adamW');
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0.01 } = given;
  const decays = decaying({ ...given, weightDecay });
  return {
    slots: (shape) => ({ mean: shape, square: shape }),
    kind: (name, shape) => (decays(name, shape) ? 'decays' : 'stays'),
    update: ({ name, shape, parameter, gradient, slots, learningRate, step }) => {
      const average = add(mul(slots.mean!, beta1), mul(gradient, 1 - beta1));
      const squares = add(mul(slots.square!, beta2), mul(square(gradient), 1 - beta2));
      // The bias corrections are scalars. Combining them with the rate and epsilon saves passes over all elements.
      const correction1 = sub(1, pow(scalar(beta1), step));
      const correction2 = sqrt(sub(1, pow(scalar(beta2), step)));
      const rate = div(mul(learningRate, correction2), correction1);
      const change = div(mul(average, rate), add(sqrt(squares), mul(correction2, epsilon)));
      const decayed = decays(name, shape) ? decay(parameter, learningRate, weightDecay) : parameter;
      return { parameter: sub(decayed, change), slots: { mean: average, square: squares } };
    },
  };
}

/** Returns a function that checks whether a parameter decays. */
function decaying({ weightDecay = 0, decays = (_, shape) => shape.length >= 2 }: WeightDecayOptions) {
  return (name: string, shape: Shape) => weightDecay > 0 && decays(name, shape);
}

const decay = (parameter: Tensor, learningRate: Tensor, weightDecay: number): Tensor =>
  mul(parameter, sub(1, mul(learningRate, weightDecay)));

export interface AdafactorOptions extends WeightDecayOptions {
  /** The second moment's decay at step t is 1 − t^decayExponent. Default −0.8. */
  readonly decayExponent?: number | undefined;
  /** Updates are scaled down to this root mean square. Default 1. */
  readonly clipThreshold?: number | undefined;
  /** Added to squared gradients. Default 1e-30. */
  readonly epsilon?: number | undefined;
  /**
   * Returns the two axes along which the second moments of a parameter are factored: only their means along each of these axes are
   * kept. `undefined` keeps the second moments of all elements. Default the two largest axes.
   */
  readonly factoredAxes?: ((shape: Shape) => readonly [number, number] | undefined) | undefined;
}

/** The smallest axis that is worth factoring, as in optax. */
const smallestFactoredAxis = 128;

/**
 * Returns the two largest axes of a shape, the largest last; of equal axes the later one counts as larger. Returns `undefined` if the
 * second largest axis has fewer than 128 elements. This is how optax selects the axes that Adafactor factors: for a convolution kernel
 * `[512, 256, 3, 3]` the channels. (PyTorch and Transformers always use the last two axes.)
 */
export function largestAxes(shape: Shape): readonly [number, number] | undefined {
  const sorted = [...shape.keys()].sort((a, b) => shape[a]! - shape[b]!);
  const [second, largest] = sorted.slice(-2);
  return largest === undefined || shape[second!]! < smallestFactoredAxis ? undefined : [second!, largest];
}

const adafactorOptions = object<AdafactorOptions>({
  ...weightDecayFields,
  decayExponent: optional(number({ below: 0 })),
  clipThreshold: optional(number({ above: 0 })),
  epsilon: atLeastZero,
  factoredAxes: optional(callback()),
});

/**
 * Creates Adafactor without momentum and with the caller's learning rate (Shazeer and Stern 2018, algorithms 4 and 5). It stores one
 * second moment per row and one per column of a large matrix.
 */
export function adafactor(options: AdafactorOptions = {}): Optimizer {
  const given = readOptions(adafactorOptions, options, 'adafactor');
  const { decayExponent = -0.8, clipThreshold = 1, epsilon = 1e-30, weightDecay = 0 } = given;
  const { factoredAxes = largestAxes } = given;
  const decays = decaying(given);
  return {
    slots(shape): Record<string, Shape> {
      const axes = factoredAxes(shape);
      if (axes === undefined) return { square: shape };
      const [row, column] = axes;
      return { row: shape.with(column, 1), column: shape.with(row, 1) };
    },
    update: ({ name, shape, parameter, gradient, slots, learningRate, step }) => {
      const memory = sub(1, pow(step, decayExponent));
      const blend = (old: Tensor, now: Tensor) => add(mul(old, memory), mul(now, sub(1, memory)));
      const squares = add(square(gradient), epsilon);
      let update: Tensor;
      let next: Record<string, Tensor>;
      const axes = factoredAxes(shape);
      if (axes !== undefined) {
        const meanAlong = (x: Tensor, axis: number) => mean(x, { axes: [axis], keepDims: true });
        const row = blend(slots.row!, meanAlong(squares, axes[1]));
        const column = blend(slots.column!, meanAlong(squares, axes[0]));
        const rowShare = div(row, meanAlong(row, axes[0]));
        update = mul(mul(gradient, reciprocal(sqrt(rowShare))), reciprocal(sqrt(column)));
        next = { row, column };
      } else {
        const moment = blend(slots.square!, squares);
        update = div(gradient, sqrt(moment));
        next = { square: moment };
      }
      const rootMeanSquare = sqrt(mean(square(update)));
      const clipped = div(update, maximum(div(rootMeanSquare, clipThreshold), 1));
      const decayed = decays(name, shape) ? decay(parameter, learningRate, weightDecay) : parameter;
      return { parameter: sub(decayed, mul(clipped, learningRate)), slots: next };
    },
  };
}

/** Scales gradients down so that their global norm is at most `limit` (Pascanu et al. 2013). Also returns the norm before scaling. */
export function clipByGlobalNorm(gradients: readonly Tensor[], limit: number): { gradients: Tensor[]; norm: Tensor } {
  if (gradients.length === 0) return { gradients: [], norm: scalar(0) };
  const total = gradients.map((gradient) => sum(square(gradient))).reduce((a, b) => add(a, b));
  const norm = sqrt(total);
  const factor = minimum(div(limit, add(norm, 1e-6)), 1);
  return { gradients: gradients.map((gradient) => mul(gradient, factor)), norm };
}

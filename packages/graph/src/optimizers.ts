import { add, div, maximum, mean, minimum, mul, pow, reciprocal, scalar, sqrt, square, sub, sum } from './operators.js';
import type { Shape, Tensor } from './tensor.js';

/** One parameter's step, or that of several parameters laid end to end: see `Optimizer.kind`. */
export interface ParameterStep {
  /** Of the parameter, or of one of them. */
  readonly name: string;
  /** As the parameter was declared, or one of them. */
  readonly shape: Shape;
  readonly parameter: Tensor;
  /** The gradient of the loss by the parameter. */
  readonly gradient: Tensor;
  /** What the optimizer remembers of the parameter. */
  readonly slots: Readonly<Record<string, Tensor>>;
  /** float32 scalar. */
  readonly learningRate: Tensor;
  /** The number of this step, counted from 1: float32 scalar. */
  readonly step: Tensor;
}

/** An update rule of parameters, as a function from graph to graph. */
export interface Optimizer {
  /** What it remembers of a parameter of the given shape: tensors by name, all zeros before the first step. */
  slots(shape: Shape): Readonly<Record<string, Shape>>;
  /**
   * Given by an optimizer that treats each element by itself, with slots of the parameter's shape: parameters of equal kind
   * may be laid end to end and updated as one.
   */
  kind?(name: string, shape: Shape): string;
  /** The parameter and the slots after one step. */
  update(step: ParameterStep): { readonly parameter: Tensor; readonly slots: Readonly<Record<string, Tensor>> };
}

export interface SgdOptions {
  /** Share of the last update that is kept. Range `[0, 1)`. Default 0. */
  readonly momentum?: number;
}

/** Stochastic gradient descent with momentum, as in PyTorch: v ← momentum · v + g, p ← p − learningRate · v. */
export function sgd({ momentum = 0 }: SgdOptions = {}): Optimizer {
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
  readonly beta1?: number;
  /** Decay of the mean of squared gradients. Default 0.999. */
  readonly beta2?: number;
  /** Added to the root of the mean of squares. Default 1e-8. */
  readonly epsilon?: number;
}

export interface AdamWOptions extends AdamOptions {
  /** Share of a parameter that is lost a step, times the learning rate. Default 0.01. */
  readonly weightDecay?: number;
  /** Which parameters decay. Default those with two axes or more: not biases, nor the scales of norms. */
  readonly decays?: (name: string, shape: Shape) => boolean;
}

/** Adam (Kingma and Ba 2015). */
export function adam(options: AdamOptions = {}): Optimizer {
  return adamW({ ...options, weightDecay: 0 });
}

/** Adam with decoupled weight decay (Loshchilov and Hutter 2019). */
export function adamW(options: AdamWOptions = {}): Optimizer {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0.01 } = options;
  const mayDecay = options.decays ?? ((_, shape) => shape.length >= 2);
  const decays = (name: string, shape: Shape) => weightDecay > 0 && mayDecay(name, shape);
  return {
    slots: (shape) => ({ mean: shape, square: shape }),
    kind: (name, shape) => (decays(name, shape) ? 'decays' : 'stays'),
    update: ({ name, shape, parameter, gradient, slots, learningRate, step }) => {
      const average = add(mul(slots.mean!, beta1), mul(gradient, 1 - beta1));
      const squares = add(mul(slots.square!, beta2), mul(square(gradient), 1 - beta2));
      // The corrections for the zero start are scalars: they are moved out of the passes over all elements.
      const correction1 = sub(1, pow(scalar(beta1), step));
      const correction2 = sqrt(sub(1, pow(scalar(beta2), step)));
      const rate = div(mul(learningRate, correction2), correction1);
      const change = div(mul(average, rate), add(sqrt(squares), mul(correction2, epsilon)));
      const decayed = decays(name, shape) ? mul(parameter, sub(1, mul(learningRate, weightDecay))) : parameter;
      return { parameter: sub(decayed, change), slots: { mean: average, square: squares } };
    },
  };
}

export interface AdafactorOptions {
  /** The second moment's decay at step t is 1 − t^decayExponent. Default −0.8. */
  readonly decayExponent?: number;
  /** Updates are scaled down to this root mean square. Default 1. */
  readonly clipThreshold?: number;
  /** Added to squared gradients. Default 1e-30. */
  readonly epsilon?: number;
  /** As in `AdamWOptions`. Default 0. */
  readonly weightDecay?: number;
}

/**
 * Adafactor without momentum and with the caller's learning rate (Shazeer and Stern 2018, algorithms 4 and 5): the second
 * moments of a matrix are kept as one number a row and one a column.
 */
export function adafactor(options: AdafactorOptions = {}): Optimizer {
  const { decayExponent = -0.8, clipThreshold = 1, epsilon = 1e-30, weightDecay = 0 } = options;
  const factored = (shape: Shape) => shape.length >= 2;
  return {
    slots: (shape): Record<string, Shape> =>
      factored(shape)
        ? { row: [...shape.slice(0, -1), 1], column: [...shape.slice(0, -2), 1, shape.at(-1)!] }
        : { square: shape },
    update: ({ parameter, gradient, slots, learningRate, step }) => {
      const decay = sub(1, pow(step, decayExponent));
      const blend = (old: Tensor, now: Tensor) => add(mul(old, decay), mul(now, sub(1, decay)));
      const squares = add(square(gradient), epsilon);
      let update: Tensor;
      let next: Record<string, Tensor>;
      if (factored(parameter.shape)) {
        const row = blend(slots.row!, mean(squares, { axes: [-1], keepDims: true }));
        const column = blend(slots.column!, mean(squares, { axes: [-2], keepDims: true }));
        const rowShare = div(row, mean(row, { axes: [-2], keepDims: true }));
        update = mul(mul(gradient, reciprocal(sqrt(rowShare))), reciprocal(sqrt(column)));
        next = { row, column };
      } else {
        const moment = blend(slots.square!, squares);
        update = div(gradient, sqrt(moment));
        next = { square: moment };
      }
      const rootMeanSquare = sqrt(mean(square(update)));
      const clipped = div(update, maximum(div(rootMeanSquare, clipThreshold), 1));
      const decayed = weightDecay > 0 ? mul(parameter, sub(1, mul(learningRate, weightDecay))) : parameter;
      return { parameter: sub(decayed, mul(clipped, learningRate)), slots: next };
    },
  };
}

/** Scales gradients down together so that their joint norm is at most `limit` (Pascanu et al. 2013), and gives that norm. */
export function clipByGlobalNorm(gradients: readonly Tensor[], limit: number): { gradients: Tensor[]; norm: Tensor } {
  const total = gradients.map((gradient) => sum(square(gradient))).reduce((a, b) => add(a, b));
  const norm = sqrt(total);
  const factor = minimum(div(limit, add(norm, 1e-6)), 1);
  return { gradients: gradients.map((gradient) => mul(gradient, factor)), norm };
}

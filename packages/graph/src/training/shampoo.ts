/** Distributed Shampoo (Anil et al. 2020, "Scalable Second Order Optimization for Deep Learning") as a graph. */
import { boolean, callback, integer, number, object, oneOf, optional, readOptions } from '@dalle-mini/core';
import {
  add,
  cast,
  concat,
  constant,
  div,
  equal,
  less,
  matmul,
  mul,
  pad,
  reshape,
  scalar,
  select,
  sign,
  slice,
  sqrt,
  square,
  sub,
  sum,
  transpose,
  whileLoop,
} from '../operators.js';
import type { Shape, Tensor } from '../tensor.js';
import { inversePthRoots, isRoot } from './inverse-pth-root.js';
import type { Optimizer } from './optimizers.js';

/** The rules from which a Shampoo step can take the length of its update. */
const grafts = ['rmsprop_normalized', 'rmsprop', 'adagrad_normalized', 'adagrad', 'sgd', 'sqrt_n'] as const;

export interface ShampooOptions {
  /** Longer axes are divided into blocks of this length, each with preconditioners of its own. Default 1024. */
  readonly blockSize?: number | undefined;
  /** Decay of the mean of updates. Default 0.9. */
  readonly beta1?: number | undefined;
  /** Decay of the statistics and of the mean of squared gradients. Default 0.999. */
  readonly beta2?: number | undefined;
  /** The rule from which the length of an update is taken. With `normalized`, gradients are scaled to length 1 before. Default `rmsprop_normalized`. */
  readonly graft?: (typeof grafts)[number] | undefined;
  /** Number of steps after which the preconditioners are computed again. Default 10. */
  readonly preconditionEvery?: number | undefined;
  /** Steps before preconditioned updates are applied; before, those of `graft` are. Default 101, or `preconditionEvery` + 1 if it is more. */
  readonly preconditionFrom?: number | undefined;
  /** A parameter with a longer axis is not preconditioned. Default 4096. */
  readonly maxDimension?: number | undefined;
  /** Selects the parameters that are preconditioned, of those with no axis above `maxDimension`. Default: all. */
  readonly preconditions?: ((name: string, shape: Shape) => boolean) | undefined;
  /** Added to the root mean square of the gradients in `graft`. Default 1e-10. */
  readonly diagonalEpsilon?: number | undefined;
  /** Added to the diagonal of the statistics, relative to their largest eigenvalue. Default 1e-6. */
  readonly matrixEpsilon?: number | undefined;
  /** Multiplied by the parameter and added to the update, which is not decoupled from momentum. Default 0. */
  readonly weightDecay?: number | undefined;
  /** Uses Nesterov's momentum. Default false. */
  readonly nesterov?: boolean | undefined;
}

const share = optional(number({ min: 0, below: 1 }));
const positive = optional(number({ above: 0 }));

const shampooOptions = object<ShampooOptions>({
  blockSize: optional(integer({ min: 1 })),
  beta1: share,
  beta2: share,
  graft: optional(oneOf(grafts)),
  preconditionEvery: optional(integer({ min: 1 })),
  preconditionFrom: optional(integer({ min: 0 })),
  maxDimension: optional(integer({ min: 1 })),
  preconditions: optional(callback()),
  diagonalEpsilon: positive,
  matrixEpsilon: positive,
  weightDecay: optional(number({ min: 0 })),
  nesterov: optional(boolean()),
});

/** Axes are merged up to this length before they are divided into blocks: a bias or a small matrix is one vector. */
const mergedLength = 4096;

/** A root is refused, and the one before it kept, from this difference between its inverse power and the identity on. */
const failure = 0.1;

/**
 * Creates Distributed Shampoo as the published DALL·E Mini was trained with it: `distributed_shampoo` of its training code with
 * `shard_optimizer_states`, `moving_average_for_momentum` and without quantization. Each block of a gradient is multiplied along each of its r
 * axes by the inverse 2r-th root of the decayed sum of G · Gᵀ, and the update has the length of that of `graft`. As there, the roots of a
 * step take effect in the next one, and small blocks behave as if they were padded to `blockSize` with an identity matrix. (There, to the
 * largest block of all parameters.)
 */
export function shampoo(options: ShampooOptions = {}): Optimizer {
  const given = readOptions(shampooOptions, options, 'shampoo');
  const {
    blockSize = 1024,
    beta1 = 0.9,
    graft = 'rmsprop_normalized',
    preconditionEvery = 10,
    weightDecay = 0,
  } = given;
  const { preconditionFrom = Math.max(101, preconditionEvery + 1), nesterov = false } = given;
  const { beta2 = 0.999, maxDimension = 4096, preconditions = () => true, matrixEpsilon = 1e-6 } = given;
  const { diagonalEpsilon = 1e-10 } = given;
  const layoutOf = (shape: Shape) => blockLayout(shape, blockSize);
  const isConditioned = (shape: Shape) => shape.every((size) => size <= maxDimension) && shape.length > 0;

  const graftedUpdate = (gradient: Tensor, squares: Tensor | undefined) => {
    if (graft === 'sgd') return { update: gradient };
    if (graft === 'sqrt_n') return { update: sign(gradient) };
    const scaled = graft.endsWith('normalized') ? div(gradient, add(lengthOf(gradient), 1e-16)) : gradient;
    const [keep, take] = graft.startsWith('adagrad') ? [1, 1] : [beta2, 1 - beta2];
    const next = add(mul(squares!, keep), mul(square(scaled), take));
    return { update: div(scaled, add(sqrt(next), diagonalEpsilon)), squares: next };
  };

  return {
    slots(shape): Record<string, Shape> {
      const slots: Record<string, Shape> = { momentum: shape };
      if (graft !== 'sgd' && graft !== 'sqrt_n') slots.square = shape;
      if (!isConditioned(shape)) return slots;
      const { count, size } = layoutOf(shape);
      return { ...slots, graftMomentum: shape, statistics: [count, size, size], preconditioners: [count, size, size] };
    },
    update({ name, shape, parameter, gradient, slots, learningRate, step }) {
      const { update: grafted, squares } = graftedUpdate(gradient, slots.square);
      const decayed = (update: Tensor) => (weightDecay > 0 ? add(update, mul(parameter, weightDecay)) : update);
      const blend = (before: Tensor, now: Tensor) => add(mul(before, beta1), mul(now, 1 - beta1));
      const next: Record<string, Tensor> = squares ? { square: squares } : {};
      let update = decayed(grafted);
      if (isConditioned(shape) && preconditions(name, shape)) {
        const layout = layoutOf(shape);
        const isFirst = cast(equal(step, 1), 'float32');
        const identity = identities(layout, 'blocks');
        // The state begins with zeros, and the published one with multiples of the identity.
        const before = add(slots.preconditioners!, mul(identity, isFirst));
        const initial = add(slots.statistics!, mul(identity, mul(isFirst, matrixEpsilon)));
        const statistics = add(mul(initial, beta2), mul(gramMatrices(layout, gradient), 1 - beta2));
        const preconditioned = precondition(layout, gradient, before);
        const shampooed = mul(preconditioned, div(lengthOf(grafted), add(lengthOf(preconditioned), 1e-16)));
        const hasStarted = less(preconditionFrom, step);
        const [own, graft] = [decayed(shampooed), update];
        update = select(hasStarted, own, graft);
        next.momentum = blend(slots.momentum!, own);
        next.graftMomentum = blend(slots.graftMomentum!, graft);
        next.statistics = statistics;
        const isDue = isMultiple(sub(step, 1), preconditionEvery);
        next.preconditioners = nextPreconditioners(isDue, layout, statistics, before, blockSize, matrixEpsilon);
        const momentum = select(hasStarted, next.momentum, next.graftMomentum);
        return { parameter: stepped(parameter, update, momentum, learningRate), slots: next };
      }
      next.momentum = blend(slots.momentum!, update);
      // A parameter that is excluded by name keeps its slots.
      for (const [slot, value] of Object.entries(slots)) next[slot] ??= value;
      return { parameter: stepped(parameter, update, next.momentum, learningRate), slots: next };
    },
  };

  function stepped(parameter: Tensor, update: Tensor, momentum: Tensor, learningRate: Tensor): Tensor {
    const change = nesterov ? add(mul(update, 1 - beta1), mul(momentum, beta1)) : momentum;
    return sub(parameter, mul(change, learningRate));
  }
}

/** How a parameter is divided into blocks, and the matrices of these. */
interface BlockLayout {
  /** The shape of the parameter, with small axes merged. */
  readonly merged: Shape;
  readonly blocks: readonly { readonly starts: Shape; readonly shape: Shape }[];
  /** Number of matrices: one an axis of each block. */
  readonly count: number;
  /** The length of the longest axis of a block. Smaller matrices are padded to it. */
  readonly size: number;
}

function blockLayout(shape: Shape, blockSize: number): BlockLayout {
  const merged = mergeAxes(shape);
  let blocks: { starts: number[]; shape: number[] }[] = [{ starts: [], shape: [] }];
  for (const length of merged) {
    const starts = Array.from({ length: Math.ceil(length / blockSize) }, (_, i) => i * blockSize);
    blocks = blocks.flatMap((block) =>
      starts.map((start) => ({
        starts: [...block.starts, start],
        shape: [...block.shape, Math.min(blockSize, length - start)],
      })),
    );
  }
  const size = Math.max(...blocks.flatMap(({ shape }) => shape));
  return { merged, blocks, count: blocks.length * merged.length, size };
}

/** Merges neighbouring axes while their product is at most {@link mergedLength}. */
function mergeAxes(shape: Shape): Shape {
  const merged: number[] = [];
  let product = 1;
  for (const size of shape) {
    if (product * size <= mergedLength) {
      product *= size;
      continue;
    }
    if (product > 1) merged.push(product);
    product = size;
  }
  if (product > 1) merged.push(product);
  return merged.length > 0 ? merged : [1];
}

/** The lengths of the axes that the matrices belong to, in their order. */
const sizesOf = ({ blocks }: BlockLayout): number[] => blocks.flatMap(({ shape }) => [...shape]);

/** Identity matrices `[count, size, size]`, of the blocks or of their padding. */
function identities(layout: BlockLayout, part: 'blocks' | 'padding'): Tensor {
  const { count, size } = layout;
  const data = new Float32Array(count * size * size);
  for (const [i, length] of sizesOf(layout).entries()) {
    const [start, end] = part === 'blocks' ? [0, length] : [length, size];
    for (let place = start; place < end; place++) data[(i * size + place) * size + place] = 1;
  }
  return constant({ dtype: 'float32', shape: [count, size, size], data });
}

/** Returns the blocks of a tensor of the parameter's shape. */
function cutBlocks({ merged, blocks }: BlockLayout, x: Tensor): Tensor[] {
  const whole = reshape(x, merged);
  return blocks.map(({ starts, shape }) =>
    slice(
      whole,
      starts,
      starts.map((start, axis) => start + shape[axis]!),
    ),
  );
}

/** Joins blocks, which lie in the order of their starts. */
function joinBlocks({ merged, blocks }: BlockLayout, parts: readonly Tensor[]): Tensor {
  let joined = [...parts];
  let starts = blocks.map(({ starts }) => [...starts]);
  for (let axis = merged.length - 1; axis >= 0; axis--) {
    const firsts = starts.flatMap((start, i) => (start[axis] === 0 ? [i] : []));
    joined = firsts.map((first, i) => concatAlong(joined.slice(first, firsts[i + 1]), axis));
    starts = firsts.map((first) => starts[first]!);
  }
  return joined[0]!;
}

const concatAlong = (parts: readonly Tensor[], axis: number) => (parts.length > 1 ? concat(parts, axis) : parts[0]!);

/** G · Gᵀ along each axis of each block: `[count, size, size]`, padded with zeros. */
function gramMatrices(layout: BlockLayout, gradient: Tensor): Tensor {
  const { size } = layout;
  const matrices = cutBlocks(layout, gradient).flatMap((block) =>
    block.shape.map((length, axis) => {
      const others = block.shape.map((_, i) => i).filter((i) => i !== axis);
      const flat = reshape(transpose(block, [axis, ...others]), [length, -1]);
      const gram = reshape(matmul(flat, flat, { transposeB: true, exact: true }), [1, length, length]);
      return length < size ? pad(gram, [0, 0, 0], [0, size - length, size - length]) : gram;
    }),
  );
  return concatAlong(matrices, 0);
}

/** Multiplies each block along each of its axes by its preconditioner. */
function precondition(layout: BlockLayout, gradient: Tensor, preconditioners: Tensor): Tensor {
  const rank = layout.merged.length;
  const blocks = cutBlocks(layout, gradient).map((block, i) => {
    let x = block;
    for (const [axis, length] of block.shape.entries()) {
      const index = i * rank + axis;
      const matrix = reshape(slice(preconditioners, [index, 0, 0], [index + 1, length, length]), [length, length]);
      const rest = x.shape.slice(1);
      // The contracted axis comes back as the last, so that after all axes they are in their order again.
      const product = matmul(reshape(x, [length, -1]), matrix, { transposeA: true, exact: true });
      x = reshape(product, [...rest, length]);
    }
    return x;
  });
  return reshape(joinBlocks(layout, blocks), gradient.shape);
}

/** Computes the roots of the statistics if it is time to, and keeps the preconditioners before whose roots fail. */
function nextPreconditioners(
  isDue: Tensor,
  layout: BlockLayout,
  statistics: Tensor,
  before: Tensor,
  blockSize: number,
  epsilon: number,
): Tensor {
  const padding = identities(layout, 'padding');
  const exponent = 2 * layout.merged.length;
  const [, , preconditioners] = whileLoop(1, [isDue, statistics, before], ([, matrices, old]) => {
    const { roots, errors } = inversePthRoots(add(matrices!, padding), exponent, blockSize - layout.size, epsilon);
    const kept = select(isRoot(errors, failure), sub(roots, padding), old!);
    return [scalar(0, 'bool'), matrices!, kept];
  });
  return preconditioners!;
}

/** Checks whether a float32 scalar, a whole number, is a multiple of another. */
function isMultiple(x: Tensor, of: number): Tensor {
  const whole = cast(div(add(x, 0.5), of), 'int32');
  return equal(sub(x, mul(cast(whole, 'float32'), of)), 0);
}

/** The Euclidean length of all elements. */
const lengthOf = (x: Tensor): Tensor => sqrt(sum(square(x)));

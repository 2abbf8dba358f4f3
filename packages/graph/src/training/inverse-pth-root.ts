import {
  abs,
  add,
  constant,
  div,
  fill,
  greater,
  less,
  logicalAnd,
  matmul,
  max,
  maximum,
  mul,
  pow,
  reshape,
  select,
  sqrt,
  square,
  sub,
  sum,
  whileLoop,
} from '../operators.js';
import type { Tensor } from '../tensor.js';

/** Most iterations, and the change or error from which on they end, as in the published training code. */
const limit = 100;
const tolerance = 1e-6;

/**
 * Computes the inverse p-th roots of symmetric positive semidefinite matrices by coupled Newton iterations (Higham, Functions of Matrices,
 * eq. 7.18): `[count, size, size]` to roots of the same shape and their errors `[count, 1, 1]`, the largest difference between the product of
 * a matrix and its root's p-th power and the identity. `epsilon` times the largest eigenvalue is added to the diagonal before.
 *
 * @param rest Computes as if each matrix had an identity matrix of this size as a further block of its diagonal: the largest eigenvalue then
 *   is at least 1.
 */
export function inversePthRoots(
  matrices: Tensor,
  p: number,
  rest: number,
  epsilon: number,
): { readonly roots: Tensor; readonly errors: Tensor } {
  const [count, size] = matrices.shape as [number, number];
  const identity = constant({
    dtype: 'float32',
    shape: [size, size],
    data: Float32Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 1 : 0)),
  });
  const ridge = mul(maximum(largestEigenvalues(matrices, rest), 1e-6), epsilon); // [count, 1, 1]
  const damped = add(matrices, mul(identity, ridge));
  const dampedRest = add(ridge, 1);
  const norm = sqrt(add(perMatrix(sum, square(damped)), mul(square(dampedRest), rest)));
  const scale = div((1 + p) / 2, norm);
  const errorOf = (m: Tensor, restM: Tensor) => {
    const error = perMatrix(max, abs(sub(m, identity)));
    return rest > 0 ? maximum(error, abs(sub(restM, 1))) : error;
  };
  const [m, restM] = [mul(damped, scale), mul(dampedRest, scale)];
  const root = mul(identity, pow(scale, 1 / p));
  const first = errorOf(m, restM);
  const runs = isAbove(first, tolerance);
  const initial = [any(runs), runs, m, restM, root, root, first, fill([count, 1, 1], 1)];
  const [, , lastM, , newest, before, , converges] = whileLoop(
    limit,
    initial,
    ([, runs, m, restM, root, before, error, converges]) => {
      const keep = (next: Tensor, now: Tensor) => select(runs!, next, now);
      const factor = add(mul(identity, 1 + 1 / p), mul(m!, -1 / p));
      const restFactor = add(mul(restM!, -1 / p), 1 + 1 / p);
      const nextM = product(power(factor, p), m!);
      const nextRest = mul(pow(restFactor, p), restM!);
      const nextError = errorOf(nextM, nextRest);
      // The error may grow a little before it falls.
      const isConverging = less(nextError, mul(error!, 1.2));
      const again = logicalAnd(runs!, logicalAnd(isConverging, isAbove(nextError, tolerance)));
      return [
        any(again),
        again,
        keep(nextM, m!),
        keep(nextRest, restM!),
        keep(product(root!, factor), root!),
        keep(root!, before!),
        keep(nextError, error!),
        keep(select(isConverging, fill([count, 1, 1], 1), fill([count, 1, 1], 0)), converges!),
      ];
    },
  );
  const roots = select(greater(converges!, 0.5), newest!, before!);
  return { roots, errors: perMatrix(max, abs(sub(lastM!, identity))) };
}

/** Checks that errors are numbers below a limit: bool `[count, 1, 1]`. */
export const isRoot = (errors: Tensor, limit: number): Tensor => less(errors, limit);

const isAbove = (x: Tensor, limit: number) => greater(x, limit);

/** Whether any element of `[count, 1, 1]` is true: a bool scalar. */
const any = (x: Tensor): Tensor => greater(max(select(x, 1, 0)), 0.5);

/** Reduces each matrix to a number: `[count, 1, 1]`. */
const perMatrix = (reduce: typeof sum, x: Tensor): Tensor => reduce(x, { axes: [1, 2], keepDims: true });

const product = (a: Tensor, b: Tensor): Tensor => matmul(a, b, { exact: true });

/** The power of matrices by squaring. */
function power(matrices: Tensor, exponent: number): Tensor {
  if (exponent === 1) return matrices;
  const squared = power(product(matrices, matrices), Math.floor(exponent / 2));
  return exponent % 2 === 1 ? product(matrices, squared) : squared;
}

/** Finds the largest eigenvalues by power iteration: `[count, 1, 1]`. */
function largestEigenvalues(matrices: Tensor, rest: number): Tensor {
  const [count, size] = matrices.shape as [number, number];
  const values = startVector(size + rest);
  const restSquare = values.subarray(size).reduce((total, value) => total + value ** 2, 0);
  const column = constant({ dtype: 'float32', shape: [size, 1], data: values.slice(0, size) });
  const runs = greater(fill([count, 1, 1], 1), 0);
  const initial = [
    any(runs),
    runs,
    add(fill([count, size, 1], 0), column),
    fill([count, 1, 1], restSquare),
    fill([count, 1, 1], 0),
  ];
  const [, , , , eigenvalues] = whileLoop(limit, initial, ([, runs, vector, restSquare, value]) => {
    const keep = (next: Tensor, now: Tensor) => select(runs!, next, now);
    const lengthSquare = add(perMatrix(sum, square(vector!)), restSquare!);
    const unit = div(vector!, sqrt(lengthSquare));
    const restOfUnit = div(restSquare!, lengthSquare);
    const next = product(matrices, unit);
    const nextValue = add(perMatrix(sum, mul(unit, next)), restOfUnit);
    const again = logicalAnd(runs!, isAbove(abs(sub(nextValue, value!)), tolerance));
    return [any(again), again, keep(next, vector!), keep(restOfUnit, restSquare!), keep(nextValue, value!)];
  });
  return reshape(eigenvalues!, [count, 1, 1]);
}

/**
 * The vector that the published code begins with, `numpy.random.RandomState(1729).uniform(-1, 1, length)`: while eigenvalues are small,
 * the iteration ends early, and its result depends on it.
 */
function startVector(length: number): Float32Array {
  const next = mersenneTwister(1729);
  return Float32Array.from({ length }, () => {
    const [high, low] = [next() >>> 5, next() >>> 6];
    return ((high * 2 ** 26 + low) / 2 ** 53) * 2 - 1;
  });
}

/** MT19937 (Matsumoto and Nishimura 1998), seeded with one number. */
function mersenneTwister(seed: number): () => number {
  const state = new Uint32Array(624);
  state[0] = seed;
  for (let i = 1; i < 624; i++) {
    const before = state[i - 1]! ^ (state[i - 1]! >>> 30);
    state[i] = Math.imul(1812433253, before) + i;
  }
  let place = 624;
  const twist = () => {
    for (let i = 0; i < 624; i++) {
      const mixed = (state[i]! & 0x80000000) | (state[(i + 1) % 624]! & 0x7fffffff);
      state[i] = state[(i + 397) % 624]! ^ (mixed >>> 1) ^ (mixed & 1 ? 0x9908b0df : 0);
    }
    place = 0;
  };
  return () => {
    if (place === 624) twist();
    let y = state[place++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
}

import { boolean, callback, integer, number, object, optional, readOptions } from '@dalle-mini/core';
import { add, div, matmul, maximum, mul, sqrt, square, sub, sum } from '../operators.js';
import type { Shape, Tensor } from '../tensor.js';
import { type AdamWOptions, adamW, adamWOptions, type Optimizer } from './optimizers.js';

export interface MuonOptions {
  /** Decay of the sum of gradients. Default 0.95. */
  readonly momentum?: number | undefined;
  /** Uses Nesterov's momentum. Default true. */
  readonly nesterov?: boolean | undefined;
  /** Number of Newton-Schulz iterations. Default 5. */
  readonly iterations?: number | undefined;
  /** Decoupled weight decay of the parameters that Muon updates: each step multiplies them by `1 − learningRate · weightDecay`. Default 0. */
  readonly weightDecay?: number | undefined;
  /** Selects the parameters that Muon updates; AdamW updates the others. Default: matrices, except embeddings and the output layer. */
  readonly orthogonalizes?: ((name: string, shape: Shape) => boolean) | undefined;
  /** Options of AdamW for the other parameters. */
  readonly others?: AdamWOptions | undefined;
}

const muonOptions = object<MuonOptions>({
  momentum: optional(number({ min: 0, below: 1 })),
  nesterov: optional(boolean()),
  iterations: optional(integer({ min: 1 })),
  weightDecay: optional(number({ min: 0 })),
  orthogonalizes: optional(callback()),
  others: optional(adamWOptions),
});

const isHiddenMatrix = (name: string, shape: Shape) => shape.length === 2 && !/embed|lm_head|shared/.test(name);

/** The coefficients of the odd polynomial whose iteration takes singular values from (0, 1] to about 1. */
const [a, b, c] = [3.4445, -4.775, 2.0315];

/**
 * Creates Muon (Jordan et al. 2024): the momentum of each hidden matrix is orthogonalized by Newton-Schulz iterations and scaled to the root
 * mean square of an update of AdamW, 0.2 · √(the longer axis) (Liu et al. 2025, "Muon is Scalable for LLM Training"), so that one learning rate
 * serves both rules. AdamW updates all other parameters.
 */
export function muon(options: MuonOptions = {}): Optimizer {
  const given = readOptions(muonOptions, options, 'muon');
  const { momentum = 0.95, nesterov = true, iterations = 5, weightDecay = 0, orthogonalizes = isHiddenMatrix } = given;
  const others = adamW({ weightDecay: 0, ...given.others });
  return {
    slots: (shape) => others.slots(shape),
    update(step) {
      const { name, shape, parameter, gradient, slots, learningRate } = step;
      if (!orthogonalizes(name, shape)) return others.update(step);
      const mean = add(mul(slots.mean!, momentum), mul(gradient, 1 - momentum));
      const direction = nesterov ? add(mul(mean, momentum), mul(gradient, 1 - momentum)) : mean;
      const scale = 0.2 * Math.sqrt(Math.max(...shape));
      const change = mul(orthogonalize(direction, iterations), mul(learningRate, scale));
      const decayed = weightDecay > 0 ? mul(parameter, sub(1, mul(learningRate, weightDecay))) : parameter;
      return { parameter: sub(decayed, change), slots: { ...slots, mean } };
    },
  };
}

/** Returns a matrix with about the same singular vectors and singular values of about 1 (0.7 to 1.2 after five iterations). */
function orthogonalize(matrix: Tensor, iterations: number): Tensor {
  const [rows, columns] = matrix.shape as [number, number];
  const isTall = rows > columns;
  let x = div(matrix, maximum(sqrt(sum(square(matrix))), 1e-7));
  for (let i = 0; i < iterations; i++) {
    const gram = matmul(x, x, isTall ? { transposeA: true } : { transposeB: true });
    const polynomial = add(mul(gram, b), mul(matmul(gram, gram), c));
    x = add(mul(x, a), isTall ? matmul(x, polynomial) : matmul(polynomial, x));
  }
  return x;
}

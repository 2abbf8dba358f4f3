import {
  boolean,
  integer,
  type NamePatterns,
  nameMatcher,
  namePatternsField,
  number,
  object,
  oneOf,
  optional,
} from '@dalle-mini/core';
import { adafactor, adamW, muon, type Optimizer, type ShampooOptions, shampoo } from '@dalle-mini/graph/training';

/** The optimizers of a decoder. */
export const optimizerNames = ['adamw', 'adafactor', 'shampoo', 'muon'] as const;
export type OptimizerName = (typeof optimizerNames)[number];

/** The options of Distributed Shampoo. Defaults are those of the published training code. */
export interface ShampooConfig extends Omit<ShampooOptions, 'preconditions' | 'weightDecay'> {
  /** Names of parameters that are not preconditioned, in which `*` stands for any characters: `embed_*`. Default: none. */
  readonly exclude?: NamePatterns | undefined;
}

const share = optional(number({ min: 0, below: 1 }));
const count = optional(integer({ min: 1 }));

export const shampooField = object<ShampooConfig>({
  blockSize: count,
  beta1: share,
  beta2: share,
  graft: optional(oneOf(['rmsprop_normalized', 'rmsprop', 'adagrad_normalized', 'adagrad', 'sgd', 'sqrt_n'])),
  preconditionEvery: count,
  preconditionFrom: optional(integer({ min: 0 })),
  maxDimension: count,
  diagonalEpsilon: optional(number({ above: 0 })),
  matrixEpsilon: optional(number({ above: 0 })),
  nesterov: optional(boolean()),
  exclude: optional(namePatternsField),
});

/** Weight decay by default: that of AdamW, and none with the optimizers that DALL·E Mini was trained with. */
export const defaultWeightDecay = (optimizer: OptimizerName = 'adamw'): number =>
  optimizer === 'adafactor' || optimizer === 'shampoo' ? 0 : 0.05;

/** Creates the optimizer of a decoder. */
export function createOptimizer(name: OptimizerName, weightDecay: number, options: ShampooConfig = {}): Optimizer {
  switch (name) {
    case 'adamw':
      return adamW({ beta2: 0.98, weightDecay });
    case 'adafactor':
      return adafactor({ weightDecay });
    case 'muon':
      return muon({ weightDecay, others: { beta2: 0.98, weightDecay } });
    case 'shampoo': {
      const { exclude = [], ...own } = options;
      const patterns = [exclude].flat().map(nameMatcher);
      const preconditions = (parameter: string) => !patterns.some((matches) => matches(parameter));
      return shampoo({ ...own, weightDecay, preconditions });
    }
  }
}

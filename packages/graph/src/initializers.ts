import { createRandom, object, type Random, readOptions, seedField } from '@dalle-mini/core';
import { sizeOf } from './shape.js';
import type { Initializer, Shape, Tensor, TensorData } from './tensor.js';

export const zeros: Initializer = { kind: 'zeros', scale: 0 };
export const ones: Initializer = { kind: 'ones', scale: 1 };
/** Creates an initializer that sets all elements to `value`. */
export const filled = (value: number): Initializer => ({ kind: 'constant', scale: value });
/** Creates an initializer with a normal distribution. Default mean 0. */
export const normal = (standardDeviation: number, mean = 0): Initializer => ({
  kind: 'normal',
  scale: standardDeviation,
  mean,
});
/** Creates an initializer with a uniform distribution in `[-bound, bound)`. */
export const uniform = (bound: number): Initializer => ({ kind: 'uniform', scale: bound });

/** Creates LeCun's normal initializer: variance 1 / fanIn (LeCun et al. 1998). */
export const lecunNormal = (fanIn: number): Initializer => normal(Math.sqrt(1 / fanIn));
/** Creates He's uniform initializer for linear units, PyTorch's default for convolutions: bound 1 / √fanIn. */
export const fanInUniform = (fanIn: number): Initializer => uniform(Math.sqrt(1 / fanIn));

/** Generates the initial values of a parameter of the given shape. */
function initialize(initializer: Initializer, shape: Shape, random: Random): Float32Array {
  const data = new Float32Array(sizeOf(shape));
  const { mean = 0 } = initializer;
  switch (initializer.kind) {
    case 'zeros':
      break;
    case 'ones':
    case 'constant':
      data.fill(initializer.scale);
      break;
    case 'normal':
      for (let i = 0; i < data.length; i++) data[i] = mean + initializer.scale * random.normal();
      break;
    case 'uniform':
      for (let i = 0; i < data.length; i++) data[i] = initializer.scale * (2 * random.uniform() - 1);
      break;
  }
  return data;
}

/**
 * Generates first values for all parameters. Each parameter has a random stream of its own, of the seed and of its name, so that its
 * values depend neither on the order of declaration nor on the other parameters.
 *
 * @param seed A whole number from 0 to 2⁵³ − 1.
 * @throws OptionError if the seed is out of its range.
 */
export function initializeParameters(parameters: ReadonlyMap<string, Tensor>, seed: number): Map<string, TensorData> {
  readOptions(object({ seed: seedField }), { seed }, 'initializeParameters');
  const values = new Map<string, TensorData>();
  for (const [name, { operation, shape }] of parameters) {
    const { initializer } = operation.attributes as { initializer: Initializer };
    const random = createRandom('initialize', seed, name);
    values.set(name, { dtype: 'float32', shape, data: initialize(initializer, shape, random) });
  }
  return values;
}

import { type Random, sampleNormal, sampleUniform } from './random.js';
import { sizeOf } from './shape.js';
import type { Initializer, Shape, Tensor, TensorData } from './tensor.js';

export const zeros: Initializer = { kind: 'zeros', scale: 0 };
export const ones: Initializer = { kind: 'ones', scale: 1 };
/** All elements alike. */
export const filled = (value: number): Initializer => ({ kind: 'constant', scale: value });
/** A normal distribution of mean 0. */
export const normal = (standardDeviation: number): Initializer => ({ kind: 'normal', scale: standardDeviation });
/** A uniform distribution in `[-bound, bound)`. */
export const uniform = (bound: number): Initializer => ({ kind: 'uniform', scale: bound });

/** LeCun's normal distribution: variance 1 / fanIn (LeCun et al. 1998). */
export const lecunNormal = (fanIn: number): Initializer => normal(Math.sqrt(1 / fanIn));
/** He's uniform distribution for linear units, PyTorch's default for convolutions: bound 1 / √fanIn. */
export const fanInUniform = (fanIn: number): Initializer => uniform(Math.sqrt(1 / fanIn));

/** Draws the first values of a parameter of the given shape. */
export function initialize(initializer: Initializer, shape: Shape, random: Random): Float32Array {
  const data = new Float32Array(sizeOf(shape));
  switch (initializer.kind) {
    case 'zeros':
      break;
    case 'ones':
    case 'constant':
      data.fill(initializer.scale);
      break;
    case 'normal':
      for (let i = 0; i < data.length; i++) data[i] = initializer.scale * sampleNormal(random);
      break;
    case 'uniform':
      for (let i = 0; i < data.length; i++) data[i] = initializer.scale * (2 * sampleUniform(random) - 1);
      break;
  }
  return data;
}

/** Draws first values for all parameters, in the order of their names so that the order of construction does not matter. */
export function initializeParameters(parameters: ReadonlyMap<string, Tensor>, random: Random): Map<string, TensorData> {
  const values = new Map<string, TensorData>();
  for (const name of [...parameters.keys()].sort()) {
    const { operation, shape } = parameters.get(name)!;
    const { initializer } = operation.attributes as { initializer: Initializer };
    values.set(name, { dtype: 'float32', shape, data: initialize(initializer, shape, random) });
  }
  return values;
}

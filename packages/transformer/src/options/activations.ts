import {
  add,
  gelu,
  greater,
  less,
  mul,
  relu,
  select,
  sigmoid,
  square,
  swish,
  type Tensor,
  tanh,
} from '@dalle-mini/graph';

/** Gelu by tanh (Hendrycks and Gimpel 2016, section 2). */
const geluByTanh = (x: Tensor) =>
  mul(mul(x, 0.5), add(tanh(mul(add(x, mul(mul(square(x), x), 0.044715)), Math.sqrt(2 / Math.PI))), 1));

/** Activations by the names that released configurations have for them. */
export const activations = {
  gelu,
  gelu_fast: geluByTanh,
  gelu_new: geluByTanh,
  gelu_pytorch_tanh: geluByTanh,
  quick_gelu: (x: Tensor) => mul(x, sigmoid(mul(x, 1.702))),
  relu,
  silu: swish,
  // As published, and not as in its paper (Shamir and Lin 2022): 1/4 below −1, where it should be 0.
  smelu: (x: Tensor) => select(less(x, 1), mul(square(add(select(greater(x, -1), x, 0), 1)), 0.25), x),
  swish,
  tanh,
};

/** Those of the published code. `silu` is `swish`. */
export const activationNames = ['gelu', 'gelu_new', 'quick_gelu', 'relu', 'silu', 'smelu', 'swish'] as const;

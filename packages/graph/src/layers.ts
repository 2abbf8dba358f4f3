import { fanInUniform, normal, ones, zeros } from './initializers.js';
import { inLayer } from './operation.js';
import {
  add,
  cast,
  constant,
  conv2d,
  gather,
  gelu,
  groupNormalize,
  less,
  logicalNot,
  matmul,
  mean,
  mul,
  normalize,
  reciprocal,
  reshape,
  select,
  softmax,
  sqrt,
  square,
  stopGradient,
  sub,
  transpose,
  upsampleConv2d,
} from './operators.js';
import type { ParameterScope } from './parameters.js';
import { sizeOf } from './shape.js';
import type { Initializer, Padding, Tensor } from './tensor.js';

export interface LinearOptions {
  /** Whether to add a bias. Default true. */
  readonly bias?: boolean | undefined;
  /** Initializer of the weight. Default uniform in ±1/√(input width), as in PyTorch. */
  readonly initializer?: Initializer | undefined;
}

/** Computes x · Wᵀ + b over the last axis, with PyTorch's parameter names and layout: `weight` `[out, in]`, `bias` `[out]`. */
export function linear(scope: ParameterScope, x: Tensor, outWidth: number, options: LinearOptions = {}): Tensor {
  return inLayer(scope.path, () => {
    const width = x.shape.at(-1)!;
    const weight = scope.parameter('weight', [outWidth, width], options.initializer ?? fanInUniform(width));
    const product = matmul(x, weight, { transposeB: true });
    return options.bias === false ? product : add(product, scope.parameter('bias', [outWidth], zeros));
  });
}

/** Looks up rows of a learned table `weight` `[count, width]` by int32 indices `[…]`: `[…, width]`. */
export function embedding(
  scope: ParameterScope,
  indices: Tensor,
  count: number,
  width: number,
  initializer: Initializer = normal(0.02),
): Tensor {
  return inLayer(scope.path, () => gather(scope.parameter('weight', [count, width], initializer), indices));
}

export interface NormOptions {
  readonly epsilon?: number | undefined;
  /** Whether to scale the result by a learned `weight`. Default true. */
  readonly scale?: boolean | undefined;
  /** Whether to add a learned `bias`. Default true. */
  readonly bias?: boolean | undefined;
}

/** Applies layer normalization over the last axis (Ba et al. 2016). Default epsilon 1e-5. */
export function layerNorm(scope: ParameterScope, x: Tensor, options: NormOptions = {}): Tensor {
  return inLayer(scope.path, () => {
    const width = x.shape.at(-1)!;
    const normalized = normalize(x, options.epsilon ?? 1e-5);
    const scaled = options.scale === false ? normalized : mul(normalized, scope.parameter('weight', [width], ones));
    return options.bias === false ? scaled : add(scaled, scope.parameter('bias', [width], zeros));
  });
}

/**
 * Applies RMS normalization: x / √(mean x² + epsilon) over the last axis, scaled by a learned `weight` (Zhang and Sennrich 2019).
 * Default epsilon 1e-6.
 */
export function rmsNorm(scope: ParameterScope, x: Tensor, options: Omit<NormOptions, 'bias'> = {}): Tensor {
  return inLayer(scope.path, () => {
    const meanSquare = mean(square(x), { axes: [-1], keepDims: true });
    const normalized = mul(x, reciprocal(sqrt(add(meanSquare, options.epsilon ?? 1e-6))));
    return options.scale === false ? normalized : mul(normalized, scope.parameter('weight', [x.shape.at(-1)!], ones));
  });
}

/**
 * Applies group normalization to images `[batch, channels, height, width]` (Wu and He 2018). Default epsilon 1e-6, as in Taming
 * Transformers.
 */
export function groupNorm(scope: ParameterScope, x: Tensor, groups: number, epsilon = 1e-6): Tensor {
  return inLayer(scope.path, () => {
    const channels = x.shape[1]!;
    const weight = scope.parameter('weight', [channels], ones);
    return groupNormalize(x, weight, scope.parameter('bias', [channels], zeros), groups, epsilon);
  });
}

/**
 * Applies batch normalization to images `[batch, channels, height, width]` (Ioffe and Szegedy 2015) with the statistics of the batch, as
 * PyTorch's `BatchNorm2d` does in training. It assigns the buffers `running_mean`, `running_var` (unbiased), `[channels]`, and
 * `num_batches_tracked`, a scalar, which other programs use for inference. Epsilon is 1e-5, and the share of a batch in the running
 * statistics 0.1.
 */
export function batchNorm(scope: ParameterScope, x: Tensor, initializer: Initializer = ones): Tensor {
  return inLayer(scope.path, () => {
    const channels = x.shape[1]!;
    const perChannel = (t: Tensor) => reshape(t, [1, channels, 1, 1]);
    const average = mean(x, { axes: [0, 2, 3], keepDims: true });
    const centred = sub(x, average);
    const variance = mean(square(centred), { axes: [0, 2, 3], keepDims: true });
    const count = sizeOf(x.shape) / channels;
    const track = (name: string, now: Tensor, initializer: Initializer) => {
      const before = scope.buffer(name, [channels], initializer);
      const change = mul(sub(reshape(now, [channels]), before), 0.1);
      scope.assign(name, stopGradient(add(before, change)));
    };
    track('running_mean', average, zeros);
    track('running_var', mul(variance, count / (count - 1)), ones);
    scope.assign('num_batches_tracked', add(scope.buffer('num_batches_tracked', [], zeros), 1));
    const weight = scope.parameter('weight', [channels], initializer);
    const scale = mul(perChannel(weight), reciprocal(sqrt(add(variance, 1e-5))));
    return add(mul(centred, scale), perChannel(scope.parameter('bias', [channels], zeros)));
  });
}

/** Applies the leaky rectified linear unit: x where it is above 0, else `slope` · x (Maas et al. 2013). */
export function leakyRelu(x: Tensor, slope: number): Tensor {
  return mul(x, stopGradient(select(less(0, x), 1, slope)));
}

export interface ConvOptions {
  /** Width and height of the kernel. Default 3. */
  readonly kernelSize?: number | undefined;
  readonly stride?: number | undefined;
  /** Padding in pixels. By default the size does not change at stride 1. */
  readonly padding?: number | Padding | undefined;
  /** Whether to add a bias. Default true. */
  readonly bias?: boolean | undefined;
  /** Initializer of the weight. Default uniform in ±1/√(inputs of an output), as in PyTorch. */
  readonly initializer?: Initializer | undefined;
}

/** Convolves images `[batch, channels, height, width]`, with `weight` `[out, in, k, k]` and `bias` `[out]`. */
export function conv(scope: ParameterScope, x: Tensor, outChannels: number, options: ConvOptions = {}): Tensor {
  return inLayer(scope.path, () => {
    const { kernelSize = 3, stride = 1, padding = (kernelSize - 1) / 2 } = options;
    return conv2d(x, kernelOf(scope, x, outChannels, kernelSize, options.initializer), {
      bias: options.bias === false ? undefined : scope.parameter('bias', [outChannels], zeros),
      stride,
      padding,
    });
  });
}

/**
 * Repeats the pixels of images `factor` times along rows and columns, and convolves the result, with the parameters of `conv`:
 * `[batch, out, height · factor, width · factor]`.
 */
export function upsampleConv(
  scope: ParameterScope,
  x: Tensor,
  outChannels: number,
  { kernelSize = 3, factor = 2 }: { readonly kernelSize?: number; readonly factor?: number } = {},
): Tensor {
  return inLayer(scope.path, () => {
    const weight = kernelOf(scope, x, outChannels, kernelSize);
    return upsampleConv2d(x, weight, { factor, bias: scope.parameter('bias', [outChannels], zeros) });
  });
}

function kernelOf(scope: ParameterScope, x: Tensor, outChannels: number, size: number, initializer?: Initializer) {
  const channels = x.shape[1]!;
  const usual = fanInUniform(channels * size * size);
  return scope.parameter('weight', [outChannels, channels, size, size], initializer ?? usual);
}

/** Returns the mask of causal attention, bool `[length, length]`: each row is true up to and including its own column. */
export function causalMask(length: number): Tensor {
  const data = Uint8Array.from({ length: length * length }, (_, i) => (i % length <= Math.floor(i / length) ? 1 : 0));
  return constant({ dtype: 'bool', shape: [length, length], data });
}

/** Splits the last axis into heads: `[batch, length, heads · size]` to `[batch, heads, length, size]`. */
export function splitHeads(x: Tensor, heads: number): Tensor {
  const [batch, length, width] = x.shape as [number, number, number];
  return transpose(reshape(x, [batch, length, heads, width / heads]), [0, 2, 1, 3]);
}

/** Merges heads into the last axis: `[batch, heads, length, size]` to `[batch, length, heads · size]`. */
export function mergeHeads(x: Tensor): Tensor {
  const [batch, , length] = x.shape as [number, number, number, number];
  return reshape(transpose(x, [0, 2, 1, 3]), [batch, length, -1]);
}

/**
 * Computes softmax(q · kᵀ / √size) · v for each head (Vaswani et al. 2017): queries `[batch, heads, m, size]`, keys and values
 * `[batch, heads, n, size]`. The mask and the bias broadcast to `[batch, heads, m, n]`. A query attends only to keys whose mask is true,
 * and the bias is added to the scores before the softmax.
 */
export function dotProductAttention(
  queries: Tensor,
  keys: Tensor,
  values: Tensor,
  mask?: Tensor,
  bias?: Tensor,
): Tensor {
  const products = matmul(scaleQueries(queries), keys, { transposeB: true });
  const scores = bias ? add(products, bias) : products;
  // Not −∞: for a row that is all padding, softmax would compute −∞ − −∞, which is NaN.
  const masked = mask ? add(scores, mul(cast(logicalNot(mask), 'float32'), -1e9)) : scores;
  return matmul(softmax(masked), values);
}

/** Divides queries `[…, m, size]` by √size. */
export function scaleQueries(queries: Tensor): Tensor {
  return mul(queries, 1 / Math.sqrt(queries.shape.at(-1)!));
}

/** Applies two linear layers, `fc1` and `fc2`, with a Gaussian error linear unit (GELU) between them. */
export function feedForward(
  scope: ParameterScope,
  x: Tensor,
  hiddenWidth: number,
  options: LinearOptions = {},
): Tensor {
  const hidden = gelu(linear(scope.in('fc1'), x, hiddenWidth, options));
  return linear(scope.in('fc2'), hidden, x.shape.at(-1)!, options);
}

/** Applies a gated feed-forward layer: fc2(gelu(fc0 x) · fc1 x) (Shazeer 2020). */
export function gatedFeedForward(
  scope: ParameterScope,
  x: Tensor,
  hiddenWidth: number,
  options: LinearOptions = {},
): Tensor {
  const gate = gelu(linear(scope.in('fc0'), x, hiddenWidth, options));
  const value = linear(scope.in('fc1'), x, hiddenWidth, options);
  return linear(scope.in('fc2'), mul(gate, value), x.shape.at(-1)!, options);
}

/** Computes the mean of (a − b)². */
export function meanSquaredError(a: Tensor, b: Tensor): Tensor {
  return mean(square(sub(a, b)));
}

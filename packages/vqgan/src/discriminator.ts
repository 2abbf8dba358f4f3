/** The PatchGAN discriminator of Taming Transformers, `NLayerDiscriminator` in `modules/discriminator/model.py` (Isola et al. 2017). */
import { type Fields, integer, oneOf, optional } from '@dalle-mini/core';
import {
  add,
  equal,
  inLayer,
  input,
  mean,
  mul,
  neg,
  ParameterScope,
  reciprocal,
  scalar,
  select,
  sizeOf,
  sqrt,
  square,
  stopGradient,
  sub,
  sum,
  type Tensor,
} from '@dalle-mini/graph';
import { normal, ones, zeros } from '@dalle-mini/graph/initializers';
import { batchNorm, conv, leakyRelu } from '@dalle-mini/graph/layers';

/** The sizes of a discriminator. */
export interface DiscriminatorConfig {
  /** Number of convolutions of stride 2, of `disc_num_layers`. Default 3: a logit then sees 70 × 70 pixels. */
  readonly layers?: number | undefined;
  /** Channels of the first layer, `disc_ndf`. Each layer doubles them, up to 8 times as many. Default 64. */
  readonly width?: number | undefined;
  /**
   * Normalization: `batch` normalization, the default, or `actnorm`, a scale and a shift that the first batch sets (`use_actnorm`). The
   * latter does not depend on the other images of a batch, and so works with small batches.
   */
  readonly norm?: 'batch' | 'actnorm' | undefined;
}

export const discriminatorFields: Fields<DiscriminatorConfig> = {
  layers: optional(integer({ min: 1, max: 8 })),
  width: optional(integer({ min: 1, max: 4096 })),
  norm: optional(oneOf(['batch', 'actnorm'])),
};

const slope = 0.2;
const weights = normal(0.02);

/**
 * Computes the logits of images `[batch, channels, size, size]`, each of a patch: `[batch, 1, grid, grid]`, with
 * grid = size / 2^layers − 2. A high logit means that the patch looks real. Its normalization is that of training.
 */
export function discriminate(scope: ParameterScope, images: Tensor, config: DiscriminatorConfig = {}): Tensor {
  const { layers = 3, width = 64, norm = 'batch' } = config;
  const main = scope.in('main');
  const convolve = (index: number, x: Tensor, channels: number, stride: number, bias = true) =>
    conv(main.in(index), x, channels, { kernelSize: 4, stride, padding: 1, bias, initializer: weights });
  let h = leakyRelu(convolve(0, images, width, 2), slope);
  for (let layer = 1; layer <= layers; layer++) {
    const index = 3 * layer - 1;
    const channels = width * Math.min(2 ** layer, 8);
    h = convolve(index, h, channels, layer < layers ? 2 : 1, norm === 'actnorm');
    const normalized =
      norm === 'actnorm' ? actNorm(main.in(index + 1), h) : batchNorm(main.in(index + 1), h, normal(0.02, 1));
    h = leakyRelu(normalized, slope);
  }
  return convolve(3 * layers + 2, h, 1, 1);
}

/**
 * Shifts and scales the channels of images `[batch, channels, height, width]` by learned `loc` and `scale`. The first batch sets them so
 * that each channel has mean 0 and deviation 1 (Kingma and Dhariwal 2018).
 */
function actNorm(scope: ParameterScope, x: Tensor): Tensor {
  return inLayer(scope.path, () => {
    const shape = [1, x.shape[1]!, 1, 1];
    const isFirst = equal(scope.buffer('initialized', [], zeros), 0);
    const average = mean(x, { axes: [0, 2, 3], keepDims: true });
    const squares = sum(square(sub(x, average)), { axes: [0, 2, 3], keepDims: true });
    const deviation = sqrt(mul(squares, 1 / (sizeOf(x.shape) / x.shape[1]! - 1)));
    /** A parameter, or its first value with the gradient of the parameter. */
    const learned = (parameter: Tensor, first: Tensor) =>
      add(parameter, stopGradient(select(isFirst, sub(first, parameter), 0)));
    const loc = learned(scope.parameter('loc', shape, zeros), neg(average));
    const scale = learned(scope.parameter('scale', shape, ones), reciprocal(add(deviation, 1e-6)));
    scope.assign('loc', loc);
    scope.assign('scale', scale);
    scope.assign('initialized', scalar(1));
    return mul(add(x, loc), scale);
  });
}

/** The prefix of the names of a discriminator's parameters in Taming's checkpoints. */
export const discriminatorPrefix = 'loss.discriminator.';

/**
 * Returns the parameters of a discriminator of images of `channels` channels, by their names in Taming's checkpoints:
 * `loss.discriminator.main.0.weight`.
 */
export function discriminatorParameters(config: DiscriminatorConfig = {}, channels = 3): ReadonlyMap<string, Tensor> {
  const scope = new ParameterScope();
  const size = 4 * 2 ** (config.layers ?? 3);
  discriminate(scope.in('loss').in('discriminator'), input('images', [1, channels, size, size]), config);
  return scope.parameters;
}

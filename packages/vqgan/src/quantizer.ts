/** The codebook of a VQ-VAE (van den Oord et al. 2017), as Taming Transformers' `VectorQuantizer2` and `GumbelQuantize`. */
import { ConfigError } from '@dalle-mini/core';
import {
  add,
  argmax,
  gather,
  matmul,
  mean,
  mul,
  type ParameterScope,
  reshape,
  square,
  stopGradient,
  sub,
  sum,
  type Tensor,
  transpose,
} from '@dalle-mini/graph';
import { uniform } from '@dalle-mini/graph/initializers';
import { conv } from '@dalle-mini/graph/layers';
import type { VqganConfig } from './config.js';

/** Declares the codebook, `[nEmbed, embedDim]`. */
export function codebook(scope: ParameterScope, { nEmbed, embedDim, quantizer }: VqganConfig): Tensor {
  return scope
    .in(quantizer === 'gumbel' ? 'embed' : 'embedding')
    .parameter('weight', [nEmbed, embedDim], uniform(1 / nEmbed));
}

/**
 * Finds the nearest code of each vector: `[n, embedDim]` to int32 `[n]`.
 *
 * |z − e|² is smallest where z · e − |e|² / 2 is largest. So one matrix product is enough, and no tensor is larger than `[n, nEmbed]`.
 */
export function nearestCode(vectors: Tensor, codes: Tensor): Tensor {
  const halfSquares = mul(sum(square(codes), { axes: [1] }), 0.5);
  return argmax(sub(matmul(vectors, codes, { transposeB: true }), halfSquares));
}

/** Chooses the token of each vector of `[batch, embedDim, grid, grid]`: int32 `[batch · grid · grid]`. */
export function chooseTokens(scope: ParameterScope, z: Tensor, config: VqganConfig): Tensor {
  if (config.quantizer !== 'gumbel') return nearestCode(pixelsToRows(z), codebook(scope, config));
  return argmax(pixelsToRows(conv(scope.in('proj'), z, config.nEmbed, { kernelSize: 1 })));
}

export interface Quantized {
  /** `[batch, embedDim, grid, grid]`: codes, through which gradients flow as if they were the vectors. */
  readonly quantized: Tensor;
  /** int32 `[batch · grid · grid]`. */
  readonly tokens: Tensor;
  /** Mean squared distance of the codes from the vectors, a scalar. Its gradient updates the codes. */
  readonly codebookLoss: Tensor;
  /** Mean squared distance of the vectors from the codes, a scalar equal to `codebookLoss`. Its gradient updates the vectors. */
  readonly commitmentLoss: Tensor;
}

/**
 * Replaces each vector of `[batch, embedDim, grid, grid]` by its nearest code, with the straight-through gradient.
 *
 * @throws ConfigError if the quantizer is `gumbel`, which needs the noise and the temperature of its own training.
 */
export function quantize(scope: ParameterScope, z: Tensor, config: VqganConfig): Quantized {
  if (config.quantizer === 'gumbel')
    throw new ConfigError('VQ-GAN config', 'quantizer', 'must be "nearest" to train, not "gumbel".');
  const codes = codebook(scope, config);
  const vectors = pixelsToRows(z);
  const tokens = nearestCode(stopGradient(vectors), stopGradient(codes));
  const chosen = gather(codes, tokens);
  const straightThrough = add(vectors, stopGradient(sub(chosen, vectors)));
  return {
    quantized: rowsToPixels(straightThrough, z),
    tokens,
    codebookLoss: mean(square(sub(chosen, stopGradient(vectors)))),
    commitmentLoss: mean(square(sub(stopGradient(chosen), vectors))),
  };
}

/** Rearranges `[batch, width, grid, grid]` to `[batch · grid · grid, width]`. */
export function pixelsToRows(z: Tensor): Tensor {
  return reshape(transpose(z, [0, 2, 3, 1]), [-1, z.shape[1]!]);
}

/** The inverse of `pixelsToRows`, to the shape of another tensor except for its channels. */
export function rowsToPixels(rows: Tensor, like: { readonly shape: readonly number[] }): Tensor {
  const [batch, , height, width] = like.shape as [number, number, number, number];
  return transpose(reshape(rows, [batch, height, width, -1]), [0, 3, 1, 2]);
}

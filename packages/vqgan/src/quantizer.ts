/** The codebook of a VQ-VAE (van den Oord et al. 2017), as Taming Transformers' `VectorQuantizer2` and `GumbelQuantize`. */
import { ConfigError } from '@dalle-mini/core';
import {
  add,
  argmax,
  div,
  equal,
  fill,
  gather,
  log,
  logSoftmax,
  matmul,
  maximum,
  mean,
  mul,
  neg,
  type ParameterScope,
  reshape,
  scatterAdd,
  select,
  softmax,
  sqrt,
  square,
  stopGradient,
  sub,
  sum,
  type Tensor,
  transpose,
} from '@dalle-mini/graph';
import { uniform, zeros } from '@dalle-mini/graph/initializers';
import { conv } from '@dalle-mini/graph/layers';
import type { VqganConfig } from './config.js';

/**
 * Declares the codebook, `[nEmbed, embedDim]`, and returns its codes.
 *
 * @param declare Whether the codes are parameters or buffers.
 */
export function codebook(
  scope: ParameterScope,
  { nEmbed, embedDim, quantizer, normalizeCodes }: VqganConfig,
  declare: 'parameter' | 'buffer' = 'parameter',
): Tensor {
  const place = scope.in(quantizer === 'gumbel' ? 'embed' : 'embedding');
  const codes = place[declare]('weight', [nEmbed, embedDim], uniform(1 / nEmbed));
  return normalizeCodes ? toUnitLength(codes) : codes;
}

/** Returns the length of each row, `[n, 1]`; that of zeros is tiny, so that one can divide by it. */
function lengths(rows: Tensor): Tensor {
  return sqrt(maximum(sum(square(rows), { axes: [1], keepDims: true }), 1e-24));
}

const toUnitLength = (rows: Tensor) => div(rows, lengths(rows));

/** Computes how near each code is to each vector of `[n, embedDim]`, up to a constant a vector: −|z − e|² / 2 + |z|² / 2, `[n, nEmbed]`. */
function closeness(vectors: Tensor, codes: Tensor): Tensor {
  const halfSquares = mul(sum(square(codes), { axes: [1] }), 0.5);
  return sub(matmul(vectors, codes, { transposeB: true }), halfSquares);
}

/**
 * Finds the nearest code of each vector: `[n, embedDim]` to int32 `[n]`.
 *
 * |z − e|² is smallest where z · e − |e|² / 2 is largest. So one matrix product is enough, and no tensor is larger than `[n, nEmbed]`.
 */
export function nearestCode(vectors: Tensor, codes: Tensor): Tensor {
  return argmax(closeness(vectors, codes));
}

/** Rearranges `[batch, embedDim, grid, grid]` to the vectors that are compared with codes, `[n, embedDim]`. */
function vectorsOf(z: Tensor, { normalizeCodes }: VqganConfig): Tensor {
  const vectors = pixelsToRows(z);
  return normalizeCodes ? toUnitLength(vectors) : vectors;
}

/** Chooses the token of each vector of `[batch, embedDim, grid, grid]`: int32 `[batch · grid · grid]`. */
export function chooseTokens(scope: ParameterScope, z: Tensor, config: VqganConfig): Tensor {
  if (config.quantizer !== 'gumbel') return nearestCode(vectorsOf(z, config), codebook(scope, config));
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
  /**
   * Entropy of the codes of a vector minus that of the codes of all vectors, a scalar. With it, codes become certain for single vectors and
   * are used equally often (Yu et al. 2023, MAGVIT-v2, section 3).
   */
  readonly entropyLoss: Tensor;
}

/** How the codes and the vectors are trained. */
export interface QuantizeOptions {
  /**
   * The gradient that vectors get from that of their codes. `straightThrough`, the default, copies it (van den Oord et al. 2017).
   * `rotation` turns and scales it as the vector was turned into its code: vectors of one code then get different gradients, which keeps
   * more codes in use (Fifty et al. 2024).
   */
  readonly gradient?: 'straightThrough' | 'rotation' | undefined;
  /**
   * Makes each code the moving average of its vectors, with this decay, such as 0.99. It converges faster than codes that are trained with
   * the codebook loss, which then has no effect (van den Oord et al. 2017, appendix A.1). Default: codes are trained.
   */
  readonly averageCodes?: number | undefined;
}

/**
 * Replaces each vector of `[batch, embedDim, grid, grid]` by its nearest code.
 *
 * @throws ConfigError if the quantizer is `gumbel`, which needs the noise and the temperature of its own training.
 */
export function quantize(
  scope: ParameterScope,
  z: Tensor,
  config: VqganConfig,
  { gradient = 'straightThrough', averageCodes }: QuantizeOptions = {},
): Quantized {
  if (config.quantizer === 'gumbel')
    throw new ConfigError('VQ-GAN config', 'quantizer', 'must be "nearest" to train, not "gumbel".');
  const codes = codebook(scope, config, averageCodes === undefined ? 'parameter' : 'buffer');
  const vectors = vectorsOf(z, config);
  const tokens = nearestCode(stopGradient(vectors), stopGradient(codes));
  const chosen = gather(codes, tokens);
  const through =
    gradient === 'rotation'
      ? rotateTo(stopGradient(chosen), vectors)
      : add(vectors, stopGradient(sub(chosen, vectors)));
  if (averageCodes !== undefined)
    averageVectors(scope.in('embedding'), codes, stopGradient(vectors), tokens, averageCodes);
  return {
    quantized: rowsToPixels(through, z),
    tokens,
    codebookLoss: mean(square(sub(chosen, stopGradient(vectors)))),
    commitmentLoss: mean(square(sub(stopGradient(chosen), vectors))),
    entropyLoss: entropyOf(scope, closeness(vectors, codes)),
  };
}

/**
 * Rotates and scales vectors to their codes, `[n, width]`, by constant matrices (Fifty et al. 2024, equation 4):
 * λ (z − 2 r rᵀz + 2 q̂ ẑᵀz) with λ = |q| / |z|, unit vectors q̂ of q and ẑ of z, and r that of ẑ + q̂.
 */
function rotateTo(codes: Tensor, vectors: Tensor): Tensor {
  const along = (direction: Tensor) => sum(mul(vectors, direction), { axes: [1], keepDims: true });
  const fixed = stopGradient(vectors);
  const [from, to] = [toUnitLength(fixed), toUnitLength(codes)];
  const middle = toUnitLength(add(from, to));
  const scale = div(lengths(codes), lengths(fixed));
  const turned = add(sub(vectors, mul(mul(along(middle), middle), 2)), mul(mul(along(from), to), 2));
  return mul(turned, scale);
}

/** The temperature of the probabilities of codes. */
const entropyTemperature = 0.01;

/** Computes the entropy loss from the closeness of codes to vectors, `[n, nEmbed]`, as LlamaGen's `compute_entropy_loss`. */
function entropyOf(scope: ParameterScope, closeness: Tensor): Tensor {
  // The logits are the negative squared distances, up to a constant.
  const logits = mul(closeness, 2 / entropyTemperature);
  const probabilities = softmax(logits);
  const average = scope.statistic('code_probabilities', mean(probabilities, { axes: [0] }), 'mean');
  const averageEntropy = neg(sum(mul(average, log(add(average, 1e-5)))));
  const vectorEntropy = neg(mean(sum(mul(probabilities, logSoftmax(logits)), { axes: [1] })));
  return sub(vectorEntropy, averageEntropy);
}

/**
 * Moves the codes to the moving averages of their vectors, as Taming Transformers' `EmbeddingEMA`: `embed_avg` is the average of sums
 * of vectors, and `cluster_size` that of their counts, which begins at 1 a code, so that unused codes stay.
 */
function averageVectors(scope: ParameterScope, codes: Tensor, vectors: Tensor, tokens: Tensor, decay: number): void {
  const [nEmbed, width] = codes.shape as [number, number];
  const sizeBefore = scope.buffer('cluster_size', [nEmbed], zeros);
  const isFirst = equal(sum(sizeBefore), 0);
  const blend = (before: Tensor, now: Tensor) => add(mul(before, decay), mul(now, 1 - decay));
  const batchSum = (name: string, own: Tensor) => scope.statistic(name, stopGradient(own), 'sum');
  const counts = batchSum('counts', reshape(scatterAdd(tokens, fill([tokens.shape[0]!, 1], 1), nEmbed), [nEmbed]));
  const size = blend(select(isFirst, 1, sizeBefore), counts);
  const sums = batchSum('sums', scatterAdd(tokens, vectors, nEmbed));
  const average = blend(select(isFirst, codes, scope.buffer('embed_avg', [nEmbed, width], zeros)), sums);
  // Laplace smoothing keeps codes without vectors finite.
  const total = sum(size);
  const smoothed = mul(div(add(size, 1e-5), add(total, nEmbed * 1e-5)), total);
  scope.assign('cluster_size', size);
  scope.assign('embed_avg', average);
  scope.assign('weight', div(average, reshape(smoothed, [nEmbed, 1])));
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

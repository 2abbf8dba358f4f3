/** What attention does in other configurations than the default. */
import {
  add,
  div,
  exp,
  log,
  matmul,
  max,
  maximum,
  mul,
  type ParameterScope,
  reshape,
  select,
  sliceAxis,
  softmax,
  sqrt,
  square,
  stopGradient,
  sub,
  sum,
  type Tensor,
  transpose,
} from '@dalle-mini/graph';
import { ones } from '@dalle-mini/graph/initializers';
import { embedding } from '@dalle-mini/graph/layers';
import type { Stack } from '../stack.js';

/** Queries for attention by cosines, whose scores are divided by tau, and then by √size as all are. */
export function cosineQueries({ width, heads, cosineAttention, tau }: Stack, queries: Tensor): Tensor {
  return cosineAttention ? mul(unit(queries), Math.sqrt(width / heads) / tau) : queries;
}

/** Keys for attention by cosines. */
export function cosineKeys({ cosineAttention }: Stack, keys: Tensor): Tensor {
  return cosineAttention ? unit(keys) : keys;
}

/** Divided by its length, as published: with 1e-8 added to the length. */
function unit(x: Tensor): Tensor {
  // Zeros, which hidden states at padding may be, have no gradient by √0; and 1e-15 is nothing compared with 1e-8.
  const squares = maximum(sum(square(x), { axes: [-1], keepDims: true }), 1e-30);
  return div(x, add(sqrt(squares), 1e-8));
}

/** NormFormer's HeadScale: the result of each head, `[batch, heads, length, size]`, times a learned number. */
export function scaleHeads(scope: ParameterScope, { headScale, heads }: Stack, x: Tensor): Tensor {
  return headScale ? mul(x, reshape(scope.parameter('head_scale', [heads], ones), [heads, 1, 1])) : x;
}

/** How many positions there are for queries and for keys. */
export interface PositionCounts {
  readonly queries: number;
  readonly keys: number;
}

/**
 * The learned bias for each pair of positions: `[1, heads, m, length]` for queries at positions int32 `[m]`, and keys at the first
 * `length` positions; nothing without relative positions.
 */
export function positionBias(
  scope: ParameterScope,
  { heads, relativePositions, initializer }: Stack,
  positions: Tensor,
  counts: PositionCounts,
  length = counts.keys,
): Tensor | undefined {
  if (!relativePositions) return undefined;
  const table = embedding(scope.in('rel_bias'), positions, counts.queries, counts.keys * heads, initializer);
  const ofPairs = sliceAxis(reshape(table, [-1, counts.keys, heads]), 1, 0, length);
  return reshape(transpose(ofPairs, [2, 0, 1]), [1, heads, -1, length]);
}

/**
 * Attention with a bias, which is added to the scores, or with Sinkhorn's normalization in place of softmax (Sander et al. 2022): the
 * rows of the weights, then their columns, then their rows, … are made to sum to 1. Columns mix what later positions attend to into
 * earlier ones, so that is not for a decoder.
 */
export function attendWithOptions(
  { sinkhornIterations }: Stack,
  queries: Tensor,
  { keys, values }: { readonly keys: Tensor; readonly values: Tensor },
  mask: Tensor | undefined,
  bias: Tensor | undefined,
): Tensor {
  const size = queries.shape.at(-1)!;
  const products = matmul(mul(queries, 1 / Math.sqrt(size)), keys, { transposeB: true });
  // Not −∞: a row or a column of padding alone must give numbers, and −∞ − −∞ gives none.
  const masked = (scores: Tensor) => (mask ? select(mask, scores, -1e9) : scores);
  let scores = masked(bias ? add(products, bias) : products);
  if (sinkhornIterations === 1) return matmul(softmax(scores), values);
  for (let i = 0; i < sinkhornIterations; i++) {
    scores = masked(sub(scores, logSumExp(scores, i % 2 === 0 ? -1 : -2)));
  }
  return matmul(exp(scores), values);
}

function logSumExp(x: Tensor, axis: number): Tensor {
  const options = { axes: [axis], keepDims: true };
  const greatest = stopGradient(max(x, options));
  return add(greatest, log(sum(exp(sub(x, greatest)), options)));
}

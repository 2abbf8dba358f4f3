/** Samples tokens from logits in a graph. */
import {
  add,
  cast,
  cumsum,
  div,
  exp,
  greater,
  less,
  logicalNot,
  max,
  minimum,
  mul,
  pad,
  range,
  reshape,
  sliceAxis,
  sort,
  sub,
  sum,
  type Tensor,
  takeAlong,
} from '@dalle-mini/graph';

/** Options of sampling as scalars, so that one compiled graph serves every choice. */
export interface SamplingInputs {
  /** float32, above 0. */
  readonly temperature: Tensor;
  /** int32, from 1. */
  readonly topK: Tensor;
  /** float32, above 0 and at most 1. */
  readonly topP: Tensor;
}

/**
 * Computes u + scale · (c − u): classifier-free guidance from unconditional to conditional logits (Ho and Salimans
 * 2022).
 */
export function guide(conditional: Tensor, unconditional: Tensor, scale: Tensor): Tensor {
  return add(unconditional, mul(sub(conditional, unconditional), scale));
}

/**
 * Computes the distribution for sampling, most likely token first: from logits `[batch, vocabulary]` to probabilities
 * and tokens (int32), `[batch, candidates]`. Excluded tokens have probability 0, and the probabilities sum to 1.
 *
 * Only the most likely `candidates` are sorted, by default all: topK must not be greater. Sorting 16,384 tokens took 8
 * % of the time of a token.
 *
 * Logits are divided by the temperature. The topK most likely tokens are kept, and of these the smallest set whose
 * total probability reaches topP (Holtzman et al. 2020), including the token that reaches it. Of equally likely tokens
 * the first are kept.
 *
 * This is the distribution of DALL·E Mini's `generate`, which applies transformers' Flax logits warpers in this order.
 * Other implementations differ for equally likely tokens: min-dalle and transformers' PyTorch warpers keep all tokens
 * that are as likely as the topK-th, and at the edge of topP the PyTorch warpers do not keep the first ones.
 */
export function distribution(
  logits: Tensor,
  { temperature, topK, topP }: SamplingInputs,
  candidates: number = logits.shape.at(-1)!,
): { probabilities: Tensor; tokens: Tensor } {
  const { values, indices } = sort(logits, candidates);
  // The largest logit is subtracted, so that no temperature causes an overflow.
  const below = sub(values, sliceAxis(values, 1, 0, 1));
  // Weights instead of probabilities: sums of equal weights are exact, so that a set that just reaches topP is found.
  const weights = keep(exp(div(below, temperature)), less(range(candidates), topK));
  const ofLikelier = pad(sliceAxis(cumsum(weights), 1, 0, candidates - 1), [0, 1], [0, 0]);
  // Rounding may give 1 before the last token, which topP = 1 must keep too.
  const before = minimum(div(ofLikelier, total(weights)), 1 - 2 ** -24);
  const kept = keep(weights, less(before, topP));
  return { probabilities: div(kept, total(kept)), tokens: indices };
}

/**
 * Samples one token per row, int32 `[batch]`: the inverse cumulative distribution at uniform numbers `[batch]` in [0,
 * 1).
 */
export function sample(logits: Tensor, options: SamplingInputs, uniforms: Tensor, candidates?: number): Tensor {
  const { probabilities, tokens } = distribution(logits, options, candidates);
  const [batch, count] = tokens.shape as [number, number];
  const cumulative = cumsum(probabilities);
  // About 1. Rounding loses small addends of a long tail, and the lost probability must not go to the last token.
  const end = sliceAxis(cumulative, 1, count - 1, count);
  const rank = howMany(logicalNot(greater(cumulative, mul(reshape(uniforms, [batch, 1]), end))));
  // The product may be rounded up to the end.
  const last = sub(howMany(greater(probabilities, 0)), 1);
  return reshape(takeAlong(tokens, cast(minimum(rank, last), 'int32')), [batch]);
}

/**
 * Samples one token per row among all of them, int32 `[batch]`, without sorting: what {@link sample} does without topK and topP, with other
 * tokens for the same numbers.
 */
export function sampleAll(logits: Tensor, temperature: Tensor, uniforms: Tensor): Tensor {
  const [batch, vocabulary] = logits.shape as [number, number];
  // The largest logit is subtracted, so that no temperature causes an overflow.
  const weights = exp(div(sub(logits, max(logits, { axes: [-1], keepDims: true })), temperature));
  const cumulative = cumsum(weights);
  const end = sliceAxis(cumulative, 1, vocabulary - 1, vocabulary);
  const index = howMany(logicalNot(greater(cumulative, mul(reshape(uniforms, [batch, 1]), end))));
  // The product may be rounded up to the end.
  const last = howMany(less(cumulative, end));
  return reshape(cast(minimum(index, last), 'int32'), [batch]);
}

/** Sets weights to 0 where a condition is false. */
function keep(weights: Tensor, condition: Tensor): Tensor {
  return mul(weights, cast(condition, 'float32'));
}

/** Counts where a condition holds along the last axis: `[batch, 1]`. */
function howMany(condition: Tensor): Tensor {
  return total(cast(condition, 'float32'));
}

/** Sums along the last axis: `[batch, 1]`. */
function total(x: Tensor): Tensor {
  return sum(x, { axes: [-1], keepDims: true });
}

/** Drawing tokens from logits, as part of a graph. */
import {
  add,
  cast,
  cumsum,
  div,
  exp,
  greater,
  less,
  logicalNot,
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

/** u + scale · (c − u): steers from unconditional logits towards conditional ones (Ho and Salimans 2022). */
export function guide(conditional: Tensor, unconditional: Tensor, scale: Tensor): Tensor {
  return add(unconditional, mul(sub(conditional, unconditional), scale));
}

/**
 * The distribution that tokens are sampled from, likeliest first: logits `[batch, vocabulary]` to probabilities and tokens
 * (int32), `[batch, candidates]`. What is cut off has probability 0, and the rest sums to 1.
 *
 * Only the likeliest `candidates` are looked at, by default all: topK must not be greater. To sort 16,384 tokens took 8 % of the
 * time of a token.
 *
 * Logits are divided by the temperature; the topK likeliest are kept; of these, the smallest set whose probability reaches
 * topP (Holtzman et al. 2020), the token that reaches it included. Of equally likely tokens the first are kept.
 *
 * That is what DALL·E Mini's `generate` draws from, by transformers' flax logits warpers in this order. Others differ where
 * tokens are equally likely: min-dalle and transformers' torch warpers keep all that are as likely as the topK-th, and at the
 * edge of topP the torch warpers do not keep the first ones.
 */
export function distribution(
  logits: Tensor,
  { temperature, topK, topP }: SamplingInputs,
  candidates: number = logits.shape.at(-1)!,
): { probabilities: Tensor; tokens: Tensor } {
  const { values, indices } = sort(logits, candidates);
  // Less the greatest, so that no temperature is small enough to make them overflow.
  const below = sub(values, sliceAxis(values, 1, 0, 1));
  // Weights, not probabilities: sums of equal ones are whole numbers, and a set that just reaches topP is not missed.
  const weights = keep(exp(div(below, temperature)), less(range(candidates), topK));
  const ofLikelier = pad(sliceAxis(cumsum(weights), 1, 0, candidates - 1), [0, 1], [0, 0]);
  // Rounding may bring it to 1 before the last token, and topP = 1 must keep that too.
  const before = minimum(div(ofLikelier, total(weights)), 1 - 2 ** -24);
  const kept = keep(weights, less(before, topP));
  return { probabilities: div(kept, total(kept)), tokens: indices };
}

/** Draws one token a row, int32 `[batch]`, by the inverse of the cumulative distribution at uniform numbers `[batch]` in [0, 1). */
export function sample(logits: Tensor, options: SamplingInputs, uniforms: Tensor, candidates?: number): Tensor {
  const { probabilities, tokens } = distribution(logits, options, candidates);
  const [batch, count] = tokens.shape as [number, number];
  const cumulative = cumsum(probabilities);
  // About 1, but rounding loses the small addends of a long tail, and what is lost must not fall to the last token.
  const end = sliceAxis(cumulative, 1, count - 1, count);
  const rank = howMany(logicalNot(greater(cumulative, mul(reshape(uniforms, [batch, 1]), end))));
  // The product may be rounded up to the end.
  const last = sub(howMany(greater(probabilities, 0)), 1);
  return reshape(takeAlong(tokens, cast(minimum(rank, last), 'int32')), [batch]);
}

/** The weights where a condition holds, and 0 elsewhere. */
function keep(weights: Tensor, condition: Tensor): Tensor {
  return mul(weights, cast(condition, 'float32'));
}

/** How often a condition holds along the last axis: `[batch, 1]`. */
function howMany(condition: Tensor): Tensor {
  return total(cast(condition, 'float32'));
}

/** The sum along the last axis: `[batch, 1]`. */
function total(x: Tensor): Tensor {
  return sum(x, { axes: [-1], keepDims: true });
}

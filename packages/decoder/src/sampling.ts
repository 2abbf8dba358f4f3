/** Drawing tokens from logits, as part of a graph. */
import {
  add,
  cast,
  cumsum,
  div,
  greater,
  less,
  logicalNot,
  minimum,
  mul,
  range,
  reshape,
  sliceAxis,
  softmax,
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
 * The distribution that tokens are drawn from, likeliest first: logits `[batch, vocabulary]` to probabilities and tokens
 * (int32) of that shape. What is cut off has probability 0, and the rest sums to 1.
 *
 * Logits are divided by the temperature; the topK likeliest are kept; of these, the smallest set whose probability reaches
 * topP (Holtzman et al. 2020), in the order of Hugging Face's logits warpers.
 */
export function distribution(
  logits: Tensor,
  { temperature, topK, topP }: SamplingInputs,
): { probabilities: Tensor; tokens: Tensor } {
  const { values, indices } = sort(logits);
  // Less the greatest, so that no temperature is small enough to make them overflow.
  const below = sub(values, sliceAxis(values, -1, 0, 1));
  const among = (probabilities: Tensor, kept: Tensor) => {
    const left = mul(probabilities, cast(kept, 'float32'));
    return div(left, sum(left, { axes: [-1], keepDims: true }));
  };
  const byRank = among(softmax(div(below, temperature)), less(range(logits.shape.at(-1)!), topK));
  // Of the likelier tokens. Rounding may bring it to 1 before the last token, and topP = 1 must keep that too.
  const before = minimum(sub(cumsum(byRank), byRank), 1 - 2 ** -24);
  return { probabilities: among(byRank, less(before, topP)), tokens: indices };
}

/** Draws one token a row, int32 `[batch]`, by the inverse of the cumulative distribution at uniform numbers `[batch]` in [0, 1). */
export function sample(logits: Tensor, options: SamplingInputs, uniforms: Tensor): Tensor {
  const { probabilities, tokens } = distribution(logits, options);
  const [batch, vocabulary] = logits.shape as [number, number];
  const cumulative = cumsum(probabilities);
  // About 1, but rounding loses the small addends of a long tail, and what is lost must not fall to the last token.
  const total = sliceAxis(cumulative, 1, vocabulary - 1, vocabulary);
  const rank = count(logicalNot(greater(cumulative, mul(reshape(uniforms, [batch, 1]), total))));
  // The product may be rounded up to the total.
  const last = sub(count(greater(probabilities, 0)), 1);
  return reshape(takeAlong(tokens, cast(minimum(rank, last), 'int32')), [batch]);
}

/** How often a condition holds along the last axis: `[batch, 1]`. */
function count(condition: Tensor): Tensor {
  return sum(cast(condition, 'float32'), { axes: [-1], keepDims: true });
}

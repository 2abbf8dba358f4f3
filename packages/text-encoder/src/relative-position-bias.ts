import {
  add,
  constant,
  gather,
  type ParameterScope,
  reshape,
  sliceAxis,
  sub,
  type Tensor,
  transpose,
} from '@dalle-mini/graph';
import { normal } from '@dalle-mini/graph/initializers';
import { tokenPositions } from '@dalle-mini/transformer';

export interface RelativePositionOptions {
  readonly heads: number;
  /** Number of learned biases of a head: half of them for the tokens before, half for those after. */
  readonly buckets: number;
  /** From this distance on all tokens have one bias. */
  readonly maxDistance: number;
}

/**
 * Computes what T5 (Raffel et al. 2020, section 2.1) and MPNet add to the scores of attention, a learned bias for each head and distance:
 * token ids `[batch, length]` to `[1, heads, length, length]`. Its parameter is `weight` `[buckets, heads]`.
 */
export function relativePositionBias(
  scope: ParameterScope,
  ids: Tensor,
  { heads, buckets, maxDistance }: RelativePositionOptions,
): Tensor {
  const length = ids.shape[1]!;
  const data = Int32Array.from({ length: 2 * length - 1 }, (_, i) =>
    relativeBucket(i - length + 1, buckets, maxDistance),
  );
  const bucketOf = constant({ dtype: 'int32', shape: [2 * length - 1], data });
  const positions = tokenPositions(sliceAxis(ids, 0, 0, 1));
  const distances = sub(reshape(positions, [1, 1, length]), reshape(positions, [1, length, 1]));
  const chosen = gather(bucketOf, add(distances, length - 1)); // [1, length, length]
  const biases = gather(scope.parameter('weight', [buckets, heads], normal(0.02)), chosen);
  return transpose(biases, [0, 3, 1, 2]);
}

/**
 * Returns the bucket of a distance, the key's position less the query's. Short distances have one each, and those up to `maxDistance`
 * share them by their logarithm.
 */
export function relativeBucket(distance: number, buckets: number, maxDistance: number): number {
  const half = buckets / 2;
  const exact = half / 2;
  const size = Math.abs(distance);
  const logarithmic = exact + Math.floor((Math.log(size / exact) / Math.log(maxDistance / exact)) * (half - exact));
  const bucket = size < exact ? size : Math.min(logarithmic, half - 1);
  return distance > 0 ? half + bucket : bucket;
}

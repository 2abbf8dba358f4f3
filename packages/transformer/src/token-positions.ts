import { add, cumsum, mul, sub, type Tensor } from '@dalle-mini/graph';

/** The position of each token, from 0: token ids, int32 `[batch, length]`, to int32 `[batch, length]`. Of any length that they have at a run. */
export function tokenPositions(ids: Tensor): Tensor {
  return sub(cumsum(add(mul(ids, 0), 1)), 1);
}

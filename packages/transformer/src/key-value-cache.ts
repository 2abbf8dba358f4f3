/** The keys and values of tokens that were written before, row by row: what makes decoding take one token at a time. */
import {
  add,
  cast,
  concat,
  gather,
  logicalNot,
  matmul,
  mul,
  reshape,
  sliceAxis,
  softmax,
  type Tensor,
  transpose,
  update,
} from '@dalle-mini/graph';
import { scaleQueries } from '@dalle-mini/graph/layers';

/** Keys and values of the attention of one layer, each `[batch, heads, length, size]`. */
export interface KeysAndValues {
  readonly keys: Tensor;
  readonly values: Tensor;
}

/**
 * What a layer of the decoder attends to while a row of the image is written.
 *
 * The row is apart from the rows before it until it is finished: to write each token into one cache would copy that cache at every token,
 * which took longer than the rest of the model when nine images were written at once.
 */
export interface RowCache {
  /** `[batch, heads, gridSize, size]`: the row, of which the tokens before `column` are written. */
  readonly row: KeysAndValues;
  /** `[batch, heads, n, size]`: all positions before the row. */
  readonly before: KeysAndValues;
  /** int32 scalar: the column of the token that is written. */
  readonly column: Tensor;
  /** bool `[gridSize]`: the columns after it. */
  readonly unwritten: Tensor;
  /** int32 `[gridSize]` and `[n]`: the positions of `row` and of `before`. Only relative positions need those of `before`. */
  readonly positions: { readonly row: Tensor; readonly before?: Tensor | undefined };
  /** The caption, if it is in the same sequence as the image. */
  readonly prefix?: Prefix | undefined;
}

/** Keys and values of what is before the image in its sequence, `[batch, heads, length, size]`. */
export interface Prefix extends KeysAndValues {
  /** bool `[batch, 1, 1, length]`: false at padding. Default: all true. */
  readonly mask?: Tensor | undefined;
}

/** The row with the keys and values of the token at `column`, `[batch, heads, 1, size]`. */
export function writeColumn({ row, column }: RowCache, { keys, values }: KeysAndValues): KeysAndValues {
  return { keys: update(row.keys, keys, column), values: update(row.values, values, column) };
}

/**
 * softmax(q · kᵀ / √size + bias) · v over a row, the prefix and the positions before the row, without joining their keys and values: queries
 * `[batch, heads, 1, size]`, and a bias for every position of the grid, `[1, heads, 1, gridSize²]`, or none.
 */
export function attendToRow(
  queries: Tensor,
  row: KeysAndValues,
  { before, unwritten, positions, prefix }: RowCache,
  bias: Tensor | undefined,
): Tensor {
  const scaled = scaleQueries(queries);
  const scoresOf = ({ keys }: KeysAndValues, at: Tensor | undefined) => {
    const products = matmul(scaled, keys, { transposeB: true });
    return bias ? add(products, biasesAt(bias, at!)) : products;
  };
  const without = (scores: Tensor, hidden: Tensor) => add(scores, mul(cast(hidden, 'float32'), -1e9));
  // Those before last: only a slice that reaches to the end needs not know how many they are.
  const parts = [
    { scores: without(scoresOf(row, positions.row), unwritten), values: row.values },
    ...(prefix ? [{ scores: scoresOfPrefix(scaled, prefix, without), values: prefix.values }] : []),
    { scores: scoresOf(before, positions.before), values: before.values },
  ];
  const weights = softmax(
    concat(
      parts.map(({ scores }) => scores),
      3,
    ),
  ); // [batch, heads, 1, gridSize + length + n]
  let start = 0;
  const attended = parts.map(({ scores, values }) => {
    const end = start + scores.shape[3]!;
    const ofPart = matmul(sliceAxis(weights, 3, start, end), values);
    start = end;
    return ofPart;
  });
  return attended.reduce((sum, ofPart) => add(sum, ofPart));
}

function scoresOfPrefix(
  queries: Tensor,
  { keys, mask }: Prefix,
  without: (scores: Tensor, hidden: Tensor) => Tensor,
): Tensor {
  const products = matmul(queries, keys, { transposeB: true });
  return mask ? without(products, logicalNot(mask)) : products;
}

/** Of biases for all positions, `[1, heads, 1, gridSize²]`, those of some: `[heads, 1, n]`. */
function biasesAt(bias: Tensor, positions: Tensor): Tensor {
  const [, heads, , count] = bias.shape as [number, number, number, number];
  return transpose(gather(transpose(reshape(bias, [heads, 1, count]), [2, 0, 1]), positions), [1, 2, 0]);
}

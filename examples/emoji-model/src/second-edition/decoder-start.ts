import type { TensorData } from '@dalle-mini/graph';

const positionsName = 'embed_positions.weight';

/**
 * Starts a decoder of a larger grid from one of a smaller grid: all parameters are the same, except the embeddings of positions, which are
 * interpolated between those of the smaller grid.
 */
export function enlargedDecoder(
  parameters: ReadonlyMap<string, TensorData>,
  from: number,
  to: number,
): Map<string, TensorData> {
  const { data, shape } = parameters.get(positionsName)!;
  const width = shape[1]!;
  const positions = new Float32Array(to * to * width);
  for (let row = 0; row < to; row++) {
    for (let column = 0; column < to; column++) {
      for (const [y, weightY] of neighbours(row, from, to)) {
        for (const [x, weightX] of neighbours(column, from, to)) {
          const [target, source] = [(row * to + column) * width, (y * from + x) * width];
          for (let i = 0; i < width; i++) positions[target + i]! += weightX * weightY * Number(data[source + i]);
        }
      }
    }
  }
  return new Map([...parameters, [positionsName, { dtype: 'float32', shape: [to * to, width], data: positions }]]);
}

/** Returns the cells of a smaller grid between which the middle of a cell of a larger grid lies, with their weights. */
function neighbours(index: number, from: number, to: number): (readonly [cell: number, weight: number])[] {
  const place = Math.min(from - 1, Math.max(0, ((index + 0.5) * from) / to - 0.5));
  const cell = Math.floor(place);
  const rest = place - cell;
  return rest === 0
    ? [[cell, 1]]
    : [
        [cell, 1 - rest],
        [cell + 1, rest],
      ];
}

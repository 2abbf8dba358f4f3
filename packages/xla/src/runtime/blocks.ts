import { type Shape, sizeOf, type TensorData } from '@dalle-mini/graph';
import type { TensorBlock } from '@dalle-mini/graph/stablehlo';
import type { StoredData } from '../pjrt/client.js';

/** Returns a part of a tensor: the tensor itself if the part is all of it. */
export function readBlock<Value extends StoredData>(value: Value, block: TensorBlock): Value {
  if (isWhole(value.shape, block)) return value;
  const { dtype, shape, data } = value;
  const part = new (data.constructor as Float32ArrayConstructor)(sizeOf(block.shape));
  for (const { from, to, length } of runsOf(shape, block)) part.set(data.subarray(from, from + length), to);
  return { dtype, shape: block.shape, data: part } as StoredData as Value;
}

/** Writes a part into a tensor. */
export function writeBlock({ shape, data }: TensorData, block: TensorBlock, part: TensorData['data']): void {
  for (const { from, to, length } of runsOf(shape, block)) data.set(part.subarray(to, to + length), from);
}

export const isWhole = (shape: Shape, block: TensorBlock): boolean => sizeOf(shape) === sizeOf(block.shape);

/** Yields the runs of elements that are adjacent both in a tensor, where they begin at `from`, and in a part of it, at `to`. */
function* runsOf(
  shape: Shape,
  block: TensorBlock,
): Generator<{ readonly from: number; readonly to: number; readonly length: number }> {
  // Axes after the last one that is cut are whole.
  const cut = shape.findLastIndex((size, axis) => size !== block.shape[axis]);
  const [outer, rest] = [block.shape.slice(0, Math.max(cut, 0)), block.shape.slice(Math.max(cut, 0))];
  const length = sizeOf(rest);
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  for (let run = 0; run < sizeOf(outer); run++) {
    let [from, left] = [cut >= 0 ? block.starts[cut]! * strides[cut]! : 0, run];
    for (let axis = outer.length - 1; axis >= 0; axis--) {
      from += (block.starts[axis]! + (left % outer[axis]!)) * strides[axis]!;
      left = Math.floor(left / outer[axis]!);
    }
    yield { from, to: run * length, length };
  }
}

/** Parts of tensors, as devices have them. */
import { sizeOf } from '../shape.js';
import type { Shape } from '../tensor.js';
import type { TensorBlock } from './sharding.js';

/** The elements of a tensor, in row-major order: a typed array of any kind. */
export type TensorElements = { readonly length: number; subarray(from: number, to: number): TensorElements };

/** A tensor, or a stored one, in memory. */
export interface BlockSource {
  readonly shape: Shape;
  readonly data: TensorElements;
}

/** Returns a part of a tensor: the tensor itself if the part is all of it. */
export function readBlock<Whole extends BlockSource>(value: Whole, block: TensorBlock): Whole {
  if (isWhole(value.shape, block)) return value;
  const data = value.data as Float32Array;
  const part = new (data.constructor as Float32ArrayConstructor)(sizeOf(block.shape));
  for (const { from, to, length } of runsOf(value.shape, block)) part.set(data.subarray(from, from + length), to);
  return { ...value, shape: block.shape, data: part };
}

/** Writes the elements of a part into a tensor. */
export function writeBlock<Elements extends TensorElements>(
  { shape, data }: { readonly shape: Shape; readonly data: Elements },
  block: TensorBlock,
  part: Elements,
): void {
  const [to, from] = [data, part] as unknown as [Float32Array, Float32Array];
  for (const run of runsOf(shape, block)) to.set(from.subarray(run.to, run.to + run.length), run.from);
}

/** Checks whether a part is all of a tensor. */
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

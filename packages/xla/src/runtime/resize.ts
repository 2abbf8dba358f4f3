import type { Shape, TensorData } from '@dalle-mini/graph';
import { sizeOf } from '@dalle-mini/graph';

/** Cuts a tensor off along its axes, or pads it with zeros, so that it has another shape. */
export function resize(value: TensorData, shape: Shape): TensorData {
  return shape.reduce(
    (resized, size, axis) => (resized.shape[axis] === size ? resized : resizeAxis(resized, axis, size)),
    value,
  );
}

function resizeAxis({ dtype, shape, data }: TensorData, axis: number, size: number): TensorData {
  const lines = sizeOf(shape.slice(0, axis));
  const [before, after] = [shape[axis]!, size].map((length) => length * sizeOf(shape.slice(axis + 1))) as [
    number,
    number,
  ];
  const array = data.constructor as Float32ArrayConstructor;
  const resized = new array(lines * after);
  const kept = Math.min(before, after);
  for (let line = 0; line < lines; line++)
    resized.set(data.subarray(line * before, line * before + kept) as Float32Array, line * after);
  return { dtype, shape: shape.map((length, i) => (i === axis ? size : length)), data: resized } as TensorData;
}

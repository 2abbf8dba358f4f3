import { bytesPerElement, elementCount, type StoredTensor } from './stored-tensor.js';

/**
 * Reorders the axes of a tensor, like NumPy's `transpose`: axis i of the result is axis `permutation[i]`. The result
 * uses the memory of the tensor, whose elements are moved.
 */
export function transposeInPlace({ dtype, shape, bytes }: StoredTensor, permutation: readonly number[]): StoredTensor {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  const inOrder = (values: readonly number[]) => permutation.map((axis) => values[axis]!);
  bytes.set(rowMajor(bytes, bytesPerElement[dtype], inOrder(shape), inOrder(strides)));
  return { dtype, shape: inOrder(shape), bytes };
}

/** Copies a tensor `[shape]` into row-major order; `strides` are elements from one index of an axis to the next. */
export function rowMajor(
  source: Uint8Array,
  elementSize: number,
  shape: readonly number[],
  strides: readonly number[],
): Uint8Array {
  const Elements = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array, 8: BigUint64Array }[elementSize]!;
  // Not slice(), which does not copy a Buffer of Node.js.
  const aligned = source.byteOffset % elementSize === 0 ? source : Uint8Array.from(source);
  const elements = Math.floor(aligned.byteLength / elementSize);
  const from = new Elements(aligned.buffer as ArrayBuffer, aligned.byteOffset, elements);
  const to = new Elements(elementCount(shape, 'A tensor'));
  const last = shape.length - 1;
  const [run, step] = last < 0 ? [1, 0] : [shape[last]!, strides[last]!];
  const index = shape.map(() => 0);
  let start = 0;
  for (let position = 0; position < to.length; ) {
    for (let i = 0; i < run; i++) to[position++] = from[start + i * step]!;
    // The next index, counted like an odometer: the second last axis first.
    for (let axis = last - 1; axis >= 0; axis--) {
      start += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      start -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return new Uint8Array(to.buffer);
}

import { describeValue } from '@dalle-mini/core';
import { CheckpointError } from '../errors/checkpoint-error.js';
import { listText } from '../errors/lists.js';
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from './half-precision.js';

/** Bytes an element takes, for each element type that a checkpoint may hold. The names are those of safetensors. */
export const BYTES_PER_ELEMENT = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  I16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
} as const;

export type StoredDtype = keyof typeof BYTES_PER_ELEMENT;

/** A tensor as a file holds it: little-endian, row-major bytes, not yet converted. */
export interface StoredTensor {
  readonly dtype: StoredDtype;
  /** Sizes of the axes, outermost first; `[]` is a scalar. */
  readonly shape: readonly number[];
  /** `product(shape) · BYTES_PER_ELEMENT[dtype]` bytes. A view into the file where the reader could avoid a copy. */
  readonly bytes: Uint8Array;
}

/** The tensors of a model by name. */
export type Checkpoint = Map<string, StoredTensor>;

/**
 * Number of elements of `shape`, 1 for a scalar.
 * @throws CheckpointError if an axis is not a whole number ≥ 0 or the product is past 2⁵³ − 1; `what` names the tensor in the message.
 */
export function elementCount(shape: readonly number[], what: string): number {
  let count = 1;
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new CheckpointError(`${what} has an axis of size ${size}; sizes are whole numbers of 0 or more.`);
    }
    count *= size;
    if (!Number.isSafeInteger(count)) {
      throw new CheckpointError(`${what} has shape ${listText(shape)}, more elements than any file can hold.`);
    }
  }
  return count;
}

/** @throws CheckpointError if the dtype is unknown or `bytes` is not exactly as long as dtype and shape ask for. */
export function checkTensor({ dtype, shape, bytes }: StoredTensor, what: string): void {
  if (!Object.hasOwn(BYTES_PER_ELEMENT, dtype)) {
    throw new CheckpointError(
      `${what} has dtype ${describeValue(dtype)}; checkpoints hold ${Object.keys(BYTES_PER_ELEMENT).join(', ')}.`,
    );
  }
  const expected = elementCount(shape, what) * BYTES_PER_ELEMENT[dtype];
  if (bytes.byteLength !== expected) {
    throw new CheckpointError(
      `${what} holds ${bytes.byteLength} bytes, but ${dtype} of shape ${listText(shape)} takes ${expected}; ` +
        'pass data that agrees with the shape.',
    );
  }
}

/**
 * The elements as float32, row-major. Integers past 2²⁴ and F64 are rounded to the nearest float32; BOOL gives 0 and 1.
 * F32 that lies at a multiple of 4 bytes is returned as a view of the tensor's own memory: copy it before changing it.
 * @throws CheckpointError if bytes, dtype and shape disagree.
 */
export function toFloat32(tensor: StoredTensor): Float32Array {
  checkTensor(tensor, 'The tensor');
  switch (tensor.dtype) {
    case 'F32':
      return view(Float32Array, tensor.bytes);
    case 'F16':
      return float16ToFloat32(view(Uint16Array, tensor.bytes));
    case 'BF16':
      return bfloat16ToFloat32(view(Uint16Array, tensor.bytes));
    case 'F64':
      return new Float32Array(view(Float64Array, tensor.bytes));
    case 'I64':
      return Float32Array.from(view(BigInt64Array, tensor.bytes), Number);
    default:
      return new Float32Array(smallIntegers(tensor.dtype, tensor.bytes));
  }
}

/**
 * The elements as int32, row-major; BOOL gives 0 and 1.
 * I32 that lies at a multiple of 4 bytes is returned as a view of the tensor's own memory: copy it before changing it.
 * @throws CheckpointError for a floating-point tensor, for an I64 value outside of [−2³¹, 2³¹), or if bytes, dtype and shape disagree.
 */
export function toInt32(tensor: StoredTensor): Int32Array {
  checkTensor(tensor, 'The tensor');
  switch (tensor.dtype) {
    case 'F64':
    case 'F32':
    case 'F16':
    case 'BF16':
      throw new CheckpointError(`The tensor is ${tensor.dtype}, not integers; read it with toFloat32.`);
    case 'I64': {
      const wide = view(BigInt64Array, tensor.bytes);
      const narrow = Int32Array.from(wide, Number);
      const lost = narrow.findIndex((value, index) => BigInt(value) !== wide[index]);
      if (lost >= 0) {
        throw new CheckpointError(
          `Element ${lost} is ${wide[lost]}, which int32 cannot hold; read the tensor with toFloat32, or store values in [-2^31, 2^31).`,
        );
      }
      return narrow;
    }
    case 'I32':
      return view(Int32Array, tensor.bytes);
    default:
      return new Int32Array(smallIntegers(tensor.dtype, tensor.bytes));
  }
}

/**
 * A stored tensor of float32 elements. F16 and BF16 round to the nearest value, ties to even, as hardware does; what is past
 * F16's range (65504) becomes infinite. F32 shares the memory of `data`.
 * @throws CheckpointError if `data` does not have `product(shape)` elements.
 */
export function fromFloat32(
  data: Float32Array,
  shape: readonly number[],
  dtype: 'F32' | 'F16' | 'BF16' = 'F32',
): StoredTensor {
  const elements = dtype === 'F32' ? data : dtype === 'F16' ? float32ToFloat16(data) : float32ToBfloat16(data);
  return stored(dtype, shape, elements);
}

/**
 * A stored I32 tensor that shares the memory of `data`.
 * @throws CheckpointError if `data` does not have `product(shape)` elements.
 */
export function fromInt32(data: Int32Array, shape: readonly number[]): StoredTensor {
  return stored('I32', shape, data);
}

/** A stored tensor over the memory of `elements`. */
export function stored(dtype: StoredDtype, shape: readonly number[], elements: ArrayBufferView): StoredTensor {
  const bytes = new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);
  const tensor = { dtype, shape: [...shape], bytes };
  checkTensor(tensor, 'The tensor');
  return tensor;
}

function smallIntegers(
  dtype: 'I32' | 'I16' | 'I8' | 'U8' | 'BOOL',
  bytes: Uint8Array,
): Int32Array | Int16Array | Int8Array | Uint8Array {
  switch (dtype) {
    case 'I32':
      return view(Int32Array, bytes);
    case 'I16':
      return view(Int16Array, bytes);
    case 'I8':
      return view(Int8Array, bytes);
    case 'U8':
      return bytes;
    case 'BOOL':
      // Any byte but 0 is true in the writers that store booleans.
      return bytes.map((byte) => (byte === 0 ? 0 : 1));
  }
}

interface TypedArrayConstructor<T> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): T;
}

/** The bytes as elements of another type; copies only where the type's alignment forces it. */
function view<T>(type: TypedArrayConstructor<T>, bytes: Uint8Array): T {
  const aligned = bytes.byteOffset % type.BYTES_PER_ELEMENT === 0 ? bytes : Uint8Array.from(bytes);
  return new type(aligned.buffer, aligned.byteOffset, aligned.byteLength / type.BYTES_PER_ELEMENT);
}

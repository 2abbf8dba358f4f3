import { describeValue } from '@dalle-mini/core';
import { CheckpointError } from '../errors/checkpoint-error.js';
import { listText } from '../errors/lists.js';
import { float8ToFloat32 } from './float8.js';
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from './half-precision.js';

/** Bytes of an element of each type that a checkpoint may have. The names are those of safetensors. */
export const bytesPerElement = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  F8_E4M3FNUZ: 1,
  F8_E5M2FNUZ: 1,
  I16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
} as const;

/**
 * An element type. `F8_E4M3` is PyTorch's `float8_e4m3fn`, and the other 8-bit floats have PyTorch's names:
 * `float8_e5m2`, `float8_e4m3fnuz` and `float8_e5m2fnuz`.
 */
export type StoredDtype = keyof typeof bytesPerElement;

/** A tensor as a file stores it: little-endian, row-major bytes. */
export interface StoredTensor {
  readonly dtype: StoredDtype;
  /** Sizes of the axes, outermost first; `[]` is a scalar. */
  readonly shape: readonly number[];
  /** The elements: `product(shape)` of `dtype`. A view of the file if the reader could avoid a copy. */
  readonly bytes: Uint8Array;
}

/** The tensors of a model by name. */
export type Checkpoint = Map<string, StoredTensor>;

/**
 * Counts the elements of `shape`, 1 for a scalar.
 *
 * @param what Names the tensor in the message.
 * @throws CheckpointError if the size of an axis is not a whole number ≥ 0, or the product is past 2⁵³ − 1.
 */
export function elementCount(shape: readonly number[], what: string): number {
  let count = 1;
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new CheckpointError(`${what} must have axes whose sizes are whole numbers of at least 0, not ${size}.`);
    }
    count *= size;
    if (!Number.isSafeInteger(count)) {
      throw new CheckpointError(
        `${what} has shape ${listText(shape)}, more elements than a file can have. Check the shape.`,
      );
    }
  }
  return count;
}

/** @throws CheckpointError if the dtype is unknown, or `bytes` does not have the length of dtype and shape. */
export function checkTensor({ dtype, shape, bytes }: StoredTensor, what: string): void {
  if (!Object.hasOwn(bytesPerElement, dtype)) {
    throw new CheckpointError(
      `${what} must have one of the dtypes ${Object.keys(bytesPerElement).join(', ')}, not ${describeValue(dtype)}.`,
    );
  }
  const expected = elementCount(shape, what) * bytesPerElement[dtype];
  if (bytes.byteLength !== expected) {
    throw new CheckpointError(
      `${what} has ${bytes.byteLength} bytes, but ${dtype} of shape ${listText(shape)} takes ${expected}. ` +
        'Pass data of this shape.',
    );
  }
}

/**
 * Converts the elements to float32, row-major. Integers past 2²⁴ and F64 are rounded to the nearest float32; BOOL gives
 * 0 and 1. F32 at a multiple of 4 bytes is returned as a view of the tensor's memory: copy it before you change it.
 *
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
    case 'F8_E4M3':
    case 'F8_E5M2':
    case 'F8_E4M3FNUZ':
    case 'F8_E5M2FNUZ':
      return float8ToFloat32(tensor.bytes, tensor.dtype);
    default:
      return new Float32Array(smallIntegers(tensor.dtype, tensor.bytes));
  }
}

/**
 * Converts the elements to int32, row-major; BOOL gives 0 and 1. I32 at a multiple of 4 bytes is returned as a view of
 * the tensor's memory: copy it before you change it.
 *
 * @throws CheckpointError for a floating-point tensor, for an I64 value outside of [−2³¹, 2³¹), or if bytes, dtype and
 *   shape disagree.
 */
export function toInt32(tensor: StoredTensor): Int32Array {
  checkTensor(tensor, 'The tensor');
  switch (tensor.dtype) {
    case 'F64':
    case 'F32':
    case 'F16':
    case 'BF16':
    case 'F8_E4M3':
    case 'F8_E5M2':
    case 'F8_E4M3FNUZ':
    case 'F8_E5M2FNUZ':
      throw new CheckpointError(`The tensor must have an integer dtype, not ${tensor.dtype}. Read it with toFloat32.`);
    case 'I64': {
      const wide = view(BigInt64Array, tensor.bytes);
      const narrow = Int32Array.from(wide, Number);
      const lost = narrow.findIndex((value, index) => BigInt(value) !== wide[index]);
      if (lost >= 0) {
        throw new CheckpointError(
          `Element ${lost} must be in [-2^31, 2^31), not ${wide[lost]}. Read the tensor with toFloat32.`,
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
 * Makes a stored tensor of float32 elements. F16 and BF16 round to the nearest value, ties to even; values past the
 * range of F16 (65504) become infinite. F32 shares the memory of `data`.
 *
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
 * Makes a stored I32 tensor that shares the memory of `data`.
 *
 * @throws CheckpointError if `data` does not have `product(shape)` elements.
 */
export function fromInt32(data: Int32Array, shape: readonly number[]): StoredTensor {
  return stored('I32', shape, data);
}

/** Makes a stored tensor that shares the memory of `elements`. */
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

/** Returns the bytes as elements of another type. Copies them only if they are not aligned. */
function view<T>(type: TypedArrayConstructor<T>, bytes: Uint8Array): T {
  const aligned = bytes.byteOffset % type.BYTES_PER_ELEMENT === 0 ? bytes : Uint8Array.from(bytes);
  return new type(aligned.buffer, aligned.byteOffset, aligned.byteLength / type.BYTES_PER_ELEMENT);
}

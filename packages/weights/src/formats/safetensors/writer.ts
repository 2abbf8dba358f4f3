import { describeValue, object, oneOf, optional, quote, readOptions } from '@dalle-mini/core';
import { CheckpointError } from '../../errors/checkpoint-error.js';
import {
  bytesPerElement,
  checkTensor,
  fromFloat32,
  type StoredDtype,
  type StoredTensor,
  toFloat32,
} from '../../tensors/stored-tensor.js';
import { checkName, concatenate } from '../layout.js';
import { prefixLength } from './header.js';

export interface SafetensorsWriteOptions {
  /**
   * The type that all floats are stored as. Each tensor is converted when it is written. Default: the type of each
   * tensor.
   */
  readonly dtype?: 'F32' | 'F16' | 'BF16' | undefined;
}

export const safetensorsWriteFields = object<SafetensorsWriteOptions>({
  dtype: optional(oneOf(['F32', 'F16', 'BF16'])),
});

/**
 * Writes tensors in the safetensors format, and returns the bytes of the file. They do not depend on the order of the
 * tensors and the metadata, and are those of the reference implementation: wider dtypes come first, then names in their
 * order, so that every tensor is aligned to the size of its elements.
 *
 * @throws CheckpointError if the bytes of a tensor do not agree with its dtype and shape, or a name is not allowed;
 *   OptionError.
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
  options: SafetensorsWriteOptions = {},
): Uint8Array {
  return concatenate([
    ...safetensorsParts(tensors, metadata, readOptions(safetensorsWriteFields, options, 'writeSafetensors')),
  ]);
}

/** Yields the file of {@link writeSafetensors} in parts: the header, then each tensor. */
export function* safetensorsParts(
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>>,
  options: SafetensorsWriteOptions,
): Generator<Uint8Array, void> {
  const utf8 = new TextEncoder();
  const sorted = [...tensors]
    .map(([name, tensor]) => {
      checkName(name, 'tensor');
      checkTensor(tensor, `Tensor ${quote(name)}`);
      const dtype = isFloat(tensor.dtype) ? (options.dtype ?? tensor.dtype) : tensor.dtype;
      return { name, tensor, dtype, key: utf8.encode(name) };
    })
    .sort((a, b) => dtypeOrder[b.dtype] - dtypeOrder[a.dtype] || compareBytes(a.key, b.key));

  const header: [string, unknown][] = [];
  const keys = Object.keys(metadata).sort();
  if (keys.length > 0) {
    for (const key of keys) {
      checkName(key, 'metadata');
      if (typeof metadata[key] !== 'string') {
        throw new CheckpointError(
          `Metadata ${quote(key)} must be a string, not ${describeValue(metadata[key])}. Use JSON.stringify for structured values.`,
        );
      }
    }
    header.push(['__metadata__', Object.fromEntries(keys.map((key) => [key, metadata[key]]))]);
  }
  let offset = 0;
  for (const { name, tensor, dtype } of sorted) {
    const elements = tensor.bytes.byteLength / bytesPerElement[tensor.dtype];
    const end = offset + elements * bytesPerElement[dtype];
    header.push([name, { dtype, shape: tensor.shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  // Not one object: it would move names that look like integers ("0") to the front.
  const entries = header.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  const text = utf8.encode(`{${entries.join(',')}}`);
  const headerLength = Math.ceil(text.byteLength / 8) * 8;
  const start = new Uint8Array(prefixLength + headerLength).fill(0x20);
  new DataView(start.buffer).setBigUint64(0, BigInt(headerLength), true);
  start.set(text, prefixLength);
  yield start;
  for (const { tensor, dtype } of sorted) {
    yield tensor.dtype === dtype
      ? tensor.bytes
      : fromFloat32(toFloat32(tensor), tensor.shape, dtype as FloatDtype).bytes;
  }
}

type FloatDtype = NonNullable<SafetensorsWriteOptions['dtype']>;

function isFloat(dtype: StoredDtype): boolean {
  return /F/.test(dtype);
}

/** The order of dtypes in the reference implementation, by size. */
const dtypeOrder: Readonly<Record<StoredDtype, number>> = {
  BOOL: 0,
  U8: 1,
  I8: 2,
  F8_E5M2: 3,
  F8_E4M3: 4,
  F8_E4M3FNUZ: 5,
  F8_E5M2FNUZ: 6,
  I16: 7,
  F16: 8,
  BF16: 9,
  I32: 10,
  F32: 11,
  F64: 12,
  I64: 13,
};

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.byteLength, b.byteLength);
  for (let i = 0; i < length; i++) {
    if (a[i] !== b[i]) return a[i]! - b[i]!;
  }
  return a.byteLength - b.byteLength;
}

import { type ByteSource, memorySource } from './byte-source.js';
import {
  BYTES_PER_ELEMENT,
  type Checkpoint,
  CheckpointError,
  checkTensor,
  elementCount,
  fromFloat32,
  listText,
  type StoredDtype,
  type StoredTensor,
  toFloat32,
} from './checkpoint.js';
import { type CheckpointLayout, checkName, concatenate, loadFromMemory, quote } from './layout.js';
import { parseHeader } from './safetensors-header.js';

/**
 * The safetensors format (https://github.com/huggingface/safetensors): 8 bytes with the header's length N as a little-endian
 * integer, N bytes of JSON that place every tensor, then the tensors' bytes without gaps.
 */

/** Bytes before the header. */
const PREFIX_LENGTH = 8;

/** The reference implementation refuses longer headers too. */
const MAX_HEADER_LENGTH = 100_000_000;

/** What a safetensors file holds. */
export interface Safetensors {
  readonly tensors: Checkpoint;
  /** Free text by key, the header's `__metadata__`. */
  readonly metadata: Readonly<Record<string, string>>;
}

export interface SafetensorsWriteOptions {
  /** Stores floats of other widths as this type. Each tensor is converted when it is written. Default: all as they are. */
  readonly dtype?: 'F32' | 'F16' | 'BF16';
}

/**
 * Reads a safetensors file from memory. The tensors are views of `bytes`: nothing is copied, and nothing is reserved that the
 * file itself asks for.
 * @throws CheckpointError if the file is truncated, inconsistent or hostile in any way.
 */
export function readSafetensors(bytes: Uint8Array): Safetensors {
  const { tensors, metadata } = loadFromMemory(bytes, safetensorsLayout(memorySource(bytes)));
  return { tensors, metadata };
}

/**
 * Reads and checks where each tensor of a safetensors file lies, in the order of the file.
 * @throws CheckpointError if the file is truncated, inconsistent or hostile in any way.
 */
export function safetensorsLayout(source: ByteSource): CheckpointLayout {
  const headerLength = readHeaderLength(source.read(0, Math.min(PREFIX_LENGTH, source.size)), source.size);
  return readHeader(source.read(PREFIX_LENGTH, headerLength), PREFIX_LENGTH + headerLength, source.size);
}

/**
 * The bytes of a safetensors file. The same tensors and metadata give the same bytes, whatever their order, and the same
 * bytes as the reference implementation: wider dtypes first, then by name, which aligns every tensor to its element's size.
 * @throws CheckpointError if a tensor's bytes do not agree with its dtype and shape, or a name is not allowed.
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
  options: SafetensorsWriteOptions = {},
): Uint8Array {
  return concatenate([...safetensorsParts(tensors, metadata, options)]);
}

/** The file that {@link writeSafetensors} makes, as the pieces to write one after the other: the header, then each tensor. */
export function* safetensorsParts(
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>>,
  options: SafetensorsWriteOptions,
): Generator<Uint8Array, void> {
  const utf8 = new TextEncoder();
  const sorted = [...tensors]
    .map(([name, tensor]) => {
      checkName(name, 'tensor');
      checkTensor(tensor, `Tensor ${JSON.stringify(name)}`);
      const dtype = isFloat(tensor.dtype) ? (options.dtype ?? tensor.dtype) : tensor.dtype;
      return { name, tensor, dtype, key: utf8.encode(name) };
    })
    .sort((a, b) => DTYPE_ORDER[b.dtype] - DTYPE_ORDER[a.dtype] || compareBytes(a.key, b.key));

  const header: [string, unknown][] = [];
  const keys = Object.keys(metadata).sort();
  if (keys.length > 0) {
    for (const key of keys) {
      checkName(key, 'metadata');
      if (typeof metadata[key] !== 'string') {
        throw new CheckpointError(
          `Metadata ${JSON.stringify(key)} is a ${typeof metadata[key]}; metadata values are strings. Use JSON.stringify for structured values.`,
        );
      }
    }
    header.push(['__metadata__', Object.fromEntries(keys.map((key) => [key, metadata[key]]))]);
  }
  let offset = 0;
  for (const { name, tensor, dtype } of sorted) {
    const elements = tensor.bytes.byteLength / BYTES_PER_ELEMENT[tensor.dtype];
    const end = offset + elements * BYTES_PER_ELEMENT[dtype];
    header.push([name, { dtype, shape: tensor.shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  // Joined by hand: an object would move names that look like integers ("0") to the front.
  const entries = header.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  const text = utf8.encode(`{${entries.join(',')}}`);
  const headerLength = Math.ceil(text.byteLength / 8) * 8;
  const start = new Uint8Array(PREFIX_LENGTH + headerLength).fill(0x20);
  new DataView(start.buffer).setBigUint64(0, BigInt(headerLength), true);
  start.set(text, PREFIX_LENGTH);
  yield start;
  for (const { tensor, dtype } of sorted) {
    yield tensor.dtype === dtype
      ? tensor.bytes
      : fromFloat32(toFloat32(tensor), tensor.shape, dtype as FloatDtype).bytes;
  }
}

type FloatDtype = NonNullable<SafetensorsWriteOptions['dtype']>;

function isFloat(dtype: StoredDtype): boolean {
  return dtype === 'F16' || dtype === 'BF16' || dtype === 'F32' || dtype === 'F64';
}

/**
 * The header's length, from the file's first 8 bytes.
 * @throws CheckpointError if a file of `fileLength` bytes cannot hold such a header.
 */
function readHeaderLength(prefix: Uint8Array, fileLength: number): number {
  if (fileLength < PREFIX_LENGTH) {
    throw new CheckpointError(
      `The file has ${fileLength} bytes, too few for a safetensors file; it is empty or truncated. Fetch it again.`,
    );
  }
  const length = new DataView(prefix.buffer, prefix.byteOffset, PREFIX_LENGTH).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_LENGTH)) {
    throw new CheckpointError(
      `The file announces a header of ${length} bytes, past the limit of ${MAX_HEADER_LENGTH}; it is not a safetensors file.`,
    );
  }
  if (length > BigInt(fileLength - PREFIX_LENGTH)) {
    throw new CheckpointError(
      `The file announces a header of ${length} bytes but has ${fileLength - PREFIX_LENGTH} after the length; it is truncated. Fetch it again.`,
    );
  }
  return Number(length);
}

/**
 * Parses a header and checks it against the data, which reach from `dataStart` to `fileLength` and must be covered exactly.
 * @throws CheckpointError if any field is not what the format allows, or tensors overlap, leave gaps, or reach past the data.
 */
function readHeader(header: Uint8Array, dataStart: number, fileLength: number): CheckpointLayout {
  const dataLength = fileLength - dataStart;
  const { tensors, metadata } = parseHeader(header);
  for (const key of metadata.keys()) checkName(key, 'metadata');
  const places: { name: string; dtype: StoredDtype; shape: number[]; begin: number; end: number }[] = [];
  for (const [name, { dtype, shape, data_offsets: offsets }] of tensors) {
    const what = `Tensor ${quote(name)}`;
    checkName(name, 'tensor');
    if (!isStoredDtype(dtype)) {
      throw new CheckpointError(
        `${what} has dtype ${quote(dtype)}; this reader knows ${Object.keys(BYTES_PER_ELEMENT).join(', ')}. Convert the file to one of them.`,
      );
    }
    const size = elementCount(shape, what) * BYTES_PER_ELEMENT[dtype];
    const [begin, end] = offsets;
    if (offsets.length !== 2 || begin === undefined || end === undefined || begin > end || end > dataLength) {
      throw new CheckpointError(
        `${what} has data_offsets ${listText(offsets)}, which is no [begin, end] within the ${dataLength} bytes of data; the file is truncated or corrupt.`,
      );
    }
    if (end - begin !== size) {
      throw new CheckpointError(
        `${what} spans ${end - begin} bytes, but ${dtype} of shape ${listText(shape)} takes ${size}; the file is corrupt.`,
      );
    }
    places.push({ name, dtype, shape, begin, end });
  }
  places.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let covered = 0;
  for (const { name, begin, end } of places) {
    if (begin !== covered) {
      const fault = begin < covered ? 'overlaps the tensor before it' : 'leaves a gap before it';
      throw new CheckpointError(
        `Tensor ${quote(name)} begins at byte ${begin} of the data and ${fault}, which ends at ${covered}; the file is corrupt.`,
      );
    }
    covered = end;
  }
  if (covered !== dataLength) {
    throw new CheckpointError(
      `The tensors end at byte ${covered} of the data, but ${dataLength} bytes follow the header; the file is corrupt.`,
    );
  }
  return {
    format: 'safetensors',
    places: places.map(({ name, dtype, shape, begin, end }) => ({
      name,
      dtype,
      shape,
      ranges: [{ begin: dataStart + begin, end: dataStart + end }],
    })),
    metadata: Object.fromEntries(metadata),
  };
}

function isStoredDtype(dtype: string): dtype is StoredDtype {
  return Object.hasOwn(BYTES_PER_ELEMENT, dtype);
}

/** The reference implementation's order of dtypes, by growing size. */
const DTYPE_ORDER: Readonly<Record<StoredDtype, number>> = {
  BOOL: 0,
  U8: 1,
  I8: 2,
  I16: 3,
  F16: 4,
  BF16: 5,
  I32: 6,
  F32: 7,
  F64: 8,
  I64: 9,
};

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.byteLength, b.byteLength);
  for (let i = 0; i < length; i++) {
    if (a[i] !== b[i]) return a[i]! - b[i]!;
  }
  return a.byteLength - b.byteLength;
}
